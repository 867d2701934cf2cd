"""The Excel workbook holds what the published file holds: dates as dates, numbers with their exact text, no formula from data."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import openpyxl
import pytest
from openpyxl.utils.escape import unescape

from dcycle_pipeline.cli import app
from dcycle_pipeline.export import workbook
from dcycle_pipeline.export.workbook import STAR
from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.sandbox import Behaviour, Sandbox
from tests.cli.conftest import CliRunner, Invoke, invoke, variables
from tests.conftest import FEW, ROOT, Published, only, small_world
from tests.properties.aftermath import said_as_json

__all__ = ["invoke"]

ACTING = (
    '=HYPERLINK("http://example.com","x")',
    "+1+1",
    "-1",
    "@SUM(A1)",
    "http://example.com",
    "a\x07b\ufffe",
    "_x0041_",
)
LONG = "x" * 40_000
OF_BI = (
    "coverage_by_facility_month",
    "organization_names",
    "missing_members",
)  # what the star is made from beside these
LEFT_OUT = "99999999-9999-4999-8999-999999999999"
TABLES = {table.qualified: table for table in all_tables()}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A published file with names that act, a list that is unproven, an organisation left out, and a record of long ago."""
    world = small_world()
    world.add_organization(LEFT_OUT, "Left Out", ROOT)
    file = tmp_path_factory.mktemp("settings") / "organizations.toml"
    file.write_text(f'exclude = ["{LEFT_OUT}"]')
    for number, name in enumerate((*ACTING, LONG)):
        world.add_facility(ROOT, id=f"f-{number}", name=name)
    with only((*FEW, *OF_BI)), Sandbox(world, Behaviour(denied={"f-old": 403})) as sandbox:
        found = variables(sandbox, tmp_path_factory.mktemp("export") / "data")
        found["DCYCLE_ORGANIZATIONS_FILE"] = str(file)
        assert CliRunner().invoke(app, ["sync"], env=found | {"DAGSTER_HOME": ""}).exit_code == 1
        yield found


@pytest.fixture(scope="module")
def published(environment: dict[str, str]) -> Published:
    return Published(Path(environment["DCYCLE_DATA_DIR"]) / "dcycle_warehouse.duckdb")


@pytest.fixture(scope="module")
def book(environment: dict[str, str]) -> openpyxl.Workbook:
    output = Path(environment["DCYCLE_DATA_DIR"]).with_name("report.xlsx")
    result = CliRunner().invoke(app, ["export", str(output)], env=environment)
    assert result.exit_code == 1, result.output
    assert "With gaps: 1 list unproven" in result.output
    return openpyxl.load_workbook(output)


def rows(book: openpyxl.Workbook, sheet: str) -> list[dict[str, Any]]:
    head, *found = book[sheet].iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in found]


def test_every_row_of_the_star_is_there(book: openpyxl.Workbook, published: Published) -> None:
    for sheet, name in STAR.items():
        table = TABLES[name]
        expected = published.query(f"SELECT {', '.join(table.key)} FROM {name} ORDER BY ALL")
        found = [tuple(_day(row[column]) for column in table.key) for row in rows(book, sheet)]
        assert sorted(found) == expected, sheet


def _day(value: Any) -> Any:
    return value.date() if isinstance(value, datetime) else value


def test_kilograms_are_numbers_with_their_exact_text_beside(book: openpyxl.Workbook, published: Published) -> None:
    for sheet, name in STAR.items():
        decimals = [column.name for column in TABLES[name].columns if column.type.startswith("DECIMAL")]
        for column in decimals:
            expected = published.query(f"SELECT {column} FROM {name} ORDER BY {', '.join(TABLES[name].key)}")
            found = [(row[column], row[f"{column} exact"]) for row in rows(book, sheet)]
            assert [exact and Decimal(exact) for _, exact in found] == [value for (value,) in expected]
            assert [number for number, _ in found] == [None if value is None else float(value) for (value,) in expected]
            heads = [cell.value for cell in book[sheet][1]]
            assert heads.index(f"{column} exact") == heads.index(column) + 1


def test_dates_are_dates_and_times_are_in_utc(book: openpyxl.Workbook, published: Published) -> None:
    found = [(row["start_date"], row["created_at"]) for row in rows(book, "records")]
    key = ", ".join(TABLES[STAR["records"]].key)
    for shown, (day, moment) in zip(
        found, published.query(f"SELECT start_date, created_at FROM {STAR['records']} ORDER BY {key}"), strict=True
    ):
        assert shown[0] == datetime(day.year, day.month, day.day)  # noqa: DTZ001
        assert abs((shown[1] - moment.replace(tzinfo=None)).total_seconds()) < 0.001
    cell = next(book["records"].iter_rows(min_row=2, max_row=2))[5]
    assert (cell.is_date, cell.number_format) == (True, "yyyy-mm-dd")
    assert isinstance(found[0][0], date)


