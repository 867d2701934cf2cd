"""`sync --pending`: it asks only for lists with pending records, publishes only what changed, and leaves all else as it was."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest
from typer.testing import CliRunner

from dcycle_pipeline.cli import app
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox, World
from dcycle_pipeline.sync.endings import read_endings
from dcycle_pipeline.sync.pending import Settled, settle
from dcycle_pipeline.sync.run import Run
from tests.backfill.conftest import Folder, files, folder
from tests.conftest import CHILD, ROOT, settings_for, sync
from tests.orchestration.test_two_runs import HOLDER
from tests.properties.aftermath import contents

__all__ = ["folder"]

FIRST_PROOFS = """SELECT organization_id, endpoint, facility_id, max(finished_at) FROM sync.lists WHERE outcome = 'proven'
    AND endpoint <> 'total_impacts' GROUP BY ALL"""
QUALITY = """SELECT pending_record_count, pending_facility_count, oldest_pending_since, oldest_pending_days
    FROM summaries.data_quality WHERE organization_id = ?"""


def settled(folder: Folder, *organization_ids: str) -> Settled:
    """What `sync --pending` does, without the report that the command writes."""
    with Run(str(uuid4()), settings_for(folder.sandbox, folder.data)) as run:
        return settle(run, organization_ids)


def command(folder: Folder, *words: str, code: int = 0) -> dict[str, Any]:
    """`sync --pending --json`; its one object."""
    result = folder.run("sync", "--pending", *words, "--json")
    assert result.exit_code == code, result.output
    (line,) = result.stdout.splitlines()
    told: dict[str, Any] = json.loads(line)
    assert told["exit_code"] == code
    return told


def calculate(world: World, *places: int) -> None:
    """Dcycle calculates pending records of f-north, and with them the total of the facility."""
    records = world.facility_records("f-north")
    for place in places:
        world.recalculate_record(records[place]["id"], f"{place + 1}.000000001")
    world.edit_facility("f-north", co2e="77.5")


def paths(folder: Folder) -> Counter[str]:
    found = Counter(request.path for request in folder.sandbox.requests)
    folder.sandbox.clear_requests()
    return found


def proofs(folder: Folder) -> dict[tuple[str, ...], datetime]:
    return {row[:3]: row[3] for row in folder.query(FIRST_PROOFS)}


def quality(folder: Folder) -> tuple[Any, ...]:
    with duckdb.connect(str(folder.file.resolve()), read_only=True) as connection:
        return connection.execute(QUALITY, [CHILD]).fetchall()[0]


def test_what_settles_is_published_and_a_full_sync_changes_nothing(folder: Folder) -> None:
    before, since = proofs(folder), quality(folder)[2]
    calculate(folder.sandbox.world, 0, 2)
    told = command(folder)
    assert folder.asked() == {"f-north"}, "no list of another facility is asked for"
    assert (told["outcome"], told["settled_count"], told["asked_count"], told["unread"]) == ("published", 2, 1, [])
    (left,) = told["pending"]
    assert (left["facility_id"], left["pending_record_count"]) == ("f-north", 2)
    assert datetime.fromisoformat(left["pending_since"]) == since
    assert quality(folder)[:3] == (2, 1, since), "what did not settle is pending as long as before"
    after = proofs(folder)
    fresher = {key for key in after if after[key] > before[key]}
    assert fresher == {(CHILD, "facilities", None), (CHILD, "waste_water_treatments", "f-north")}
    changes = "SELECT change, count(*) FROM history.waste_water_treatments WHERE change <> 'new' GROUP BY ALL"
    assert folder.query(changes) == [("settled", 2)]
    assert folder.query("SELECT pending_only FROM sync.runs ORDER BY started_at") == [(None,), (True,)]
    assert folder.sync().content_changed is False


@pytest.mark.exhaustive
def test_the_report_is_written_as_the_settings_say(folder: Folder) -> None:
    calculate(folder.sandbox.world, 0)
    look = {"DCYCLE_REPORT_LANGUAGE": "es", "DCYCLE_REPORT_TITLE": "Informe de ACME"}
    result = CliRunner().invoke(app, ["sync", "--pending"], env=folder.environment | look)
    assert result.exit_code == 0, result.output
    page = (folder.data / "report.html").read_text(encoding="utf-8")
    assert '<html lang="es"' in page
    assert "Informe de ACME" in page


def test_if_nothing_changed_nothing_stays_of_the_run(folder: Folder) -> None:
    before, warehouse = files(folder.data), folder.data / "working" / "warehouse.duckdb"
    told = command(folder)
    assert folder.asked() == {"f-north"}
    assert (told["asked_count"], told["settled_count"], "outcome" in told) == (1, 0, False)
    after = files(folder.data)
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    assert changed <= {str(warehouse), str(warehouse.with_name("lock.holder"))}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM sync.runs").fetchall() == [(1,)]
    said = folder.run("sync", "--pending").stdout.splitlines()
    assert said[-1] == "Nothing changed in 1 list with pending records. Nothing was published."
    assert said[0].endswith("4 records of facility Nordwerk, Water North")


@pytest.mark.exhaustive
def test_if_nothing_is_pending_nothing_is_asked_for(folder: Folder) -> None:
    calculate(folder.sandbox.world, 0, 1, 2, 3)
    assert settled(folder).pending == []
    assert quality(folder) == (0, 0, None, None)
    paths(folder)
    result = folder.run("sync", "--pending")
    assert (result.exit_code, paths(folder)) == (0, {})
    assert "Nothing is pending" in result.stdout
    assert folder.run("sync", "--pending", "--organization", "nobody").exit_code == 2
    assert folder.run("sync", "--pending", "--organization", "water nor").exit_code == 0, "by the start of a name"
    empty = Folder(folder.sandbox, folder.data.with_name("empty"))
    assert (empty.run("sync", "--pending").exit_code, paths(folder)) == (3, {})


@pytest.mark.exhaustive
def test_only_the_organisations_that_are_named_are_asked(folder: Folder) -> None:
    folder.sandbox.world.add_record("f-old", co2e=None)
    folder.sync()
    folder.asked()
    settled(folder, ROOT)
    assert folder.asked() == {"f-old"}
    settled(folder)
    assert folder.asked() == {"f-old", "f-north"}


@pytest.mark.exhaustive
def test_what_cannot_be_read_is_named_and_the_rest_is_published(folder: Folder) -> None:
    world = folder.sandbox.world
    late = world.add_record("f-old", co2e=None)
    folder.sync()
    world.recalculate_record(late, "5.5")
    calculate(world, 0)
    folder.sandbox.behaviour = Behaviour(denied={"f-north": 403})
    told = command(folder, code=1)
    assert [(row["facility"], row["facility_id"], row["outcome"]) for row in told["unread"]] == [
        ("Nordwerk", "f-north", "forbidden")
    ]
    assert told["report"] == str(folder.data / "report.html")
    assert (told["outcome"], told["settled_count"]) == ("published_with_gaps", 1)
    assert [row["facility_id"] for row in told["unproven_lists"]] == ["f-north"]
    folder.sandbox.behaviour = Behaviour(denied={"f-north": 403, "f-old": 403})
    published = folder.file.resolve()
    world.add_record("f-empty")
    told = command(folder, code=1)
    assert ("outcome" in told, folder.file.resolve()) == (False, published), "nothing was read, so nothing is published"
    result = folder.run("sync", "--pending", "--organization", CHILD)
    where = f"Water North ({CHILD}), "
    assert f"Not read: {where}Nordwerk (f-north): forbidden: " in result.stdout
    assert f"{where}waste_water_treatments, facility Nordwerk (f-north): forbidden: " in result.stderr
    assert "Nothing changed in 1 list with pending records." in result.stdout
    folder.sandbox.behaviour = Behaviour(faults=(Fault("500"),))
    found = settled(folder)
    assert ([one.outcome for one in found.unread], found.publication) == (["unproven"], None)
    folder.sandbox.behaviour = Behaviour()
    assert settled(folder).settled_count == 1
    assert folder.sync().content_changed, "f-empty has a record that nobody asked for"


@pytest.mark.exhaustive
def test_a_pending_record_that_its_list_no_longer_shows_is_named(folder: Folder) -> None:
    world, peek = folder.sandbox.world, folder.sandbox.world.peek_records
    late, veiled = (item["id"] for item in world.facility_records("f-north")[:2])
    world.peek_records = lambda facility: [item for item in peek(facility) if item["id"] != veiled]  # type: ignore[method-assign]
    world.derived.forget("f-north")
    told = command(folder, code=1)
    assert [(row["facility_id"], row["item_id"]) for row in told["doubtful_rows"]] == [("f-north", veiled)]
    assert (told["unread"], "outcome" in told, told["asked_count"]) == ([], False, 1)
    lines = folder.run("sync", "--pending").stdout.splitlines()
    (said,) = (line for line in lines if line.startswith("In doubt: "))
    assert f"Water North ({CHILD}), Nordwerk (f-north), record {veiled}: the list does not show it" in said
    world.recalculate_record(late, "7.5")
    told = command(folder, code=1)
    assert [row["item_id"] for row in told["doubtful_rows"]] == [veiled]
    assert (told["outcome"], told["settled_count"]) == ("published_with_gaps", 1)
    which = ("--organization", CHILD, "--endpoint", "waste_water_treatments", "--id", veiled)
    decided = folder.run("resolve", *which, "--as", "kept", "--reason", "seen", "--by", "Ana")
    assert decided.exit_code == 0, decided.output
    assert command(folder)["doubtful_rows"] == [], "a person has decided"


@pytest.mark.exhaustive
def test_a_list_that_could_not_be_read_before_stays_so_without_a_request(folder: Folder) -> None:
    folder.sandbox.world.add_record("f-old", co2e=None)
    folder.sync()
    folder.sandbox.behaviour = Behaviour(denied={"f-large": 403})
    folder.sync()
    gaps = "SELECT facility_id, outcome, reason, started_at FROM sync.lists WHERE outcome <> 'proven' AND endpoint <> 'total_impacts'"
    (gap,) = folder.query(gaps)
    folder.asked()
    folder.sandbox.world.recalculate_record(folder.sandbox.world.facility_records("f-old")[-1]["id"], "5.5")
    found = settled(folder, ROOT)
    assert folder.asked() == {"f-old"}
    assert found.publication
    assert (found.publication.outcome, found.unread) == ("published_with_gaps", [])
    assert folder.query(gaps) == [gap, gap], "for the same reason, and not asked since"
    folder.sandbox.behaviour = Behaviour()
    assert folder.sync().outcome == "published"
    assert folder.query("SELECT count(*) FROM dcycle.waste_water_treatments WHERE facility_id = 'f-large'") == [(130,)]


@pytest.mark.exhaustive
def test_a_row_in_doubt_stays_so_without_a_request(folder: Folder) -> None:
    world = folder.sandbox.world
    late, victim = world.add_record("f-old", co2e=None), world.facility_records("f-large")[3]["id"]
    folder.sync()
    world.delete_record(victim)
    detail = f"/v1/waste-water-treatments/{victim}/detail"
    folder.sandbox.behaviour = Behaviour(faults=(Fault("500", path=detail),))
    folder.sync()
    doubts = "SELECT item_id, reason, doubtful_since FROM sync.doubtful_rows ORDER BY noted_at"
    (doubt,) = folder.query(doubts)
    assert doubt[0] == victim
    world.recalculate_record(late, "5.5")
    paths(folder)
    found = settled(folder, ROOT)
    assert (found.settled_count, detail in paths(folder)) == (1, False)
    assert folder.query(doubts) == [doubt, doubt]
    (folder.data / "working" / "warehouse.duckdb").unlink()
    shutil.rmtree(folder.file.resolve().parent)
    assert folder.run("replay").exit_code == 1, "the doubt is a gap"
    assert folder.query(doubts)[-1] == doubt
    folder.sandbox.behaviour = Behaviour()
    assert folder.sync().outcome == "published"
    assert folder.query(
        f"SELECT count(*) FROM dcycle.waste_water_treatments WHERE waste_water_treatment_id = '{victim}'"
    ) == [(0,)]


@pytest.mark.exhaustive
def test_what_moves_with_a_record_is_read_and_survives_the_loss_of_the_working_file(folder: Folder) -> None:
    world = folder.sandbox.world
    calculate(world, 1)
    world.delete_record(world.facility_records("f-north")[0]["id"])
    world.add_record(world.add_facility(CHILD, id="f-new"), co2e="3.5")
    found = settled(folder)
    assert folder.asked() == {"f-north", "f-new"}
    assert found.publication
    assert (found.publication.outcome, found.settled_count) == ("published", 1)
    seen = contents(folder.file)
    shutil.rmtree(folder.file.resolve().parent)
    (folder.data / "working" / "warehouse.duckdb").unlink()
    assert folder.run("replay").exit_code == 0
    assert contents(folder.file) == seen, "a record that was deleted stays deleted"
    runs = folder.query("SELECT pending_only FROM sync.runs ORDER BY started_at")
    assert runs == [(None,), (True,), (None,)]
    assert folder.sync().content_changed is False


@pytest.mark.exhaustive
def test_since_when_a_record_is_pending_begins_again_if_it_was_calculated(folder: Folder) -> None:
    world = folder.sandbox.world
    first = quality(folder)[2]
    calculate(world, 0, 1, 2, 3)
    settled(folder)
    calculated = datetime.now(UTC)
    world.recalculate_record(world.facility_records("f-north")[2]["id"], None)
    folder.sync()
    (count, facilities, since, days) = quality(folder)
    assert (count, facilities, days) == (1, 1, 0)
    assert since > calculated > first
    world.edit_record(world.facility_records("f-north")[2]["id"], quantity="7")
    folder.sync()
    assert quality(folder)[2] == since, "an edit does not settle it"


@pytest.mark.exhaustive
def test_a_day_of_them_is_no_line_of_status_and_pushes_out_no_night(folder: Folder) -> None:
    night = folder.file.resolve()
    for place in range(4):
        calculate(folder.sandbox.world, place)
        settled(folder)
    snapshots = sorted(path.name for path in (folder.data / "snapshots").iterdir())
    assert snapshots == sorted([night.parent.name, folder.file.resolve().parent.name])
    told = json.loads(folder.run("status", "--json").stdout)
    assert [run["lists_proven_count"] for run in told["runs"]] == [7]
    assert told["published_at"] > told["runs"][0]["published_at"]
    kept = folder.query("SELECT count(*) FROM sync.runs WHERE pending_only")
    assert kept == [(4,)]


@pytest.mark.exhaustive
def test_a_folder_from_before_goes_over_and_status_reads_it(folder: Folder) -> None:
    files_before = [folder.data / "working" / "warehouse.duckdb", folder.file.resolve()]
    for file in files_before:
        file.chmod(0o600)
        with duckdb.connect(str(file)) as connection:
            connection.execute("DROP VIEW summaries.pending_records")
            for name in (
                "pending_only",
                "backfill_from",
                "backfill_to",
                "backfill_reason",
                "backfill_by",
                "completes_run_id",
            ):
                connection.execute(f"ALTER TABLE sync.runs DROP COLUMN {name}")
            for name in ("pending_facility_count", "oldest_pending_since", "oldest_pending_days"):
                connection.execute(f"ALTER TABLE summaries.data_quality DROP COLUMN {name}")
            connection.execute("CREATE OR REPLACE MACRO sync.layout_digest() AS 'of an older version'")
    assert len(json.loads(folder.run("status", "--json").stdout)["runs"]) == 1
    assert folder.run("report").exit_code == 0
    assert settled(folder).asked_count == 1
    calculate(folder.sandbox.world, 0)
    assert settled(folder).settled_count == 1
    assert quality(folder)[:2] == (3, 1)
    assert folder.query("SELECT count(*) FROM summaries.pending_records") == [(3,)]
    assert folder.sync().content_changed is False


@pytest.mark.exhaustive
def test_whoever_writes_is_named_and_nobody_is_alarmed(folder: Folder) -> None:
    command = [sys.executable, "-c", HOLDER, str(folder.data)]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        result = folder.run("sync", "--pending")
        holder.communicate("")
    assert result.exit_code == 3
    assert "is being written by another run" in result.stderr
    assert paths(folder) == {}
    assert read_endings(DataFolder(folder.data)).runs == []


@pytest.mark.exhaustive
def test_it_costs_a_few_per_cent_of_a_full_sweep(tmp_path: Path) -> None:
    world = World(ROOT, "Holding X")
    for number in range(200):
        world.add_records(world.add_facility(ROOT, id=f"f-{number:03}"), 3)
    late = [world.add_record(f"f-{number:03}", co2e=None) for number in (50, 150)]
    with Sandbox(world) as sandbox:
        settings = settings_for(sandbox, tmp_path / "data")
        sync(settings)
        sandbox.clear_requests()
        sync(settings)
        full = len(sandbox.requests)
        sandbox.clear_requests()
        place = Folder(sandbox, tmp_path / "data")
        settled(place)
        idle = len(sandbox.requests)
        for record in late:
            world.recalculate_record(record, "1.5")
        sandbox.clear_requests()
        settled(place)
        settling = len(sandbox.requests)
    assert idle * 100 <= full * 4
    assert settling * 100 <= full * 8
