"""The verb `backfill`: it plans, compares and publishes in this order, and each stops where it says."""

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dcycle_pipeline.sandbox import Behaviour
from tests.backfill.conftest import PERIOD, Folder, files, go_on
from tests.backfill.exact import check_months
from tests.conftest import CHILD, ROOT

QUARTER = (date(2025, 1, 1), date(2025, 3, 31))
FACILITIES = {"f-large", "f-old", "f-empty", "f-north"}


def counted(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], int]:
    return {(row["organization_id"], row["period"], row["change"]): row["rows_count"] for row in rows}


def test_a_dry_run_names_every_list_and_changes_nothing(folder: Folder) -> None:
    published, snapshots = folder.file.resolve(), files(folder.data / "snapshots")
    landed = files(folder.data / "landing")
    folder.sandbox.world.add_facility(CHILD, id="f-new")
    plan = folder.backfill("--dry-run")["plan"]
    assert {each["key"]["facility_id"] for each in plan["lists"]} == FACILITIES | {"f-new"}
    assert folder.asked() == set(), "the plan asks for no list of records"
    known = {each["key"]["facility_id"]: each["overlapping_count"] for each in plan["lists"]}
    overlapping = dict(
        folder.query(
            "SELECT facility_id, count(*) FROM dcycle.waste_water_treatments WHERE start_date <= '2025-03-31' AND "
            "end_date >= '2025-01-01' GROUP BY ALL"
        )
    )
    assert known == dict.fromkeys(FACILITIES | {"f-new"}, 0) | overlapping
    assert (plan["kept_count"], plan["unread"]) == (0, [])
    assert plan["requests_count"] >= len(plan["lists"])
    assert plan["seconds"] > 0
    assert (folder.file.resolve(), files(folder.data / "snapshots"), files(folder.data / "landing")) == (
        published, snapshots, landed,
    )  # fmt: skip


def test_a_preview_publishes_nothing_and_says_what_the_publication_changes(folder: Folder) -> None:
    before, snapshots = folder.file.resolve(), files(folder.data / "snapshots")
    go_on(folder.sandbox.world)
    seen = folder.backfill("--preview")["preview"]
    assert folder.asked() == FACILITIES | {"f-new"}
    assert (folder.file.resolve(), files(folder.data / "snapshots")) == (before, snapshots)
    assert not list((folder.data / "working").glob("draft*"))
    published = folder.backfill("--yes", "--reason", "the auditor asked", "--by", "Ana")
    assert published["preview"] == seen, "the same world gives the same preview"
    check_months(before, folder.file.resolve(), seen, QUARTER)
    assert {row["facility_id"] for row in seen["months"]} == FACILITIES | {"f-new"}
    differences = [Decimal(row["co2e_kg_difference"]) for row in seen["totals"]]
    assert len(differences) == 4
    assert all(differences), "each place has a change to be seen"
    check_changes(folder, published)
    again = folder.sync()
    assert (again.content_changed, again.outcome) == (False, "published")


def check_changes(folder: Folder, published: dict[str, Any]) -> None:
    """The versions that the run wrote are those of the preview."""
    versions = """SELECT organization_id, change, count(*) FROM history.waste_water_treatments
        WHERE valid_from > (SELECT min(published_at) FROM sync.runs) GROUP BY ALL"""
    told = [row for row in published["preview"]["changes"] if row["endpoint"] == "waste_water_treatments"]
    by_kind: dict[tuple[str, str], int] = {}
    for row in told:
        by_kind[row["organization_id"], row["change"]] = (
            by_kind.get((row["organization_id"], row["change"]), 0) + row["rows_count"]
        )
    assert by_kind == {(organization, change): count for organization, change, count in folder.query(versions)}
    assert counted(told) == {
        (ROOT, "inside", "new"): 3, (ROOT, "outside", "new"): 1, (ROOT, "inside", "edited"): 1,
        (ROOT, "outside", "recalculated"): 1, (ROOT, "outside", "deleted"): 1, (CHILD, "inside", "settled"): 1,
        (CHILD, "outside", "settled"): 1,
    }  # fmt: skip
    pending = {(row["organization_id"], row["endpoint"], row["period"]): (row["pending_before"], row["pending_after"])
               for row in published["preview"]["pending"]}  # fmt: skip
    assert pending[CHILD, "waste_water_treatments", "inside"] == (3, 2)
    query = "SELECT backfill_from, backfill_to, backfill_reason, backfill_by FROM sync.runs ORDER BY started_at"
    assert folder.query(query) == [(None,) * 4, (*QUARTER, "the auditor asked", "Ana")]
    assert published["backfill_from"] == "2025-01-01"


