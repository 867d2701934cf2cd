"""What notebooks get: frames with ordinary or exact types, from one snapshot, at no cost of import, and help with names."""

import re
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dcycle_pipeline import open_published
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.sandbox import Sandbox, World
from tests.conftest import ROOT, Synced, settings_for, sync
from tests.docs.markdown import CHAPTERS

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


def test_a_table_becomes_a_frame_of_ordinary_types(synced: Synced) -> None:
    with open_published(synced.file) as published:
        months = published.frame("summaries.emissions_by_facility_month", "month = ?", [date(2024, 2, 1)])
        facilities = published.frame("dcycle.facilities")
    types = {name: str(kind) for name, kind in [*months.dtypes.items(), *facilities.dtypes.items()]}
    asked = (
        "facility_id",
        "external_facility_id",
        "month",
        "first_seen_at",
        "co2e_kg",
        "record_count",
        "has_supercharger",
    )
    texts, numbers = ["str", "str", "datetime64[us]", "datetime64[us, UTC]"], ["float64", "int64", "boolean"]
    assert [types[name] for name in asked] == [*texts, *numbers]
    (row,) = months.to_dict("records")
    assert (row["water_in_m3"], row["co2e_kg"], row["month"]) == (float(EXACT), 0.1, datetime(2024, 2, 1))  # noqa: DTZ001


@given(st.lists(st.decimals(-(10**28), 10**28, places=9), min_size=1, max_size=100))
@settings(max_examples=20)
@example([Decimal("0.1"), Decimal("236086.728259580")])
def test_a_float_is_the_nearest_to_the_decimal(synced: Synced, kg: list[Decimal]) -> None:
    with open_published(synced.file) as published:
        found = published.query("SELECT unnest($kg::DECIMAL(38,9)[]) AS kg", {"kg": kg})
    assert found["kg"].tolist() == [float(value) for value in kg]


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT sum(record_count) AS n FROM summaries.emissions_by_facility_month", "int64"),
        ("SELECT 9223372036854775808 AS n", "float64"),
        ("SELECT unnest([3, NULL]) AS n", "Int64"),
        ("SELECT NULL::DECIMAL(38,9) AS n", "float64"),
        ("SELECT year(DATE '2024-02-29')::INTEGER AS n", "int64"),
        ("SELECT true AS n", "bool"),
        ("SELECT NULL::DATE AS n", "datetime64[us]"),
    ],
)
def test_whole_numbers_stay_whole_and_nothing_becomes_an_object(synced: Synced, sql: str, kind: str) -> None:
    with open_published(synced.file) as published:
        assert str(published.query(sql)["n"].dtype) == kind


def test_two_columns_of_one_name_both_stay(synced: Synced) -> None:
    with open_published(synced.file) as published:
        assert published.query("SELECT 1 AS n, 2 AS n").to_numpy().tolist() == [[1, 2]]


def test_an_exact_frame_has_the_dtypes_of_the_file(synced: Synced) -> None:
    with open_published(synced.settings.data_dir, exact=True) as published:
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


@pytest.mark.parametrize(("exact", "kg"), [(True, Decimal("0.1")), (False, 0.1)])
def test_pending_is_missing_and_never_zero(synced: Synced, exact: bool, kg: object) -> None:
    with open_published(synced.file, exact=exact) as published:
        found = published.frame("summaries.emissions_by_facility_month").sort_values("month")
    assert found["co2e_kg"].isna().tolist() == [False, True]
    assert found["co2e_kg"].sum() == kg


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


def test_it_lists_its_tables_with_their_rows(synced: Synced) -> None:
    with open_published(synced.file) as published:
        shown = repr(published)
        published.query("CREATE TEMP TABLE theirs AS SELECT 1 AS n")
        assert repr(published) == shown
        tables = published.tables()["table"]
    assert all(len(line) <= 100 for line in shown.splitlines()[1:])
    assert len(shown.splitlines()) < 25
    found = {}
    for schema, text in re.findall(r"^  (\w+): (.*(?:\n    .*)*)", shown, re.MULTILINE):
        for name, rows in re.findall(r"(\w+)(?:\u00a0\(([\d,]+)\))?(?:,|>|$|\n)", text):
            found[f"{schema}.{name}"] = rows and int(rows.replace(",", ""))
    assert sorted(found) == sorted(tables)
    for table, rows in found.items():
        assert rows == ("" if table.endswith("_as_published") else synced.query(f"SELECT count(*) FROM {table}")[0][0])


def test_once_closed_it_says_so(synced: Synced) -> None:
    published = open_published(synced.file)
    published.close()
    assert str(synced.file) in repr(published)
    assert "closed" in repr(published)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("summaries.emission_by_facility_month", "summaries.emissions_by_facility_month"),
        ("summary.emissions_by_facility_month", "summaries.emissions_by_facility_month"),
        ("dcycle.facilitys", "dcycle.facilities"),
        ("bi.Emission", "bi.emissions"),
        ("emissions_by_country_year", "summaries.emissions_by_country_year"),
    ],
)
def test_a_wrong_name_says_which_is_meant(synced: Synced, wrong: str, meant: str) -> None:
    message = re.escape(f"{synced.file}: there is no table {wrong}. Did you mean {meant}") + r"\b.*\?$"
    with open_published(synced.file) as published:
        for asked in (published.frame, lambda name: published.rows(f"SELECT * FROM {name} AS x")):
            with pytest.raises(UnavailableError, match=message):
                asked(wrong)


def test_a_name_like_no_other_says_where_all_are(synced: Synced) -> None:
    with open_published(synced.file) as published, pytest.raises(UnavailableError, match=r"`tables\(\)` lists all"):
        published.frame("zzz")


def test_a_wrong_column_says_which_there_are(synced: Synced) -> None:
    with open_published(synced.file) as published, pytest.raises(UnavailableError, match='"co2e_kg"'):
        published.frame("dcycle.facilities", "co2e > 1")


def test_the_recipe_in_the_docs_runs(synced: Synced, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DCYCLE_DATA_DIR", str(synced.settings.data_dir))
    names: dict[str, Any] = {}
    ordinary, exact, plot = (block.text for block in CHAPTERS["data"].code("python"))
    exec(ordinary, names)
    assert names["co2e_t"] == pytest.approx(0.0001)
    exec(exact, names)
    assert names["co2e_kg"] == Decimal("0.100000000")
    assert len([line for line in plot.splitlines() if line]) == 3
    exec(plot, names)
    names["chart"].save(tmp_path / "co2e_kg.svg")
    assert "mark-line" in (tmp_path / "co2e_kg.svg").read_text(encoding="utf-8")
    (rows,) = names["chart"].to_dict()["datasets"].values()
    assert {"month": "2024-02-01T00:00:00", "co2e_kg": 0.1} in rows
