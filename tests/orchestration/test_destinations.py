"""In Dagster, a destination that fails is a failed check of the published file, and neither run nor file waits for it."""

from dataclasses import replace

import pytest

from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.jobs import build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.settings import ScheduleSettings
from dcycle_pipeline.sync.progress import Silent
from tests.orchestration.conftest import Pipeline, checks, metadata

REACHED = ("published_file", "destinations_reached")


def with_parquet(pipeline: Pipeline) -> Pipeline:
    root = pipeline.settings.data_dir.with_name("parquet")
    settings = pipeline.settings.model_copy(update={"destinations": "parquet", "parquet_dir": root})
    definitions = build(Environment(lambda: settings, Silent(), 0), ScheduleSettings())
    return replace(pipeline, settings=settings, definitions=definitions)


@pytest.mark.exhaustive
def test_a_destination_that_fails_fails_a_check_and_not_the_run(pipeline: Pipeline) -> None:
    sending = with_parquet(pipeline)
    root = pipeline.settings.data_dir.with_name("parquet")
    root.write_text("in the way", encoding="utf-8")
    failed = sending.run_all()
    assert failed.success
    assert not checks(failed)[REACHED].passed
    assert not checks(failed)[REACHED].blocking
    assert "is no folder" in (checks(failed)[REACHED].description or "")
    assert metadata(failed, "published_file")[None]["destinations"] == "parquet failed"
    assert metadata(failed, "emissions_report")
    root.unlink()
    again = sending.run(partitions.all_of_them(pipeline.instance), ["published_file"])
    assert checks(again)[REACHED].passed
    assert (root / "latest.json").exists()
    assert sending.query("SELECT destination, outcome FROM sync.destinations") == [("parquet", "failed")]


@pytest.mark.exhaustive
def test_without_destinations_the_check_says_so(synced: Pipeline) -> None:
    result = synced.run(partitions.all_of_them(synced.instance), ["published_file"])
    assert checks(result)[REACHED].passed
    assert "no destination is set" in (checks(result)[REACHED].description or "")