@pytest.mark.exhaustive
def test_an_organisation_that_fails_leaves_the_rest_published_and_is_named(folder: Folder) -> None:
    go_on(folder.sandbox.world)
    folder.sandbox.behaviour = Behaviour(denied={"f-north": 403})
    folder.backfill("--preview", code=1)
    told = folder.backfill("--yes", code=1)
    assert [(row["facility_id"], row["outcome"]) for row in told["unproven_lists"]] == [("f-north", "forbidden")]
    assert told["preview"]["gaps"]["unproven_lists"] == told["unproven_lists"]
    assert folder.query("SELECT count(*) FROM dcycle.waste_water_treatments WHERE facility_id = 'f-new'") == [(1,)]
    assert folder.query("SELECT count(*) FROM dcycle.waste_water_treatments WHERE facility_id = 'f-north'") == [(4,)]
    folder.sandbox.behaviour = Behaviour(denied={CHILD: 403})
    result = folder.run("backfill", *PERIOD, "--yes")
    assert result.exit_code == 1, result.output
    assert f"Not read: facilities of organisation Water North ({CHILD})" in result.stdout
    assert CHILD in result.stdout.splitlines()[-1]


@pytest.mark.exhaustive
def test_one_facility_is_read_alone_and_what_others_had_stays_proven(folder: Folder) -> None:
    go_on(folder.sandbox.world)
    told = folder.backfill("--facility", "f-old", "--yes")
    assert folder.asked() == {"f-old", "f-new"}, "what was never read is read too"
    assert (told["plan"]["organization_ids"], told["plan"]["kept_count"]) == ([ROOT], 2)
    assert counted([row for row in told["preview"]["changes"] if row["endpoint"] == "waste_water_treatments"]) == {
        (ROOT, "inside", "new"): 2
    }
    assert (told["outcome"], told["lists_proven_count"]) == ("published", 8)
    assert folder.query("SELECT count(*) FROM dcycle.waste_water_treatments WHERE facility_id = 'f-large'") == [(130,)]
    assert folder.backfill("--organization", CHILD, "--yes")["plan"]["organization_ids"] == [CHILD]
    assert folder.asked() == {"f-north"}
    assert folder.sync().content_changed
    assert folder.query("SELECT count(*) FROM dcycle.waste_water_treatments WHERE facility_id = 'f-large'") == [(129,)]


@pytest.mark.exhaustive
def test_a_list_whose_pages_are_gone_is_read_although_nobody_named_it(folder: Folder) -> None:
    (gone,) = (folder.data / "landing").rglob("f-large.ndjson.zst")
    gone.unlink()
    told = folder.backfill("--facility", "f-old", "--yes")
    assert folder.asked() == {"f-old", "f-large"}
    assert (told["plan"]["kept_count"], told["content_changed"]) == (1, False)


@pytest.mark.exhaustive
def test_any_published_moment_can_be_compared_with(folder: Folder) -> None:
    first, (run_id, moment) = folder.file.resolve(), folder.query("SELECT run_id, published_at FROM sync.runs")[0]
    go_on(folder.sandbox.world)
    folder.sync()
    assert folder.backfill("--preview")["preview"]["changes"] == []
    for name in (run_id, first.parent.name, moment.isoformat()[:23]):
        told = folder.backfill("--preview", "--since-snapshot", name)["preview"]
        assert told["since"]["run_id"] == run_id
        check_months(first, folder.file.resolve(), told, QUARTER)
    folder.run("rollback")
    told = folder.backfill("--yes")["preview"]
    assert told["since"]["run_id"] == run_id, "readers see the first again"
    check_months(first, folder.file.resolve(), told, QUARTER)


@pytest.mark.exhaustive
def test_an_empty_folder_can_begin_with_a_backfill(untouched: Folder, tmp_path: Path) -> None:
    new = Folder(untouched.sandbox, tmp_path / "new")
    plan = new.backfill("--dry-run")["plan"]
    assert (len(plan["lists"]), plan["seconds"]) == (4, None)
    told = new.backfill("--yes")
    assert told["preview"]["since"]["run_id"] is None
    assert sum(row["rows_count"] for row in told["preview"]["changes"] if row["change"] == "new") == 142
    assert new.sync().content_changed is False


