"""What `init` wrote, run: Dagster on PostgreSQL, with code server, webserver and daemon as processes of their own, over the sandbox."""

import signal
from collections.abc import Iterator

import dagster as dg
import pytest

from tests.conftest import Published, records_of
from tests.deployment.installation import UNDER_WAY, Installation, installed
from tests.deployment.services import until
from tests.publish.postgres.cluster import Cluster

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def installation(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(postgres, tmp_path_factory.mktemp("installation")) as found:
        yield found


def test_dagster_finds_the_definitions_by_the_workspace(installation: Installation) -> None:
    found = installation.services.run("dagster", "definitions", "validate", "--workspace", "workspace.yaml")
    assert found.returncode == 0, found.stderr
    assert "Validation successful for code location dcycle_pipeline" in found.stdout + found.stderr


def test_a_sync_launched_in_the_ui_publishes_the_file(installation: Installation) -> None:
    run = installation.dev.run()
    assert installation.dev.status(run) == dg.DagsterRunStatus.SUCCESS, installation.services.log()
    published = Published(installation.data / "dcycle_warehouse.duckdb")
    assert published.records() == records_of(installation.sandbox.world)


def test_a_sync_by_command_in_the_container_shows_in_the_ui(installation: Installation) -> None:
    run = installation.sync_by_command()
    assert installation.dev.status(run) == dg.DagsterRunStatus.SUCCESS


def test_a_run_that_is_killed_is_marked_as_failed_and_starts_once_more(installation: Installation) -> None:
    dev = installation.dev
    killed = dev.run(UNDER_WAY, signal.SIGKILL, once_more=True)
    again = dev.next_run()  # Dagster's own
    assert again.tags["dagster/parent_run_id"] == killed
    assert again.status == dg.DagsterRunStatus.SUCCESS, installation.services.log()
    assert dev.status(killed) == dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize(
    ("how", "ending"),
    [(signal.SIGTERM, dg.DagsterRunStatus.CANCELED), (signal.SIGKILL, dg.DagsterRunStatus.FAILURE)],
    ids=["stopped", "killed"],
)
def test_a_code_server_that_ends_with_its_run_blocks_nothing(
    installation: Installation, how: signal.Signals, ending: dg.DagsterRunStatus
) -> None:
    """As `docker compose stop` and `kill` do it: each process of the container gets the signal."""
    services, dev = installation.services, installation.dev
    ended = dev.run(UNDER_WAY, lambda: services.stop("code", how))
    services.start("code")
    until(dev.knows_the_code, "the webserver knows the code server again", services.log)
    assert dev.status(dev.run()) == dg.DagsterRunStatus.SUCCESS, services.log()
    assert dev.status(ended) == ending


def test_a_run_whose_turn_comes_while_the_code_server_restarts_waits_for_it(installation: Installation) -> None:
    services, dev = installation.services, installation.dev
    until(dev.knows_the_code, "the webserver knows the code server", services.log)
    services.stop("daemon")
    run = dev.launch()
    services.stop("code")
    services.start("daemon")
    until(lambda: times_queued(run) > 1, "the run is put into the queue again", services.log)
    services.start("code")
    done = dev.next_run()
    assert (done.run_id, done.status) == (run, dg.DagsterRunStatus.SUCCESS), services.log()


def times_queued(run_id: str) -> int:
    with dg.DagsterInstance.get() as instance:
        return len(instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.PIPELINE_ENQUEUED).records)
