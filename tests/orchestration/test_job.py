"""The job over the sandbox: what it materialises, what it tells, and that one partition changes one organisation."""

import re
from base64 import b64decode
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.summaries import SUMMARIES
from tests.conftest import facilities_of, records_of
from tests.orchestration.conftest import CHILD, ROOT, Pipeline, checks, metadata, pipeline_in

WWT = "waste_water_treatments"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pipeline, dg.ExecuteInProcessResult]]:
    """One full sync that several tests look at and none changes."""
    with pipeline_in(tmp_path_factory.mktemp("first")) as pipeline:
        yield pipeline, pipeline.run_all()


def change(pipeline: Pipeline, organization: str) -> None:
    world = pipeline.sandbox.world
    facility = next(name for name in world.facility_ids(organization) if world.facility_records(name))
    world.edit_facility(facility, name="Renamed")
    record = world.facility_records(facility)[0]
    world.edit_record(record["id"], quantity="1.5", co2e="2.5", status="active", linked_projects=["p-new"])
    world.delete_record(world.facility_records(facility)[1]["id"])
    world.add_record(facility)


def test_a_run_materialises_every_asset_and_every_partition(
    first: tuple[Pipeline, dg.ExecuteInProcessResult],
) -> None:
    _, result = first
    assert result.success
    for endpoint in declared():
        assert set(metadata(result, endpoint.name)) == {ROOT, CHILD}
    for name in ("organizations", "published_file", "emissions_report", *(summary.name for summary in SUMMARIES)):
        assert set(metadata(result, name)) == {None}


def test_each_partition_tells_its_own_counts(first: tuple[Pipeline, dg.ExecuteInProcessResult]) -> None:
    pipeline, result = first
    world = pipeline.sandbox.world
    for organization in (ROOT, CHILD):
        facilities = metadata(result, "facilities")[organization]
        records = metadata(result, WWT)[organization]
        assert (facilities["records"], facilities["lists"]) == (len(world.facilities(organization)), 1)
        assert records["records"] == len(world.records(organization))
        assert records["lists"] == len(world.facility_ids(organization))
        for told in (facilities, records):
            assert (told["lists_unproven"], told["quarantined"], told["deleted"]) == (0, 0, 0)
            assert told["step_requests"] > 0
            assert told["step_duration_s"] >= 0


def test_the_summary_tells_its_kilograms(first: tuple[Pipeline, dg.ExecuteInProcessResult]) -> None:
    pipeline, result = first
    told = metadata(result, "emissions_by_facility_month")[None]
    count, sludge = pipeline.query("SELECT count(*), sum(sludge_kg) FROM summaries.emissions_by_facility_month")[0]
    assert told["dagster/row_count"] == count > 0
    assert Decimal(told["sludge_kg"]) == pytest.approx(sludge)


def test_the_published_file_tells_what_sync_runs_says(first: tuple[Pipeline, dg.ExecuteInProcessResult]) -> None:
    pipeline, result = first
    told = metadata(result, "published_file")[None]
    columns = ("content_hash", "outcome", "requests_count", "rows_count", "lists_unproven_count", "quarantined_count")
    (row,) = pipeline.query(f"SELECT {', '.join(columns)} FROM sync.runs WHERE run_id = ?", result.run_id)
    assert tuple(told[name] for name in columns) == row
    assert told["path"] == str(DataFolder(pipeline.settings.data_dir).published)
    assert told["requests_count"] == len(pipeline.sandbox.requests)
    assert told["unproven_lists"] == told["read_earlier"] == "none"


def test_every_declared_check_passes(first: tuple[Pipeline, dg.ExecuteInProcessResult]) -> None:
    pipeline, result = first
    found = checks(result)
    declared_keys = pipeline.definitions.resolve_asset_graph().asset_check_keys
    assert set(found) == {(key.asset_key.to_user_string(), key.name) for key in declared_keys}
    assert all(check.passed and check.description for check in found.values())


def test_no_asset_adds_up_what_does_not_add_up(first: tuple[Pipeline, dg.ExecuteInProcessResult]) -> None:
    _, result = first
    for summary in SUMMARIES:
        told = metadata(result, summary.name)[None]
        assert not {column.name for column in summary.columns if column.additivity == "none"} & set(told)
    assert {"co2e_kg", "dagster/row_count"} <= set(metadata(result, "emissions_by_facility_month")[None])