def test_people_see_tables_and_how_it_ended(folder: Folder) -> None:
    go_on(folder.sandbox.world)
    result = folder.run("backfill", *PERIOD, "--preview")
    assert result.exit_code == 0, result.output
    words = ("5 lists to ask for", "about", "Compared with", "recalculated", "f-new", "Pending rows")
    assert [word for word in words if word not in result.stdout] == []
    assert result.stdout.splitlines()[-1] == "Nothing was published."
    read = [line for line in result.stderr.splitlines() if ", waste_water_treatments: " in line]
    assert {line.partition(" (")[0] for line in read} == {"Holding X", "Water North"}, "those that are read have names"


@pytest.mark.exhaustive
def test_each_gap_is_named_once_in_a_line_and_the_report_is_where_it_says(folder: Folder) -> None:
    folder.sandbox.behaviour = Behaviour(denied={"f-north": 403})
    told = folder.run("backfill", *PERIOD, "--organization", CHILD, "--yes")
    assert told.exit_code == 1, told.output
    where = f"Water North ({CHILD}), waste_water_treatments, facility Nordwerk (f-north): forbidden"
    assert [line for line in told.stdout.splitlines() if "Unproven" in line and where in line] == [
        line for line in told.stdout.splitlines() if "Unproven" in line
    ]
    assert (told.stdout.count("Unproven: "), told.stderr.count(where)) == (1, 1)
    assert f"Report: {folder.data / 'report.html'}" in told.stdout.splitlines()
    assert "1 list to ask for. Known records that overlap it: 3, in 1 list;" in told.stdout
    assert "With gaps: 1 list unproven (" in told.stdout.splitlines()[-1]
    assert re.findall(r"\b1 \w+s\b", told.output) == []


REFUSED = [
    pytest.param(["--from", "2025-02-30", "--to", "2025-03-01"], ["--yes"], "--from is '2025-02-30'", id="no-day"),
    pytest.param(["--from", "2025-03-02", "--to", "2025-03-01"], ["--yes"], "after --to", id="wrong-order"),
    pytest.param(PERIOD, [], "there is no terminal to ask on", id="nobody-there"),
    pytest.param(PERIOD, ["--preview", "--yes"], "cannot go together", id="contradiction"),
    pytest.param(PERIOD, ["--organization", "nobody", "--yes"], "nobody", id="organisation"),
    pytest.param(PERIOD, ["--facility", "nowhere", "--yes"], "Facility nowhere", id="facility"),
    pytest.param(PERIOD, ["--since-snapshot", "1999", "--yes"], "begins with '1999'", id="snapshot"),
]


@pytest.mark.parametrize(("period", "words", "said"), REFUSED)
def test_what_cannot_be_asked_for_is_refused_before_a_record_is_read(
    untouched: Folder, period: list[str], words: list[str], said: str
) -> None:
    untouched.asked()
    published, landed = untouched.file.resolve(), files(untouched.data / "landing")
    result = untouched.run("backfill", *period, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert said in line
    assert "Traceback" not in result.output
    if said.startswith("begins with"):
        assert untouched.sandbox.requests == [], "the folder says it, before anybody is asked"
    assert (untouched.asked(), untouched.file.resolve(), files(untouched.data / "landing")) == (
        set(),
        published,
        landed,
    )


def test_json_leaves_no_room_for_a_question(untouched: Folder) -> None:
    result = untouched.run("backfill", *PERIOD, "--json")
    assert (result.exit_code, json.loads(result.stdout)["exit_code"]) == (2, 2)
    assert "--yes" in json.loads(result.stdout)["error"]


@pytest.mark.exhaustive
def test_status_says_that_a_run_was_a_backfill_of_what_period_why_and_by_whom(folder: Folder) -> None:
    folder.run("backfill", *PERIOD, "--yes", "--reason", "audit of 2025", "--by", "Ana Pérez")
    folder.run("backfill", *PERIOD, "--yes")
    runs = [line.partition(" UTC: ")[2] for line in folder.run("status").stdout.splitlines() if line.startswith("Run ")]
    assert [run.partition(", 142 rows")[0] for run in runs] == [
        "published, backfill 2025-01-01 to 2025-03-31",
        "published, backfill 2025-01-01 to 2025-03-31, audit of 2025, Ana Pérez",
        "published",
    ]
    told = json.loads(folder.run("status", "--json").stdout)["runs"]
    named = [[run[f"backfill_{name}"] for name in ("from", "to", "reason", "by")] for run in told]
    assert named[1:] == [["2025-01-01", "2025-03-31", "audit of 2025", "Ana Pérez"], [None] * 4]
