"""What notebooks get: frames with exact numbers, dates and times with a zone, from one snapshot, at no cost of import."""

import re
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

import dcycle_pipeline
from dcycle_pipeline import open_published
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.sandbox import Sandbox, World
from tests.conftest import ROOT, Synced, settings_for, sync

CHAPTER = (Path(dcycle_pipeline.__file__).parent / "docs" / "data.md").read_text(encoding="utf-8")
EXACT = "9007199254740993.123456789"


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Synced:
    world = World(ROOT, "Holding")
    world.add_facility(ROOT, id="f-1")
    world.add_record("f-1", id="w-1", start_date="2024-02-29", end_date="2024-02-29", quantity=EXACT, co2e="0.1")
    world.add_record("f-1", id="w-2", start_date="2024-03-01", end_date="2024-03-31", co2e=None)
    with Sandbox(world) as sandbox:
        return sync(settings_for(sandbox, tmp_path_factory.mktemp("notebooks")))


def test_importing_the_package_loads_no_library() -> None:
    program = "import sys, dcycle_pipeline; print([n for n in ('pandas', 'duckdb', 'pyarrow') if n in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"


def test_a_table_becomes_a_frame_with_the_dtypes_of_the_file(synced: Synced) -> None:
    with open_published(synced.settings.data_dir) as published:
        found = published.frame("dcycle.waste_water_treatments", "waste_water_treatment_id = ?", ["w-1"])
    types = {name: found.dtypes[name].pyarrow_dtype for name in found.columns}
    assert types["co2e_kg"] == types["water_in_m3"] == pa.decimal128(28, 9)
    assert types["start_date"] == pa.date32()
    assert types["first_seen_at"] == pa.timestamp("us", tz="UTC")
    (row,) = found.to_dict("records")
    assert (row["water_in_m3"], row["co2e_kg"], row["start_date"]) == (
        Decimal(EXACT),
        Decimal("0.1"),
        date(2024, 2, 29),
    )
    assert row["first_seen_at"].utcoffset() == datetime.now(UTC).utcoffset()


def test_pending_is_missing_and_never_zero(synced: Synced) -> None:
    with open_published(synced.file) as published:
        found = published.frame("summaries.emissions_by_facility_month").sort_values("month")
    assert found["co2e_kg"].isna().tolist() == [False, True]
    assert found["co2e_kg"].sum() == Decimal("0.1")


def test_what_is_open_stays_as_it_was_while_the_next_sync_publishes(tmp_path: Path) -> None:
    world = World(ROOT, "Holding")
    world.add_facility(ROOT, id="f-1")
    with Sandbox(world) as sandbox:
        settings = settings_for(sandbox, tmp_path)
        sync(settings)
        with open_published(tmp_path) as before:
            world.add_facility(ROOT, id="f-2")
            sync(settings)
            assert before.frame("dcycle.facilities")["facility_id"].tolist() == ["f-1"]
        with open_published(tmp_path) as after:
            assert sorted(after.frame("dcycle.facilities")["facility_id"]) == ["f-1", "f-2"]


def test_the_data_folder_of_the_environment_is_the_default(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DCYCLE_DATA_DIR", str(synced.settings.data_dir))
    with open_published() as published:
        assert "dcycle.facilities" in published.tables()["table"].tolist()


@pytest.mark.parametrize("query", ["FROM nowhere", "DELETE FROM dcycle.facilities"])
def test_a_query_that_fails_says_where_and_why(synced: Synced, query: str) -> None:
    with open_published(synced.file) as published, pytest.raises(UnavailableError, match=re.escape(str(synced.file))):
        published.query(query)


def test_nothing_published_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="dcycle-pipeline sync"):
        open_published(tmp_path)


def test_the_example_in_the_docs_runs(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", CHAPTER, re.DOTALL)
    monkeypatch.setenv("DCYCLE_DATA_DIR", str(synced.settings.data_dir))
    names: dict[str, object] = {}
    exec(example, names)
    assert names["co2e_kg"] == Decimal("0.100000000")
