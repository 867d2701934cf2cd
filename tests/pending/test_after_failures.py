"""`sync --pending` after runs that failed or were killed: it passes off no old answer as news, and makes up for no sync that failed."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch
from uuid import uuid4

import pytest

from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.files import runs_that_died
from dcycle_pipeline.landing.manifest import SweepManifest
from dcycle_pipeline.sandbox import Behaviour, Fault
from dcycle_pipeline.sync import backfill, whole
from dcycle_pipeline.sync.failed import organizations_left_unread
from dcycle_pipeline.sync.pending import Settled, settle
from dcycle_pipeline.sync.run import Run
from tests.backfill.conftest import PERIOD, Folder, folder
from tests.conftest import CHILD, ROOT, settings_for, sync
from tests.properties.aftermath import contents

__all__ = ["folder"]
pytestmark = [pytest.mark.exhaustive, pytest.mark.usefixtures("few_summaries")]


class Killed(BaseException):
    """What nobody catches."""


@contextmanager
def killed_once_records_landed() -> Iterator[None]:
    write_sweep = manifest.write_sweep

    def write(root: Path, sweep: SweepManifest) -> None:
        if sweep.endpoint == "waste_water_treatments":
            raise Killed
        write_sweep(root, sweep)

    with patch.object(manifest, "write_sweep", write), suppress(BaseExceptionGroup):
        yield
        pytest.fail("the run was not killed")


def settled_count(folder: Folder) -> int:
    with Run(str(uuid4()), settings_for(folder.sandbox, folder.data)) as run:
        return settle(run).settled_count


def calculate_one(folder: Folder) -> None:
    folder.sandbox.world.recalculate_record(folder.sandbox.world.facility_records("f-north")[0]["id"], "7.5")


@pytest.mark.parametrize("of_a_sync", [False, True])
def test_what_a_killed_run_landed_is_no_news(folder: Folder, of_a_sync: bool) -> None:
    with killed_once_records_landed():
        if of_a_sync:
            sync(settings_for(folder.sandbox, folder.data))
        else:
            settled_count(folder)
    folder.asked()
    assert settled_count(folder) == 0
    assert folder.asked() == {"f-north"}, "whoever says that nothing changed has asked"
    calculate_one(folder)
    assert settled_count(folder) == 1


@pytest.mark.parametrize("is_killed", [False, True])
def test_it_makes_up_for_no_sync_that_failed(folder: Folder, is_killed: bool) -> None:
    where = settings_for(folder.sandbox, folder.data)
    if is_killed:
        with killed_once_records_landed():
            sync(where)
    else:
        folder.sandbox.behaviour = Behaviour(faults=(Fault("503"),))
        assert folder.run("sync").exit_code == 3
        folder.sandbox.behaviour = Behaviour()
    calculate_one(folder)
    told = folder.run("sync", "--pending", "--json")
    assert json.loads(told.stdout)["settled_count"] == 1
    assert organizations_left_unread(where) is None, "every organisation is still to be read"
    assert folder.run("sync", "--failed").exit_code == 0
    assert organizations_left_unread(where) == []


def test_a_backfill_that_was_killed_goes_on_where_it_was(folder: Folder) -> None:
    """Its pages are in no run log, as it worked on a draft. Only the lists that were asked for since are asked for again."""
    late = folder.sandbox.world.add_record("f-old", co2e=None)
    folder.sync()
    with patch.object(backfill, "adopt", side_effect=Killed), pytest.raises(Killed):
        folder.run("backfill", *PERIOD, "--yes")
    assert folder.asked() == {"f-large", "f-old", "f-empty", "f-north"}
    (died,) = runs_that_died(folder.data / "landing")
    folder.sandbox.world.recalculate_record(late, "7.5")
    with Run(str(uuid4()), settings_for(folder.sandbox, folder.data, keep_runs=1)) as run:
        assert settle(run).publication
    assert folder.asked() == {"f-old", "f-north"}
    folder.backfill("--preview")
    assert folder.asked() == {"f-old", "f-north"}
    folder.sandbox.world.recalculate_record(late, "8.5")
    folder.sandbox.world.recalculate_record(folder.sandbox.world.facility_records("f-north")[0]["id"], "7.5")
    with Run(str(uuid4()), settings_for(folder.sandbox, folder.data, resume_hours=0)) as run:
        assert settle(run).publication
    assert not died.exists(), "nobody may take it over any more"


def test_what_a_killed_sync_changed_elsewhere_concerns_nobody_who_was_not_named(folder: Folder) -> None:
    world, where = folder.sandbox.world, settings_for(folder.sandbox, folder.data)
    late = world.add_record("f-old", co2e=None)
    folder.sync()
    calculate_one(folder)
    with patch.object(whole, "publish", side_effect=Killed), pytest.raises(Killed):
        sync(where)

    def settled_of_root() -> Settled:
        folder.sandbox.clear_requests()
        with Run(str(uuid4()), where) as run:
            found = settle(run, [ROOT])
        assert {request.organization_id for request in folder.sandbox.requests} == {ROOT}
        return found

    assert settled_of_root().publication is None, "nothing of it changed"
    world.recalculate_record(late, "5.5")
    found = settled_of_root()
    assert (found.publication is not None, found.settled_count) == (True, 1)
    assert settled_count(folder) == 0, "what is in the working file was published with it"
    assert folder.sync().content_changed is False


def test_what_a_killed_run_decided_and_did_not_merge_does_not_stand(folder: Folder) -> None:
    """A step that is tried again writes its manifest in the place of the one that it merged."""
    folder.sandbox.world.add_record("f-old", co2e=None)
    run_id = sync(settings_for(folder.sandbox, folder.data)).run_id
    folder.asked()
    settled_count(folder)
    assert folder.asked() == {"f-north", "f-old"}, "all others stand as they were merged"
    landing = folder.data / "landing"
    sweep = manifest.sweep_of(landing, run_id, ROOT, "waste_water_treatments")
    assert sweep is not None
    manifest.write_sweep(landing, replace(sweep, merged_at=sweep.merged_at + timedelta(seconds=1)))
    settled_count(folder)
    assert folder.asked() == {"f-north", "f-old", "f-large", "f-empty"}


def test_a_replay_is_no_run_over_pending_records(folder: Folder) -> None:
    calculate_one(folder)
    assert settled_count(folder) == 1
    assert folder.run("replay").exit_code == 0
    runs = folder.query("SELECT run_id, coalesce(pending_only, false) FROM sync.runs ORDER BY started_at")
    assert [pending_only for _, pending_only in runs] == [False, True, False]
    noted = {sweep.run_id for sweep in manifest.sweeps(folder.data / "landing") if sweep.pending_only}
    assert noted == {runs[1][0]}, "a rebuild says the same"


def test_rows_that_moved_in_each_of_two_sweeps_stay_moved_without_the_working_file(folder: Folder) -> None:
    """One went to a list that is asked for first, one to that of a new facility, which is asked for last."""
    world = folder.sandbox.world
    first, last, _ = world.add_records("f-old", 3, co2e=None)
    folder.sync()
    world.add_facility(CHILD, id="f-new")
    for record, facility in ((first, "f-north"), (last, "f-new")):
        world.delete_record(record)
        world.add_record(facility, id=record, co2e=None)
    settled_count(folder)
    where = "SELECT organization_id, facility_id FROM dcycle.waste_water_treatments WHERE waste_water_treatment_id IN"
    assert sorted(folder.query(f"{where} ('{first}', '{last}')")) == [(CHILD, "f-new"), (CHILD, "f-north")]
    seen = contents(folder.file)
    shutil.rmtree(folder.file.resolve().parent)
    (folder.data / "working" / "warehouse.duckdb").unlink()
    assert folder.run("replay").exit_code == 0
    assert contents(folder.file) == seen


def test_what_it_merged_stays_merged_if_a_new_list_contradicts_it(folder: Folder) -> None:
    """The list of the new facility is read last, so that one is held back: no manifest would tell of the rows of the first."""
    world = folder.sandbox.world
    calculate_one(folder)
    world.add_facility(CHILD, id="f-new")
    twice, peek = world.facility_records("f-north")[1]["id"], world.peek_records
    world.peek_records = lambda facility: [  # type: ignore[method-assign]
        *peek(facility),
        *([world.peek_record(twice)] if facility == "f-new" else []),
    ]
    bare = {"facility_id": None}  # else the API itself says where the record belongs
    folder.sandbox.behaviour = Behaviour(malformed={twice: lambda item: item | bare})
    assert settled_count(folder) == 1
    gaps = "SELECT facility_id FROM sync.lists WHERE outcome = 'unproven' AND run_id = (SELECT max_by(run_id, started_at) FROM sync.runs)"
    assert folder.query(gaps) == [("f-new",)]
    seen = contents(folder.file)
    shutil.rmtree(folder.file.resolve().parent)
    (folder.data / "working" / "warehouse.duckdb").unlink()
    assert folder.run("replay").exit_code == 1
    assert contents(folder.file) == seen
    (refuted,) = {row[0] for row in sync(settings_for(folder.sandbox, folder.data)).unproven_lists().values()}
    assert refuted == "unproven", "a sync, which asks for both, takes neither"
