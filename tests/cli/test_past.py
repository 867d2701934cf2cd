"""What was read before: rollback, replay, explain and the acceptance of a large drop, as a user runs them."""

import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from dcycle_pipeline.sandbox import Sandbox
from tests.cli.conftest import Invoke, variables
from tests.conftest import ROOT


def records(folder: Path) -> int:
    with duckdb.connect(str((folder / "dcycle_warehouse.duckdb").resolve()), read_only=True) as connection:
        return int(connection.execute("SELECT count(*) FROM dcycle.waste_water_treatments").fetchall()[0][0])


@pytest.mark.exhaustive
def test_a_large_drop_is_held_named_and_released(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    settings = variables(sandbox, tmp_path / "data")
    assert invoke("sync", **settings).exit_code == 0
    for item in sandbox.world.facility_records("f-large")[:80]:
        sandbox.world.delete_record(item["id"])
    before, asked = records(tmp_path / "data"), len(sandbox.requests)
    held = invoke("sync", **settings)
    assert (held.exit_code, records(tmp_path / "data")) == (1, before)
    assert "80 of 134 waste_water_treatments" in held.output
    assert f"sync --accept-drop {ROOT}" in held.output
    assert not [request for request in sandbox.requests[asked:] if "/detail" in request.path], "none is asked for by id"
    released = invoke("sync", "--accept-drop", ROOT, **settings)
    assert (released.exit_code, records(tmp_path / "data")) == (0, before - 80)
    assert invoke("sync", "--accept-drop", "nobody", **settings).exit_code == 2


@pytest.mark.exhaustive
def test_a_rollback_shows_the_snapshot_before_and_the_next_sync_replaces_it(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    settings, folder = variables(sandbox, tmp_path / "data"), {"DCYCLE_DATA_DIR": str(tmp_path / "data")}
    invoke("sync", **settings)
    first = records(tmp_path / "data")
    assert invoke("rollback", **folder).exit_code == 2, "there is no snapshot before the first"
    none = invoke("rollback", "--list", DCYCLE_DATA_DIR=str(tmp_path / "none"))
    assert (none.exit_code, "No snapshot is kept" in none.stdout) == (0, True)
    sandbox.world.add_record("f-north")
    invoke("sync", **settings)
    told = invoke("rollback", **folder)
    assert (told.exit_code, records(tmp_path / "data")) == (0, first)
    assert "next sync" in told.output
    snapshots = json.loads(invoke("rollback", "--list", "--json", **folder).stdout)["snapshots"]
    assert [snapshot["shown"] for snapshot in snapshots] == [True, False]
    assert invoke("rollback", "nonsense", **folder).exit_code == 2
    assert invoke("rollback", snapshots[1]["run_id"], **folder).exit_code == 0
    assert records(tmp_path / "data") == first + 1
    invoke("rollback", snapshots[0]["name"], **folder)
    assert invoke("sync", **settings).exit_code == 0
    assert records(tmp_path / "data") == first + 1
    with duckdb.connect(str((tmp_path / "data" / "dcycle_warehouse.duckdb").resolve()), read_only=True) as connection:
        outcomes = connection.execute("SELECT outcome FROM sync.runs ORDER BY published_at").fetchall()
        changes = connection.execute(
            "SELECT change, count(*) FROM history.waste_water_treatments GROUP BY ALL"
        ).fetchall()
    assert [row[0] for row in outcomes] == ["published", "published", *["rolled_back"] * 3, "published"]
    assert changes == [("new", first + 1)]


@pytest.mark.exhaustive
def test_a_replay_needs_no_credential(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    invoke("sync", **variables(sandbox, tmp_path / "data"))
    asked = len(sandbox.requests)
    result = invoke("replay", "--json", DCYCLE_DATA_DIR=str(tmp_path / "data"))
    assert result.exit_code == 0
    assert (json.loads(result.stdout)["content_changed"], len(sandbox.requests)) == (False, asked)


@pytest.mark.exhaustive
def test_explain_shows_every_record_its_share_and_its_raw_item(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    record = sandbox.world.add_record(
        "f-empty", start_date="2031-01-17", end_date="2031-02-15", co2e="30.000000003", quantity="7.25"
    )
    invoke("sync", **variables(sandbox, tmp_path / "data"))
    folder = {"DCYCLE_DATA_DIR": str(tmp_path / "data")}
    told = json.loads(invoke("explain", "f-empty", "2031-01", "--json", **folder).stdout)
    (found,) = told["records"]
    assert (told["agrees"], told["co2e_kg"], found["co2e_kg"]) == (True, "15.000000001", "15.000000001")
    assert (found["waste_water_treatment_id"], found["days_in_month"], found["days_in_record"]) == (record, 15, 30)
    assert (found["change"], found["version_number"], found["page"]) == ("new", 1, 1)
    assert json.loads(found["item"], parse_float=Decimal)["co2e"] == Decimal("30.000000003")
    assert (tmp_path / "data" / found["landed_file"]).exists()
    first = told["published_at"]
    sandbox.world.recalculate_record(record, "60")
    invoke("sync", **variables(sandbox, tmp_path / "data"))
    (now,) = json.loads(invoke("explain", "buro", "2031-01", "--json", **folder).stdout)["records"]
    assert (now["co2e_kg"], now["change"], now["version_number"]) == ("30.000000000", "recalculated", 2)
    assert json.loads(now["item"])["co2e"] == 60
    then = invoke("explain", "f-empty", "2031-01", "--as-of", first[:19], **folder)
    assert then.exit_code == 2, "nothing was published up to the second before"
    people = invoke("explain", "f-empty", "2031-02", **folder).stdout
    assert people.startswith("Büro, Holding X (f-empty) in 2031-02\n")
    assert '\n    "co2e": 60,\n' in people
    assert (
        "30.000000003" in invoke("explain", "f-empty", "2031-02", **folder).output or "60" in told["records"][0]["item"]
    )
    nothing = invoke("explain", "f-empty", "1999-01", **folder)
    assert nothing.exit_code == 2
    assert "covers 1999-01" in nothing.stderr
    assert "it has records in 2 months from 2031-01 to 2031-02" in nothing.stderr
    unknown = invoke("explain", "f-emtpy", "2031-01", **folder)
    assert unknown.exit_code == 2
    assert unknown.stderr.startswith("Error: No facility is called 'f-emtpy'")
    assert invoke("explain", "f-empty", "January", **folder).exit_code == 2
