"""What `init` wrote, run: Dagster on PostgreSQL, with code server, webserver and daemon as processes of their own, over the sandbox."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from dcycle_pipeline.cli import app
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.sandbox import Sandbox
from tests.cli.conftest import variables
from tests.conftest import CHILD, ROOT, Published, records_of, small_world
from tests.deployment.services import Services, services, until
from tests.properties.dev import Dev, with_hook
from tests.properties.places import Place
from tests.publish.postgres.cluster import Cluster

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(600)]
# A run that has the folder, and has published nothing yet.
UNDER_WAY = Place("sync/organizations.py", "manifest.write_tree(")


@dataclass(frozen=True)
class Installation:
    """The services, a way to launch runs through their GraphQL, and the folder that they publish to."""

    services: Services
    dev: Dev
    sandbox: Sandbox
    data: Path


@contextmanager
def installed(postgres: Cluster, folder: Path, **settings: str) -> Iterator[Installation]:
    """What `init` writes, up and running over the small world, until the block ends."""
    written, home, data, room = (folder / name for name in ("written", "home", "data", "room"))
    assert CliRunner().invoke(app, ["init", str(written)]).exit_code == 0
    with (
        Sandbox(small_world()) as sandbox,
        services(written, home, postgres, variables(sandbox, data, **settings) | with_hook(room)) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield Installation(running, Dev(running.url, home, room, ROOT, "dcycle_pipeline"), sandbox, data)


@pytest.fixture(scope="module")
def installation(postgres: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with installed(postgres, tmp_path_factory.mktemp("installation")) as found:
        with dg.DagsterInstance.from_config(str(found.dev.home)) as instance:
            partitions.keep_in_step(instance, [ROOT, CHILD], ROOT)
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
    services = installation.services
    without_hook = {name: value for name, value in services.for_code.items() if name.startswith("DCYCLE_")}
    services.for_code, kept = without_hook, services.for_code
    done = services.run("dcycle-pipeline", "sync", "--json", within="code")
    services.for_code = kept
    assert done.returncode == 0, done.stderr
    assert installation.dev.status(json.loads(done.stdout)["run_id"]) == dg.DagsterRunStatus.SUCCESS


def test_a_run_that_is_killed_is_marked_as_failed_and_the_next_goes_through(installation: Installation) -> None:
    dev = installation.dev
    killed = dev.run(UNDER_WAY, signal.SIGKILL)
    until(lambda: dev.status(killed) == dg.DagsterRunStatus.FAILURE, "the run failed", installation.services.log)
    assert dev.status(dev.run()) == dg.DagsterRunStatus.SUCCESS, installation.services.log()


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
    assert dev.status(dev.run()) == dg.DagsterRunStatus.SUCCESS, services.log()
    assert dev.status(ended) == ending


def test_the_schedule_starts_a_sync(postgres: Cluster, tmp_path: Path) -> None:
    with installed(postgres, tmp_path / "scheduled", DCYCLE_SCHEDULE_CRON="* * * * *") as found:
        run = found.dev.next_run()
        assert run.tags["dagster/schedule_name"] == "daily_sync"
        assert run.status == dg.DagsterRunStatus.SUCCESS, found.services.log()
