"""In Dagster too, who gives no answer is asked once more after the others are published, and its run says what came of that."""

from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import pytest

from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.orchestration import late, partitions
from dcycle_pipeline.publish.checks import EVERYTHING_READ
from dcycle_pipeline.sandbox import Behaviour, Fault
from dcycle_pipeline.sync import whole
from dcycle_pipeline.sync.publication import Publication
from dcycle_pipeline.sync.run import Run
from tests.conftest import Published, records_of
from tests.orchestration.conftest import CHILD, ROOT, Pipeline, checks, failures, metadata, pipeline_in

SILENT = Behaviour(faults=(Fault("slow", organization_id=CHILD, seconds=60),))
ENDPOINTS = ("facilities", "waste_water_treatments", "total_impacts")
RUNS = "SELECT run_id, completes_run_id FROM sync.runs ORDER BY started_at"


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline_in(tmp_path, late_seconds=1) as pipeline:
        yield pipeline


def run_all(pipeline: Pipeline, meanwhile: Callable[[], None]) -> dg.ExecuteInProcessResult:
    """A run with a silent organisation. `meanwhile` happens once the others are published."""

    def sync_late(run: Run, organization_ids: list[str]) -> Publication | None:
        assert organization_ids == [CHILD]
        meanwhile()
        return whole.sync_late(run, organization_ids)

    pipeline.sandbox.behaviour = SILENT
    with patch.object(late, "sync_late", sync_late):
        return pipeline.run_all()


def test_who_answers_then_is_published_by_the_same_run(patient: Pipeline) -> None:
    seen = []

    def meanwhile() -> None:
        seen.append(patient.query("SELECT DISTINCT organization_id FROM dcycle.waste_water_treatments"))
        patient.sandbox.behaviour = Behaviour()

    result = run_all(patient, meanwhile)
    assert seen == [[(ROOT,)]], "the others were published first"
    assert result.success, failures(result)
    published = Published(patient.settings.data_dir / "dcycle_warehouse.duckdb")
    assert published.records().keys() == records_of(patient.sandbox.world).keys()
    (first, none), (_, completed) = patient.query(RUNS)
    assert (first, none, completed) == (result.run_id, None, result.run_id)
    for name in ENDPOINTS:
        assert set(metadata(result, name)) == {ROOT, CHILD}
        made = patient.instance.get_materialized_partitions(dg.AssetKey(name))
        assert {partitions.organization_of(key) for key in made} == {ROOT, CHILD}
    found = checks(result)
    assert found["published_file", EVERYTHING_READ].passed
    assert all(check.passed for check in found.values()), [key for key, check in found.items() if not check.passed]
    facts = metadata(result, "published_file")[None]
    assert (facts["left_out"], facts["read_earlier"]) == ("nobody", "none")
    (file,), (report,) = (materialized(result, name) for name in ("published_file", "emissions_report"))
    assert file.metadata["outcome"].value == "published"
    assert report.metadata["published_by_run"].value == patient.query(RUNS)[1][0]


def materialized(result: dg.ExecuteInProcessResult, asset: str) -> list[dg.AssetMaterialization]:
    found = [event for event in result.all_events if event.is_step_materialization]
    return [event.materialization for event in found if event.asset_key == dg.AssetKey(asset)]


@pytest.mark.quick(1)
@pytest.mark.parametrize("then", ["silence", "denial"])
def test_who_gives_no_answer_at_all_fails_the_run_and_is_named_once(patient: Pipeline, then: str) -> None:
    def meanwhile() -> None:
        if then == "denial":
            patient.sandbox.behaviour = Behaviour(denied={CHILD: 403})

    result = run_all(patient, meanwhile)
    ((step, said),) = failures(result).items()
    assert step == EVERYTHING_READ
    assert said.startswith(
        f"Left out: Water North: {'access refused (403)' if then == 'denial' else 'could not be read with proof'}"
    ), said
    assert patient.query("SELECT DISTINCT organization_id FROM dcycle.waste_water_treatments") == [(ROOT,)]
    for name in ENDPOINTS:
        assert set(metadata(result, name)) == {ROOT}


@pytest.mark.exhaustive
def test_what_is_merged_and_not_published_then_is_not_told_as_published(patient: Pipeline) -> None:
    with patch.object(whole, "publish", side_effect=UnavailableError("the disk is full.")):
        result = run_all(patient, lambda: setattr(patient.sandbox, "behaviour", Behaviour()))
    assert "Water North" in metadata(result, "published_file")[None]["left_out"]
    assert list(failures(result)) == [EVERYTHING_READ]


@pytest.mark.exhaustive
def test_what_fails_then_leaves_the_first_publication(patient: Pipeline) -> None:
    def meanwhile() -> None:
        patient.sandbox.behaviour = Behaviour(faults=(Fault("401"),))

    result = run_all(patient, meanwhile)
    assert list(failures(result)) == [EVERYTHING_READ]
    assert patient.query("SELECT DISTINCT organization_id FROM dcycle.waste_water_treatments") == [(ROOT,)]
    (said,) = [
        entry.user_message
        for entry in patient.instance.all_logs(result.run_id)
        if "Asking them once more failed" in entry.user_message
    ]
    assert "\n" not in said
