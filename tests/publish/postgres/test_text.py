"""Whatever a file can hold goes over: nothing that the API can answer stops a publication."""

from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.publish.postgres import send
from dcycle_pipeline.publish.postgres.snapshot import Field
from tests.publish.postgres.cluster import Cluster
from tests.publish.postgres.publications import Publications

NASTY = ("", "NULL", "\\N", "\\.", "a\tb\nc\rd", "'\"\\{},", "ñ€😀\u2028", "\ufffe", "=1+1", "{a,b}", "x" * 9000)


def labels(publications: Publications) -> dict[str, str | None]:
    return dict(publications.query("SELECT waste_water_treatment_id, record_label FROM dcycle.waste_water_treatments"))


def set_labels(publications: Publications, texts: list[str | None]) -> dict[str, str | None]:
    """Give each text to a record."""
    with duckdb.connect(str(publications.file)) as connection:
        ids = [
            row[0]
            for row in connection.execute(
                "SELECT waste_water_treatment_id FROM dcycle.waste_water_treatments ORDER BY 1"
            ).fetchall()
        ]
        for identifier, text in zip(ids, texts, strict=False):
            connection.execute(
                "UPDATE history.waste_water_treatments SET record_label = $1 WHERE waste_water_treatment_id = $2",
                [text, identifier],
            )
    publications.change()
    return dict(zip(ids, texts, strict=False))


@pytest.mark.exhaustive
def test_any_text_number_list_and_moment_goes_over(publications: Publications) -> None:
    wanted = set_labels(publications, [*NASTY, None, "a\0b"])
    drift = ", ".join("'" + text.replace("'", "''") + "'" for text in NASTY)
    publications.change(
        f"UPDATE sync.runs SET drift = [{drift}, NULL, 'a' || chr(0)], started_at = TIMESTAMPTZ '0001-01-01 00:00:00.000001Z'",
        "UPDATE history.waste_water_treatments SET sludge_kg = -9999999999999999999.999999999, start_date = DATE '9999-12-31'",
    )
    publications.send()
    shown = labels(publications)
    assert {name: shown[name] for name in wanted} == {
        name: text and text.replace("\0", "\u2400") for name, text in wanted.items()
    }
    assert publications.query("SELECT drift FROM sync.runs LIMIT 1") == [([*NASTY, None, "a\u2400"],)]
    exact = "SELECT DISTINCT sludge_kg::text, start_date::text FROM dcycle.waste_water_treatments"
    assert publications.query(exact) == [("-9999999999999999999.999999999", "9999-12-31")]
    moment = "SELECT DISTINCT extract(epoch FROM started_at) FROM sync.runs"
    assert [str(row[0]) for row in publications.query(moment)] == ["-62135596799.999999"]


@pytest.mark.exhaustive
def test_a_key_too_long_for_an_index_costs_the_index_only(publications: Publications) -> None:
    publications.send()
    publications.change(
        "UPDATE history.facilities SET cups_codes = [md5(random()::VARCHAR) || repeat(md5(random()::VARCHAR), 900)] WHERE facility_id = 'f-large'"
    )
    publications.send()
    publications.assert_sent()
    key = "SELECT count(*) FROM pg_constraint WHERE conrelid = 'dcycle.facility_cups'::regclass"
    assert publications.query(key) == [(0,)]


@pytest.mark.exhaustive
def test_a_key_that_is_null_weakens_the_key_only(publications: Publications) -> None:
    publications.send()
    publications.change("UPDATE summaries.emissions_by_country_year SET country_code = NULL WHERE country_code = 'FR'")
    publications.send()
    publications.assert_sent()
    publications.change("UPDATE summaries.emissions_by_country_year SET co2e_kg = 7 WHERE country_code IS NULL")
    publications.send()
    publications.assert_sent()


def test_every_declared_type_has_one_in_postgresql() -> None:
    kinds = {column.type for table in all_tables() for column in table.columns}
    names = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
    assert all(Field("x", names.get(kind, kind), "").postgres_type for kind in kinds)
    longest = max(len(name.encode()) for table in all_tables() for name in (f"{table.name}_key", *table.names()))
    assert longest <= 63  # PostgreSQL would cut the rest


# The model: any rows, deleted, changed and added, with nulls in keys, are those of the file after each publication.
texts = st.text(st.characters(blacklist_categories=("Cs",)), max_size=6)
rows = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.sampled_from("xy"), st.none() | texts, st.none() | st.integers(2020, 2022), texts
    ),
    max_size=12,
    unique_by=lambda row: (
        row[0],
        row[1],
        (row[2] or "").replace("\0", "\u2400") if row[2] is not None else None,
        row[3],
    ),
)


@pytest.mark.exhaustive
@pytest.mark.timeout(600)
def test_any_change_of_rows_goes_over(postgres: Cluster, publications: Publications) -> None:
    publications.send()

    @settings(max_examples=25)
    @given(rows)
    def goes_over(found: list[tuple[Any, ...]]) -> None:
        with duckdb.connect(str(publications.file)) as connection:
            connection.execute("DELETE FROM sync.lists")
            for row in found:
                connection.execute(
                    "INSERT INTO sync.lists (run_id, organization_id, facility_id, year, reason, endpoint) VALUES ($1, $2, $3, $4, $5, 'e')",
                    list(row),
                )
        send(publications.delivery())
        there = publications.query("SELECT run_id, organization_id, facility_id, year, reason FROM sync.lists")
        clean = [
            tuple(each.replace("\0", "\u2400") if isinstance(each, str) else each for each in row) for row in found
        ]
        assert sorted(map(repr, there)) == sorted(map(repr, clean))

    goes_over()
