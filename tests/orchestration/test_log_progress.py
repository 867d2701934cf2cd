"""What a run's log in Dagster says of its organisations: one line when one is done, by name, and one warning for one denial."""

import logging
from collections.abc import Iterator
from dataclasses import replace

import dagster as dg
import pytest

from dcycle_pipeline.orchestration.jobs import build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.sandbox import Behaviour
from dcycle_pipeline.settings import ScheduleSettings
from tests.orchestration.conftest import CHILD, ROOT, Pipeline, pipeline_in


@pytest.fixture(scope="module")
def denied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pipeline, dg.ExecuteInProcessResult]]:
    """A run without our progress, while one organisation is forbidden."""
    with pipeline_in(tmp_path_factory.mktemp("denied")) as pipeline:
        pipeline.sandbox.behaviour = Behaviour(denied={CHILD: 403})
        definitions = build(Environment(lambda: pipeline.settings, wait_for_folder_seconds=0), ScheduleSettings())
        yield pipeline, replace(pipeline, definitions=definitions).run_all()


def lines(pipeline: Pipeline, run_id: str, level: int) -> list[str]:
    ours = [entry for entry in pipeline.instance.all_logs(run_id) if entry.dagster_event is None]
    return [entry.user_message for entry in ours if entry.level == level]


@pytest.mark.exhaustive
def test_each_organisation_that_is_done_is_one_line_by_name(denied: tuple[Pipeline, dg.ExecuteInProcessResult]) -> None:
    pipeline, result = denied
    done = [line for line in lines(pipeline, result.run_id, logging.INFO) if ROOT in line]
    assert len(done) == 3, done
    assert all(line.startswith(f"Holding X ({ROOT}), ") for line in done)
    records = len(pipeline.sandbox.world.records(ROOT))
    assert f"Holding X ({ROOT}), waste_water_treatments: {records:,} rows in 3 lists, nothing is missing" in done


@pytest.mark.exhaustive
def test_one_denial_is_one_warning(denied: tuple[Pipeline, dg.ExecuteInProcessResult]) -> None:
    pipeline, result = denied
    (warning,) = [line for line in lines(pipeline, result.run_id, logging.WARNING) if CHILD in line]
    assert "forbidden: " in warning
    assert "facilities: the list: forbidden: " in warning