def test_the_report_is_written_from_what_was_published_and_shows_its_picture(
    first: tuple[Pipeline, dg.ExecuteInProcessResult],
) -> None:
    pipeline, result = first
    told = metadata(result, "emissions_report")[None]
    page = pipeline.settings.data_dir / "report.html"
    assert Path(told["path"]) == page
    assert told["size_bytes"] == page.stat().st_size
    assert told["published_by_run"] == result.run_id in page.read_text(encoding="utf-8")
    assert told["content_hash"] == metadata(result, "published_file")[None]["content_hash"]
    name, data = re.fullmatch(r"!\[(.+)\]\(data:image/png;base64,(.+)\)", told["monthly_emissions"]).groups()  # type: ignore[union-attr]
    assert name == "Monthly emissions by organisation, in tonnes of CO₂e"
    assert b64decode(data, validate=True).startswith(b"\x89PNG")


def test_the_published_file_holds_what_the_api_holds(first: tuple[Pipeline, dg.ExecuteInProcessResult]) -> None:
    pipeline, _ = first
    assert {row[0] for row in pipeline.query("SELECT facility_id FROM dcycle.facilities")} == set(
        facilities_of(pipeline.sandbox.world)
    )
    assert {row[0] for row in pipeline.query("SELECT waste_water_treatment_id FROM dcycle.waste_water_treatments")} == (
        set(records_of(pipeline.sandbox.world))
    )


def test_each_table_tells_how_many_rows_it_has_and_shows_the_first(
    first: tuple[Pipeline, dg.ExecuteInProcessResult],
) -> None:
    pipeline, result = first
    specs = {spec.key.to_user_string(): spec for spec in pipeline.definitions.resolve_all_asset_specs()}
    tables = {
        name: spec.metadata["dagster/table_name"]
        for name, spec in specs.items()
        if "dagster/table_name" in spec.metadata
    }
    assert len(tables) == len(specs) - 2
    for name, table in tables.items():
        ((count,),) = pipeline.query(f"SELECT count(*) FROM {table}")
        told = metadata(result, name)
        for partition, facts in told.items():
            assert facts["dagster/row_count"] == count, name
            own, most = count, 10
            if partition:
                ((own,),) = pipeline.query(f"SELECT count(*) FROM {table} WHERE organization_id = ?", partition)
                most = 3
                assert facts["dagster/partition_row_count"] == own
            records = getattr(facts["preview"], "records", [])
            assert len(records) == min(own, most), name
            assert partition is None or {record.data["organization_id"] for record in records} <= {partition}


def test_the_query_of_each_description_runs_on_the_published_file(
    first: tuple[Pipeline, dg.ExecuteInProcessResult],
) -> None:
    pipeline, _ = first
    for spec in pipeline.definitions.resolve_all_asset_specs():
        _, _, after = (spec.description or "").partition("```sql\n")
        query, end, _ = after.partition("\n```")
        assert end, spec.key
        rows = pipeline.query(query)
        assert len(rows) <= 20, "a query to try shows a few rows"
        if spec.key.to_user_string() in ("organizations", "facilities", WWT, "published_file", "emissions_report"):
            assert rows, spec.key


@pytest.mark.exhaustive
def test_a_partition_of_the_job_changes_that_organisation_alone(synced: Pipeline) -> None:
    before = synced.content()
    change(synced, ROOT)
    change(synced, CHILD)
    synced.sandbox.clear_requests()
    result = synced.run(partitions.only(partitions.key_of(synced.instance, CHILD)))
    assert result.success
    after = synced.content()
    changed = {key for key in before if before[key] != after[key]}
    assert {organization for _, organization in changed} == {CHILD}
    assert {"dcycle.facilities", "dcycle.waste_water_treatments", "summaries.emissions_by_facility_month"} <= {
        table for table, _ in changed
    }
    assert set(metadata(result, "facilities")) == set(metadata(result, WWT)) == {CHILD}
    asked = {request.organization_id for request in synced.sandbox.requests if "/v1/" in request.path}
    assert asked == {CHILD}


@pytest.mark.exhaustive
def test_a_backfill_of_some_assets_then_the_rest_changes_that_organisation_alone(synced: Pipeline) -> None:
    """As the UI does it for a selection of partitioned and unpartitioned assets: a run for each kind."""
    before = synced.content()
    change(synced, ROOT)
    change(synced, CHILD)
    assert synced.run(partitions.only(partitions.key_of(synced.instance, ROOT)), assets=["facilities", WWT]).success
    assert synced.content() == before, "reading alone publishes nothing"
    published = synced.run({}, assets=["emissions_by_facility_month", "published_file"])
    assert published.success
    told = metadata(published, "published_file")[None]["read_earlier"]
    assert re.match(r"6 of 6 lists were read before this run began, the first at 20", told), told
    after = synced.content()
    assert {organization for key in before if before[key] != after[key] for organization in key[1:]} == {ROOT}
