"""*Re-execute from failure*: what is re-used is what a new run would re-use too, and is said to be older; otherwise it is refused."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dcycle_pipeline.definitions import defs
from dcycle_pipeline.orchestration import late, partitions
from dcycle_pipeline.orchestration.jobs import JOB
from dcycle_pipeline.publish.checks import EVERYTHING_READ
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from dcycle_pipeline.sync import whole
from dcycle_pipeline.sync.publication import Publication
from dcycle_pipeline.sync.run import Run
from tests.cli.conftest import variables
from tests.conftest import Published
from tests.orchestration.conftest import CHILD, QUIET, ROOT


def sync_job() -> dg.JobDefinition:
    return defs.resolve_job_def(JOB)


@pytest.fixture(scope="module")
def home() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


@pytest.mark.exhaustive
@pytest.mark.parametrize("resume_hours", ["6", "0"])
def test_what_is_reused_is_said_to_be_older_or_refused(
    home: dg.DagsterInstance,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    resume_hours: str,
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name, value in variables(sandbox, data, DCYCLE_RESUME_HOURS=resume_hours).items():
        monkeypatch.setenv(name, value)
    (data / "scope_mapping.csv").write_text("not a mapping\n")
    partitions.keep_in_step(home, [ROOT, CHILD])
    job = dg.reconstructable(sync_job)
    first = dg.execute_job(job, home, run_config=QUIET, tags=dict(partitions.all_of_them(home)))
    assert not first.success
    (data / "scope_mapping.csv").unlink()
    sandbox.world.add_record("f-large", id="came-meanwhile")
    again = dg.ReexecutionOptions.from_failure(first.run_id, home)
    with dg.execute_job(job, home, run_config=QUIET, reexecution_options=again) as second:
        said = [home_event.message for home_event in home.all_logs(second.run_id)]
        failures = [event.step_failure_data for event in second.all_events if event.is_step_failure]
    older = "6 of 6 lists were read before this run began"
    if resume_hours == "6":
        assert second.success, failures
        assert any(older in line for line in said)
        assert Published(data / "dcycle_warehouse.duckdb").query("SELECT count(*) FROM dcycle.facilities") == [(4,)]
    else:
        assert [older in failure.user_failure_data.description for failure in failures] == [True]
        assert not (data / "dcycle_warehouse.duckdb").exists()


@pytest.mark.exhaustive
@pytest.mark.parametrize("is_silent_at_first", [False, True])
def test_the_last_word_on_who_is_left_out_stays_the_same_if_it_is_asked_again(
    home: dg.DagsterInstance,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_silent_at_first: bool,
) -> None:
    def sync_late(run: Run, organization_ids: list[str]) -> Publication | None:
        sandbox.behaviour = Behaviour(denied={CHILD: 403})
        return whole.sync_late(run, organization_ids)

    monkeypatch.setattr(late, "sync_late", sync_late)
    silent = Fault("slow", organization_id=CHILD, seconds=60)
    sandbox.behaviour = Behaviour(faults=(silent,)) if is_silent_at_first else Behaviour(denied={CHILD: 403})
    for name, value in variables(sandbox, tmp_path / "data").items():
        monkeypatch.setenv(name, value)
    partitions.keep_in_step(home, [ROOT, CHILD])
    job = dg.reconstructable(sync_job)
    first = dg.execute_job(job, home, run_config=QUIET, tags=dict(partitions.all_of_them(home)))
    again = dg.ReexecutionOptions.from_failure(first.run_id, home)
    with dg.execute_job(job, home, run_config=QUIET, reexecution_options=again) as second:
        steps = {event.step_key for event in second.all_events if event.is_step_start}
        said = [
            event.step_failure_data.user_failure_data.description
            for event in second.all_events
            if event.is_step_failure
        ]
    assert steps == {EVERYTHING_READ}
    assert [text.startswith("Left out: Water North: access refused") for text in said] == [True]
