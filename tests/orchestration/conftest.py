"""The Dagster job in this process, over a sandbox, with an instance that leaves nothing behind."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.jobs import JOB, build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.sandbox import Sandbox
from dcycle_pipeline.settings import ScheduleSettings, Settings
from dcycle_pipeline.sync.progress import Silent
from tests.conftest import CHILD, ROOT, settings_for, small_world

QUIET = {
    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    "execution": {"config": {"retries": {"disabled": {}}}},
}
DATA_TABLES = (
    "dcycle.facilities",
    "dcycle.facility_categories",
    "dcycle.waste_water_treatments",
    "dcycle.waste_water_treatment_projects",
    "summaries.emissions_by_facility_month",
)


@dataclass(frozen=True)
class Pipeline:
    """The definitions over one sandbox and one data folder, and a Dagster instance to run them with."""

    sandbox: Sandbox
    settings: Settings
    instance: dg.DagsterInstance
    definitions: dg.Definitions

    def run(
        self,
        tags: Mapping[str, str],
        assets: list[str] | None = None,
        config: Mapping[str, Any] = QUIET,
        *,
        retries: bool = False,
    ) -> dg.ExecuteInProcessResult:
        return self.definitions.resolve_job_def(JOB).execute_in_process(
            instance=self.instance,
            tags=dict(tags),
            raise_on_error=False,
            run_config={"loggers": QUIET["loggers"]} if retries else dict(config),
            asset_selection=[dg.AssetKey(name) for name in assets] if assets else None,
        )

    def run_all(self, config: Mapping[str, Any] = QUIET) -> dg.ExecuteInProcessResult:
        return self.run({}, config=config)

    def query(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(DataFolder(self.settings.data_dir).published.resolve()), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql, list(parameters)).fetchall()

    def break_working_file(self, statement: str) -> None:
        with duckdb.connect(str(self.settings.data_dir / "working" / "warehouse.duckdb")) as connection:
            connection.execute(statement)

    def content(self) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
        """Every data row as published, by table and organisation."""
        names = [row[0] for row in self.query("SELECT organization_id FROM dcycle.organizations")]
        return {
            (table, name): self.query(f"SELECT * FROM {table} WHERE organization_id = ? ORDER BY ALL", name)
            for table in DATA_TABLES
            for name in names
        }


@contextmanager
def pipeline_in(folder: Path, **settings_of_it: Any) -> Iterator[Pipeline]:
    with (
        Sandbox(small_world()) as sandbox,
        dg.DagsterInstance.ephemeral(str(folder / "dagster")) as instance,
    ):
        settings = settings_for(sandbox, folder / "data", **settings_of_it)
        definitions = build(Environment(lambda: settings, Silent(), 0), ScheduleSettings())
        yield Pipeline(sandbox, settings, instance, definitions)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline_in(tmp_path) as running:
        yield running


@pytest.fixture
def synced(pipeline: Pipeline) -> Pipeline:
    """After one full sync."""
    assert pipeline.run_all().success
    return pipeline


def checks(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
    """Check results by asset and check."""
    results = (event.event_specific_data for event in result.all_events)
    found = [data for data in results if isinstance(data, dg.AssetCheckEvaluation)]
    return {(data.asset_key.to_user_string(), data.check_name): data for data in found}


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str | None, dict[str, Any]]:
    """What each materialisation of an asset says, by the organisation of its partition."""
    found = [event for event in result.all_events if event.is_step_materialization]
    return {
        event.partition and partitions.organization_of(event.partition): {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in found
        if event.asset_key == dg.AssetKey(asset)
    }


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """What each step that failed says, by step."""
    failed = [event for event in result.all_events if event.is_step_failure]
    return {str(e.step_key): e.step_failure_data.user_failure_data.description for e in failed}  # type: ignore[union-attr]


__all__ = ["CHILD", "QUIET", "ROOT", "Pipeline", "checks", "failures", "metadata", "pipeline_in"]
