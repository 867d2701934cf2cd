"""What the Dagster UI shows before anything has run, derived from the declarations."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml

from dcycle_pipeline.endpoints import YEAR_TOTALS, declared
from dcycle_pipeline.endpoints.declaration import Endpoint, YearTotal
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.orchestration.jobs import JOB, build
from dcycle_pipeline.orchestration.step import OPEN_RUN, Environment
from dcycle_pipeline.publish import checks
from dcycle_pipeline.schema import Table
from dcycle_pipeline.settings import ScheduleSettings
from dcycle_pipeline.summaries import SCOPE_MAPPING, SUMMARIES
from dcycle_pipeline.summaries.declaration import Summary

CHECKOUT = Path(__file__).parents[2]
PER_ENDPOINT = {checks.EVERY_LIST_PROVEN, checks.COUNTERS_AGREE, checks.KEYS_UNIQUE}

# Loads the definitions with every connection and every file opened for writing noted.
LOADER = """
import json, os, sys
seen = []
def watch(event, details):
    if event in ("socket.connect", "socket.getaddrinfo", "os.mkdir", "os.rename", "os.remove"):
        seen.append([event, str(details)])
    if event == "open" and isinstance(details[2], int) and details[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        if details[0] != os.devnull:
            seen.append([event, str(details)])
sys.addaudithook(watch)
from dcycle_pipeline.definitions import defs
loaded = [key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()]
print(json.dumps({"assets": sorted(loaded), "seen": seen}))
"""


def _no_settings() -> None:
    raise SettingsError("nothing may ask for settings before a step or a schedule runs")


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build(Environment(_no_settings), ScheduleSettings())  # type: ignore[arg-type]


def spec(definitions: dg.Definitions, name: str) -> dg.AssetSpec:
    return definitions.resolve_asset_graph().get(dg.AssetKey(name)).to_asset_spec()


def assert_described(definitions: dg.Definitions, name: str, table: Table) -> None:
    described = spec(definitions, name)
    assert described.description
    assert table.comment in described.description
    assert described.kinds
    assert described.owners
    assert described.group_name == {"dcycle": "dcycle", "summaries": "summaries"}[table.schema]
    columns = described.metadata["dagster/column_schema"].columns
    assert [(c.name, c.type, c.description) for c in columns] == [
        (c.name, c.type, table.comment_of(c)) for c in table.columns
    ]
    assert described.metadata["dagster/table_name"] == table.qualified


def check_names(definitions: dg.Definitions, name: str) -> set[str]:
    graph = definitions.resolve_asset_graph()
    keys = [key for key in graph.asset_check_keys if key.asset_key == dg.AssetKey(name)]
    assert all(graph.get_check_spec(key).blocking for key in keys)
    return {key.name for key in keys}


def test_loading_needs_no_variable_and_has_no_effect(tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("DCYCLE_", "DAGSTER_"))}
    loaded = subprocess.run(
        [sys.executable, "-B", "-W", "error::DeprecationWarning:dcycle_pipeline", "-c", LOADER],
        cwd=tmp_path,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (loaded.returncode, loaded.stderr) == (0, "")
    found = json.loads(loaded.stdout)
    assert found["seen"] == []
    assert {"organizations", "facilities", "waste_water_treatments", "published_file"} <= set(found["assets"])
    assert list(tmp_path.iterdir()) == []


def test_everything_can_be_loaded_together(definitions: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(definitions)


@pytest.mark.parametrize("endpoint", declared(), ids=lambda endpoint: endpoint.name)
def test_each_endpoint_is_an_asset(definitions: dg.Definitions, endpoint: Endpoint) -> None:
    assert_described(definitions, endpoint.name, endpoint.table)
    assert check_names(definitions, endpoint.name) == PER_ENDPOINT
    described = spec(definitions, endpoint.name)
    assert isinstance(described.partitions_def, dg.DynamicPartitionsDefinition)
    assert {dep.asset_key.to_user_string() for dep in described.deps} == {endpoint.parent or ORGANIZATIONS.name}


@pytest.mark.parametrize("endpoint", YEAR_TOTALS, ids=lambda endpoint: endpoint.name)
def test_each_total_is_an_asset_whose_check_blocks_nothing(definitions: dg.Definitions, endpoint: YearTotal) -> None:
    assert_described(definitions, endpoint.name, endpoint.table)
    graph = definitions.resolve_asset_graph()
    keys = [key for key in graph.asset_check_keys if key.asset_key == dg.AssetKey(endpoint.name)]
    assert [(key.name, graph.get_check_spec(key).blocking) for key in keys] == [(checks.EVERY_TOTAL_READ, False)]
    described = spec(definitions, endpoint.name)
    assert isinstance(described.partitions_def, dg.DynamicPartitionsDefinition)
    assert {dep.asset_key.to_user_string() for dep in described.deps} == {"waste_water_treatments"}


@pytest.mark.parametrize("summary", SUMMARIES, ids=lambda summary: summary.name)
def test_each_summary_is_an_asset(definitions: dg.Definitions, summary: Summary) -> None:
    assert_described(definitions, summary.name, summary)
    assert check_names(definitions, summary.name) == set(checks.summary_checks(summary))
    upstream = {
        f"{key.to_user_string()}"
        for key in definitions.resolve_asset_graph().get(dg.AssetKey(summary.name)).parent_keys
    }
    read = {source.split(".")[1] for source in summary.sources if source != SCOPE_MAPPING.qualified}
    read = {"listed_twice" if name == "counted_records" else name for name in read}
    assert upstream == {
        name
        for name in read
        if name not in ("runs", "lists", "quarantine", "doubtful_rows", "excluded_organizations", "pending_records")
    }


def test_organizations_and_the_published_file_are_assets(definitions: dg.Definitions) -> None:
    assert_described(definitions, ORGANIZATIONS.name, ORGANIZATIONS)
    published = spec(definitions, "published_file")
    assert published.description
    assert published.kinds
    assert published.owners
    everything_else = {endpoint.name for endpoint in (*declared(), *YEAR_TOTALS)} | {
        summary.name for summary in SUMMARIES
    }
    assert {dep.asset_key.to_user_string() for dep in published.deps} == everything_else


def test_one_run_shared_by_all_steps_and_repetition_where_it_can_help(definitions: dg.Definitions) -> None:
    nodes = definitions.resolve_job_def(JOB).nodes
    steps_of_their_own = 2  # one makes all summaries, and one says at the end who was left out
    assert (
        len(nodes) == len(definitions.resolve_asset_graph().get_all_asset_keys()) - len(SUMMARIES) + steps_of_their_own
    )
    # The folder's lock alone lets one run write: a pool's slot that another run holds would stop the run that has the lock.
    assert {node.definition.pool for node in nodes} == {None}
    assert all(node.definition.required_resource_keys >= {OPEN_RUN} for node in nodes)
    assert all(node.definition.retry_policy.max_retries > 0 for node in nodes)


def test_the_home_of_the_checkout_sends_nothing() -> None:
    home = (CHECKOUT / ".dagster" / "dagster.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(home)["telemetry"] == {"enabled": False}


def test_the_workspace_points_at_the_definitions() -> None:
    workspace = yaml.safe_load((CHECKOUT / "workspace.yaml").read_text(encoding="utf-8"))
    module = workspace["load_from"][0]["python_module"]
    assert (module["module_name"], module["attribute"]) == ("dcycle_pipeline.definitions", "defs")
    of_dg = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["dg"]["project"]
    assert of_dg["code_location_target_module"] == module["module_name"]
    assert of_dg["code_location_name"] == module["location_name"] == "dcycle_pipeline"


def test_the_schedule_runs_daily_unless_told_otherwise(definitions: dg.Definitions) -> None:
    schedule = definitions.resolve_schedule_def("daily_sync")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 3 * * *", "UTC")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    assert schedule.job_name == JOB
    told = ScheduleSettings(schedule_cron="30 5 * * 1", schedule_timezone="Europe/Madrid")
    other = build(Environment(_no_settings), told).resolve_schedule_def("daily_sync")  # type: ignore[arg-type]
    assert (other.cron_schedule, other.execution_timezone) == ("30 5 * * 1", "Europe/Madrid")
