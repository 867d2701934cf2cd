"""What the catalogue shows of each declared asset before anything has run: a contract for all of them."""

from pathlib import Path

import pytest

from dcycle_pipeline.orchestration.jobs import build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.settings import ScheduleSettings

DEFINITIONS = build(Environment(lambda: pytest.fail("nothing may ask for settings")), ScheduleSettings())
SPECS = {spec.key.to_user_string(): spec for spec in DEFINITIONS.resolve_all_asset_specs()}
TABLES = {name: spec for name, spec in SPECS.items() if name not in ("published_file", "emissions_report")}


def column_names(asset: str) -> set[str]:
    return {column.name for column in SPECS[asset].metadata["dagster/column_schema"].columns}


def test_every_asset_says_what_it_is_who_owns_it_and_how_to_query_it() -> None:
    assert len(SPECS) == len(DEFINITIONS.resolve_asset_graph().get_all_asset_keys()) > 20
    for name, spec in SPECS.items():
        assert spec.group_name in ("dcycle", "summaries", "publish"), name
        assert spec.kinds, name
        assert spec.owners, name
        assert spec.description, name
        assert spec.description.count("```sql\n") == 1, name


def test_every_asset_links_the_code_of_its_step_and_what_it_is_made_from() -> None:
    for name, spec in SPECS.items():
        linked = spec.metadata["dagster/code_references"].code_references
        places = [Path(reference.file_path) for reference in linked]
        assert any("orchestration" in place.parts for place in places), name
        assert any("orchestration" not in place.parts for place in places), name
        for place, reference in zip(places, linked, strict=True):
            assert 0 < reference.line_number <= len(place.read_text(encoding="utf-8").splitlines()), name


def test_every_summary_links_its_own_query() -> None:
    for name, spec in SPECS.items():
        if spec.group_name == "summaries":
            linked = spec.metadata["dagster/code_references"].code_references
            assert f"{name}.sql" in [Path(reference.file_path).name for reference in linked]


def test_every_table_has_its_key_as_columns_that_are_never_null() -> None:
    for name, spec in TABLES.items():
        keys = [c for c in spec.metadata["dagster/column_schema"].columns if not c.constraints.nullable]
        assert keys, name
        assert all(column.description for column in keys), name


def test_the_lineage_names_columns_that_other_assets_have() -> None:
    for name, spec in TABLES.items():
        lineage = spec.metadata["dagster/column_lineage"].deps_by_column
        assert set(lineage) <= column_names(name)
        for made_from in lineage.values():
            for one in made_from:
                assert one.column_name in column_names(one.asset_key.to_user_string()), (name, one)
                assert one.asset_key.to_user_string() != name


def test_every_summary_of_emissions_can_be_followed_down_to_the_records() -> None:
    def records_of(asset: str) -> set[str]:
        if asset == "waste_water_treatments":
            return {asset}
        below = SPECS[asset].metadata["dagster/column_lineage"].deps_by_column.get("co2e_kg", [])
        return {root for one in below for root in records_of(one.asset_key.to_user_string())}

    emissions = [name for name in TABLES if name.startswith(("emissions_by", "tree_emissions", "wwt_intensity"))]
    assert len(emissions) >= 7
    assert {name: records_of(name) for name in emissions} == {name: {"waste_water_treatments"} for name in emissions}