def test_no_text_of_others_becomes_a_formula_or_a_link(book: openpyxl.Workbook) -> None:
    for sheet in book:
        for row in sheet.iter_rows():
            assert [cell for cell in row if cell.data_type == "f" or cell.hyperlink] == []
    names = {row["facility_id"]: row["facility"] for row in rows(book, "facilities")}
    assert [names[f"f-{number}"] for number in range(5)] == list(ACTING[:5])
    assert names["f-5"] == "a\\x07b\\ufffe"
    assert unescape(names["f-6"]) == "_x0041_"
    cells = {cell.value: cell for row in book["facilities"].iter_rows() for cell in row}
    assert [cells[name].quotePrefix for name in ACTING[:4]] == [True] * 4


def test_a_text_that_no_cell_takes_is_cut_and_says_so(book: openpyxl.Workbook) -> None:
    (name,) = [row["facility"] for row in rows(book, "facilities") if row["facility_id"] == f"f-{len(ACTING)}"]
    assert len(name) == 32_767
    assert name.endswith("[cut: 40000 characters]")


def test_it_says_how_fresh_it_is_what_is_missing_and_what_each_column_means(
    book: openpyxl.Workbook, published: Published
) -> None:
    about = {row["what"]: row["value"] for row in rows(book, "about")}
    facts = published.query("SELECT run_id, content_hash, lists_unproven_count FROM sync.runs")[0]
    assert (about["run_id"], about["content_hash"], about["lists_unproven_count"]) == facts
    assert isinstance(about["published_at"], datetime)
    assert [row["name"] for row in rows(book, "freshness")] == ["Holding X", "Water North"]
    assert [row["gap"] for row in rows(book, "gaps")] == ["organisation left out", "unproven list"]
    assert "organization Left Out" in rows(book, "gaps")[0]["where"]
    assert "facility_id f-old" in rows(book, "gaps")[1]["where"]
    missing = {row["organization"]: row["missing_member_count"] for row in rows(book, "organizations")}
    assert (missing["Holding X"], missing["Water North"]) == (2, 0)
    assert {row["is_complete"] for row in rows(book, "dates")} == {False}
    told = [(row["sheet"], row["column"], row["meaning"]) for row in rows(book, "dictionary")]
    assert told == [(sheet, each.name, each.meaning) for sheet, name in STAR.items() for each in TABLES[name].columns]


@pytest.mark.exhaustive
def test_the_same_publication_gives_the_same_file(
    environment: dict[str, str], invoke: Invoke, book: openpyxl.Workbook, tmp_path: Path
) -> None:
    said = said_as_json(invoke("export", str(tmp_path / "again.xlsx"), "--json", **environment).stdout)
    assert said["workbook"] == str(tmp_path / "again.xlsx")
    first = Path(environment["DCYCLE_DATA_DIR"]).with_name("report.xlsx")
    assert (tmp_path / "again.xlsx").read_bytes() == first.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.xlsx"]


def test_what_a_sheet_cannot_take_is_refused_and_the_old_file_stays(
    environment: dict[str, str], invoke: Invoke, tmp_path: Path
) -> None:
    output = tmp_path / "report.xlsx"
    output.write_bytes(b"old")
    with patch.object(workbook, "MOST_ROWS", 100):
        result = invoke("export", str(output), **environment)
    assert result.exit_code == 2
    assert "bi.emissions has 144 rows, and a sheet of Excel takes 100" in result.stderr
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("report.xlsx", b"old")]


@pytest.mark.parametrize("name", ["report.csv", "report", "folder.xlsx", "missing/report.xlsx"])
def test_what_cannot_be_written_is_said_in_one_line(
    environment: dict[str, str], invoke: Invoke, tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder.xlsx").mkdir()
    result = invoke("export", str(tmp_path / name), **environment)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.rglob("*")] == ["folder.xlsx"]


def test_without_a_publication_it_says_what_to_do(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("export", "report.xlsx", DCYCLE_DATA_DIR=str(tmp_path / "none"))
    assert result.exit_code == 3
    assert "run `dcycle-pipeline sync`" in result.stderr
