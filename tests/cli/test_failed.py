"""`sync --failed` reads again what the last run left unread, and nothing else."""

from pathlib import Path
from unittest.mock import patch

import pytest

from dcycle_pipeline.cli import running
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from dcycle_pipeline.sync import whole
from dcycle_pipeline.sync.publication import Publication
from dcycle_pipeline.sync.run import Run
from tests.cli.conftest import Invoke, variables
from tests.conftest import CHILD, ROOT, Published, quick_only, records_of
from tests.properties.aftermath import said_as_json

THIRD, HELD = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
NOTHING = "Nothing to read again: the last run left no organisation unread."


pytestmark = pytest.mark.usefixtures("few_summaries")


@pytest.fixture
def group(sandbox: Sandbox) -> Sandbox:
    for organization in (THIRD, HELD):
        sandbox.world.add_organization(organization, "Water South", ROOT)
        sandbox.world.add_records(sandbox.world.add_facility(organization, id=f"f-{organization[0]}"), 20)
    return sandbox


def asked(sandbox: Sandbox) -> set[str | None]:
    return {seen.organization_id for seen in sandbox.requests if "tree" not in seen.path}


def test_only_what_was_left_unread_is_read_again(group: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    environment = variables(group, tmp_path / "data")
    assert invoke("sync", **environment).exit_code == 0
    group.behaviour = Behaviour(
        faults=(Fault("503", organization_id=CHILD), Fault("401", organization_id=THIRD, path="/v1/waste"))
    )
    for row in group.world.facility_records("f-4"):
        group.world.delete_record(row["id"])
    group.world.recalculate_record(group.world.facility_records("f-north")[0]["id"], 7)
    assert invoke("sync", **environment).exit_code == 1
    group.behaviour = Behaviour()
    group.world.add_record("f-large", id="came-later")
    group.clear_requests()
    again = invoke("sync", "--failed", "--json", **environment)
    assert again.exit_code == 0, again.output
    assert asked(group) == {CHILD, THIRD}, "the drop that is held waits for a person"
    held = Published(tmp_path / "data" / "dcycle_warehouse.duckdb").records().keys() - records_of(group.world).keys()
    assert len(held) == 20
    assert "came-later" not in Published(tmp_path / "data" / "dcycle_warehouse.duckdb").records()
    group.clear_requests()
    none = invoke("sync", "--failed", **environment)
    assert (none.exit_code, asked(group)) == (0, set())
    assert none.output.strip().startswith(NOTHING)
    assert said_as_json(invoke("sync", "--failed", "--json", **environment).stdout)["message"].startswith(NOTHING)


@pytest.mark.exhaustive
def test_after_a_run_that_published_nothing_every_organisation_is_read(
    group: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    environment = variables(group, tmp_path / "data")
    assert invoke("sync", "--failed", **environment).exit_code == 0, "nothing was published before"
    group.behaviour = Behaviour(faults=(Fault("503"),))
    assert invoke("sync", **environment).exit_code == 3
    group.behaviour = Behaviour()
    group.clear_requests()
    again = invoke("sync", "--failed", **environment)
    assert again.exit_code == 0
    assert "The last run published nothing" in again.output
    assert asked(group) == set(group.world.organization_ids())


def test_failed_and_organization_exclude_each_other(group: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    refused = invoke("sync", "--failed", "--organization", CHILD, **variables(group, tmp_path / "data"))
    assert refused.exit_code == 2
    assert "--failed" in refused.output
    assert group.requests == []


@pytest.mark.parametrize("recovers", quick_only([True], [True, False]))
def test_who_gives_no_answer_is_asked_again_once_the_others_are_published(
    group: Sandbox, invoke: Invoke, tmp_path: Path, recovers: bool
) -> None:
    def sync_late(run: Run, organization_ids: list[str]) -> Publication | None:
        if recovers:
            group.behaviour = Behaviour()
        return whole.sync_late(run, organization_ids)

    group.behaviour = Behaviour(faults=(Fault("slow", organization_id=CHILD, seconds=60),))
    with patch.object(running, "sync_late", sync_late):
        synced = invoke("sync", **variables(group, tmp_path / "data", DCYCLE_LATE_SECONDS="2"))
    assert "Published without 1 organisation that gave no answer" in synced.output
    snapshots = sorted((tmp_path / "data" / "snapshots").iterdir())
    first, last = (Published(each / "dcycle_warehouse.duckdb") for each in (snapshots[0], snapshots[-1]))
    others = {id_ for id_, row in records_of(group.world).items() if row[0] != CHILD}
    assert first.records().keys() == others
    assert len(snapshots) == 1 + recovers, "what brings nothing is not published"
    assert last.records().keys() == (records_of(group.world).keys() if recovers else others)
    assert synced.exit_code == (0 if recovers else 1)
    reasons = first.query("SELECT reason FROM sync.lists WHERE outcome = 'unproven' AND organization_id = ?", CHILD)
    assert any("put off, because" in reason and "sync --failed" in reason for (reason,) in reasons)
    assert ("With gaps" in synced.output) is not recovers


@pytest.mark.exhaustive
def test_both_runs_of_a_night_count_once(group: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    """For what is kept of snapshots and of landed pages, also if the working file is lost between two nights."""

    def sync_late(run: Run, organization_ids: list[str]) -> Publication | None:
        group.behaviour = Behaviour()
        return whole.sync_late(run, organization_ids)

    data = tmp_path / "data"
    environment = variables(group, data, DCYCLE_LATE_SECONDS="2", DCYCLE_KEEP_SNAPSHOTS="2", DCYCLE_KEEP_RUNS="1")
    nights = []
    for _ in range(2):
        group.behaviour = Behaviour(faults=(Fault("slow", organization_id=CHILD, seconds=60),))
        with patch.object(running, "sync_late", sync_late):
            assert invoke("sync", **environment).exit_code == 0
        nights.append((data / "dcycle_warehouse.duckdb").resolve())
        (data / "working" / "warehouse.duckdb").unlink()
    assert {night.parent.name for night in nights} <= {path.name for path in (data / "snapshots").iterdir()}
    runs = "SELECT run_id, completes_run_id FROM sync.runs ORDER BY started_at DESC LIMIT 2"
    (second, completed), (first, none) = Published(nights[-1]).query(runs)
    assert (completed, none) == (first, None)
    assert {path.name for path in (data / "landing").iterdir()} == {first, second}
    group.clear_requests()
    assert invoke("sync", **environment).exit_code == 0
    usual = len(group.requests)
    group.clear_requests()
    assert invoke("sync", **environment).exit_code == 0
    assert len(group.requests) == usual, "what the first run read was there to compare with"


@pytest.mark.exhaustive
def test_who_is_asked_again_and_denied_is_not_said_to_be_silent(group: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    def sync_late(run: Run, organization_ids: list[str]) -> Publication | None:
        group.behaviour = Behaviour(denied={CHILD: 403})
        return whole.sync_late(run, organization_ids)

    group.behaviour = Behaviour(faults=(Fault("slow", organization_id=CHILD, seconds=60),))
    with patch.object(running, "sync_late", sync_late):
        synced = invoke("sync", "--json", **variables(group, tmp_path / "data", DCYCLE_LATE_SECONDS="2"))
    assert synced.exit_code == 1
    told = said_as_json(synced.stdout)["unproven_lists"]
    assert {(row["organization_id"], row["outcome"]) for row in told} == {
        (CHILD, "forbidden"),
        (CHILD, "facilities_not_read"),
    }


@pytest.mark.exhaustive
def test_after_a_second_run_was_killed_only_its_organisations_are_read(
    group: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    """The first run published: it has left nobody else unread."""

    class Killed(BaseException):
        """What nobody catches."""

    def sync_late(run: Run, organization_ids: list[str]) -> Publication | None:
        group.behaviour = Behaviour()
        with patch.object(whole, "publish", side_effect=Killed):
            return whole.sync_late(run, organization_ids)

    environment = variables(group, tmp_path / "data", DCYCLE_LATE_SECONDS="2")
    group.behaviour = Behaviour(faults=(Fault("slow", organization_id=CHILD, seconds=60),))
    with patch.object(running, "sync_late", sync_late), pytest.raises(Killed):
        invoke("sync", **environment)
    group.clear_requests()
    again = invoke("sync", "--failed", **environment)
    assert again.exit_code == 0, again.output
    assert "The last run published nothing" not in again.output
    assert asked(group) <= {CHILD}, "and what the killed run landed is taken over"
    assert Published(tmp_path / "data" / "dcycle_warehouse.duckdb").records().keys() == records_of(group.world).keys()
    assert invoke("sync", "--failed", **environment).output.strip().startswith(NOTHING)


@pytest.mark.exhaustive
def test_gaps_of_who_is_excluded_now_are_not_denied(group: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    environment = variables(group, tmp_path / "data")
    group.behaviour = Behaviour(faults=(Fault("503", organization_id=CHILD),))
    assert invoke("sync", **environment).exit_code == 1
    group.behaviour = Behaviour()
    (tmp_path / "organizations.toml").write_text(f'exclude = ["{CHILD}"]\n')
    environment["DCYCLE_ORGANIZATIONS_FILE"] = str(tmp_path / "organizations.toml")
    group.clear_requests()
    told = invoke("sync", "--failed", **environment)
    assert (told.exit_code, asked(group)) == (0, set())
    assert NOTHING not in told.output
    assert f"has gaps only of organisations that are excluded, or no longer in the tree: {CHILD}." in told.output
    assert invoke("sync", **environment).exit_code == 0
    assert invoke("sync", "--failed", **environment).output.strip().startswith(NOTHING)


@pytest.mark.exhaustive
def test_with_dagster_each_organisation_that_was_left_unread_has_a_run(
    group: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    (tmp_path / "home").mkdir()
    environment = variables(group, tmp_path / "data", DAGSTER_HOME=str(tmp_path / "home"))
    group.behaviour = Behaviour(faults=tuple(Fault("401", organization_id=each) for each in (CHILD, THIRD)))
    assert invoke("sync", **environment).exit_code == 1
    group.behaviour = Behaviour()
    group.clear_requests()
    again = invoke("sync", "--failed", "--json", **environment)
    assert (again.exit_code, asked(group)) == (0, {CHILD, THIRD}), again.output
    assert len(said_as_json(again.stdout)["runs"]) == 2
    assert Published(tmp_path / "data" / "dcycle_warehouse.duckdb").records().keys() == records_of(group.world).keys()
