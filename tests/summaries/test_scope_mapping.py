"""The mapping of facilities to scopes: whose file counts, which line of it, and what no line maps."""

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from dcycle_pipeline import summaries
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.summaries import scope_file
from tests.summaries import worlds

HEADER = "organization_id,facility_id,facility_type,scope,category,meaning\n"


def scopes(own: Path | None) -> dict[str, Decimal]:
    """Kilograms by scope, over a plant of an own, an office, and a facility that Dcycle does not list."""
    facility = {"status": "active", "country_code": "ES", "facility_type": "factory", "co2e_kg": None}
    facilities = {("root", "plant"): facility, ("root", "office"): facility | {"facility_type": "office"}}
    item = {"status": "active", "start_date": worlds.date(2025, 1, 1), "days": 31}
    amounts = {"plant": Decimal(100), "office": Decimal(10), "unlisted": Decimal(1)}
    records = [
        item | dict.fromkeys(worlds.MEASURES, amount) | {"place": ("root", name)} for name, amount in amounts.items()
    ]
    with worlds.opened() as connection:
        scope_file.adopt(connection, own)
        worlds.fill(connection, worlds.Account(facilities, records))
        found = worlds.rows(connection, summaries.EMISSIONS_BY_SCOPE_YEAR)
    return {key[1]: row["co2e_kg"] for key, row in found.items()}


def test_own_plants_are_scope_1_others_scope_3_and_the_rest_is_shown(tmp_path: Path) -> None:
    expected = {"scope 1": 100, "scope 3 category 5": 10, "unmapped": 1}
    assert scopes(None) == expected
    assert scopes(tmp_path / "not there.csv") == expected


def test_an_own_file_replaces_the_package_s_and_its_first_fitting_line_counts(tmp_path: Path) -> None:
    own = tmp_path / "scope_mapping.csv"
    own.write_text(HEADER + "root,plant,,3,5,Run by the town\n,,factory,1,,\nchild,,,1,,\n", encoding="utf-8")
    assert scopes(own) == {"scope 3 category 5": 100, "unmapped": 11}
    own.write_text(HEADER + ",,,2,,Everything\nroot,plant,,1,,too late\n", encoding="utf-8")
    assert scopes(own) == {"scope 2": 111}


def test_the_exported_table_is_a_mapping_again(tmp_path: Path) -> None:
    own = tmp_path / "scope_mapping.csv"
    with worlds.opened() as connection:
        scope_file.adopt(connection)
        connection.execute(f"COPY (FROM summaries.scope_mapping ORDER BY line) TO '{own}' (HEADER)")
    assert scope_file.read(own) == scope_file.read()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("organization_id,scope\n", "category, facility_id, facility_type, meaning"),
        (HEADER, "no line"),
        (HEADER + ",,factory,4,,\n", "line 2"),
        (HEADER + ",,factory,1,,\n,,office,one,,\n", "line 3"),
        (HEADER + ",,factory,1,5,\n", "line 2"),
        (HEADER + ",,factory,3,16,\n", "line 2"),
        (HEADER + ',,"factory,1,,\n', "cannot be read"),
    ],
)
def test_what_is_no_mapping_is_named(tmp_path: Path, text: str, named: str) -> None:
    own = tmp_path / "scope_mapping.csv"
    own.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=named):
        scope_file.read(own)


def test_a_mapping_that_did_not_change_touches_nothing() -> None:
    with worlds.opened() as connection:
        assert scope_file.adopt(connection) == len(scope_file.read())
        assert scope_file.adopt(connection) == 0
        with pytest.raises(duckdb.Error):
            connection.execute("FROM scope_file")
