"""The dictionary knows every name in the published file, and says of each what it is."""

import duckdb
import pytest

from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.readers.published_file import open_published
from dcycle_pipeline.report.dictionary import Entry, entries, relations
from dcycle_pipeline.report.examples import EXAMPLES, example_of
from dcycle_pipeline.schema import Column, Table
from tests.report.conftest import Node, Written

COLUMNS = [(table, column) for table in all_tables() for column in table.columns]


@pytest.fixture(scope="module")
def found(report: Written) -> list[Entry]:
    with open_published(report.synced.settings.data_dir) as published:
        return entries(relations(published))


def test_every_name_in_the_file_is_in_the_dictionary(report: Written, found: list[Entry]) -> None:
    in_file = report.synced.query(
        "SELECT schema_name || '.' || table_name, column_name FROM duckdb_columns() WHERE NOT internal"
    )
    assert {(entry.name, column.name) for entry in found for column, *_ in entry.columns} == set(in_file)
    macros = report.synced.query(
        "SELECT schema_name || '.' || function_name FROM duckdb_functions() WHERE NOT internal AND function_type = 'table_macro'"
    )
    assert {entry.name.split("(")[0] for entry in found if not entry.columns} == {name for (name,) in macros}


def test_the_page_shows_all_of_it(page: Node, found: list[Entry]) -> None:
    (section,) = [node for node in page.all("section") if node.attributes["id"] == "dictionary"]
    shown = [
        (entry.all("code")[0].text, [row.all("code")[0].text for row in entry.all("tr")[1:]])
        for entry in section.all("details")
    ]
    assert shown == [(entry.name, [column.name for column, *_ in entry.columns]) for entry in found]


def test_the_file_says_the_same_as_comments(report: Written, found: list[Entry]) -> None:
    comments = dict(
        report.synced.query(
            "SELECT schema_name || '.' || table_name || '.' || column_name, comment FROM duckdb_columns() WHERE NOT internal"
        )
    )
    said = {f"{table.qualified}.{column.name}": table.comment_of(column) for table, column in COLUMNS}
    assert comments == said
    assert all(
        adds_up in said[f"{entry.name}.{column.name}"] for entry in found for column, adds_up, *_ in entry.columns
    )


@pytest.mark.parametrize(
    ("table", "column"), COLUMNS, ids=lambda it: it.qualified if isinstance(it, Table) else it.name
)
def test_every_column_has_meaning_source_and_an_example_of_its_type(table: Table, column: Column) -> None:
    assert column.meaning
    assert column.source
    ((value,),) = duckdb.sql(f"SELECT TRY_CAST($1 AS {column.type})", params=[example_of(table, column)]).fetchall()
    assert value not in (None, "")


def test_no_example_is_left_over() -> None:
    names = {column.name for _, column in COLUMNS if not column.example}
    pairs = {f"{table.name}.{column.name}" for table, column in COLUMNS if not column.example}
    assert set(EXAMPLES) <= names | pairs


def test_the_page_says_sources_in_words_and_the_file_as_requests(found: list[Entry]) -> None:
    columns = {
        f"{entry.name}.{column.name}": (column, source) for entry in found for column, _, source, _ in entry.columns
    }
    said = {name: (column.source, source) for name, (column, source) in columns.items()}
    assert said["dcycle.facilities.name"] == ("GET /v1/facilities: name", "Dcycle, facilities, field name")
    assert said["dcycle.facilities.hub_category"] == (
        "GET /api/v1/facilities (legacy only): hub_category",
        "Dcycle, facilities of the older API, field hub_category",
    )
    assert not [source for _, source in said.values() if "GET" in source or not source]
    assert sum("GET /" in given for given, _ in said.values()) > 100
