"""data_is_fresh goes by proven data time: red when a run proves nothing or nothing runs, green again after a good night."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dcycle_pipeline.orchestration.jobs import build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.sandbox import Behaviour, Sandbox
from dcycle_pipeline.settings import ScheduleSettings, Settings
from dcycle_pipeline.sync.progress import Silent
from tests.conftest import CHILD, settings_for, small_world
from tests.notify.receivers import Webhook, webhook
from tests.orchestration.conftest import Pipeline, checks

__all__ = ["webhook"]

AGE_OF_A_TEST = 0.0000001  # hours: whatever was proven is older


class Place:
    """The definitions over settings that change between two runs."""

    def __init__(self, sandbox: Sandbox, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings = settings
        self.definitions = build(Environment(lambda: self.settings, Silent(), 0), ScheduleSettings())
        self.pipeline = Pipeline(sandbox, settings, instance, self.definitions)

    def run(self) -> dg.AssetCheckEvaluation:
        result = self.pipeline.run_all()
        failed = {event.step_key for event in result.all_events if event.is_step_failure}
        assert failed <= {"everything_read"}, "a check that blocks nothing fails no run"
        return checks(result)["published_file", "data_is_fresh"]

    def look(self, max_age_hours: float) -> list[dg.AssetCheckEvaluation] | str:
        """What the sensor says; why it says nothing."""
        self.settings = self.settings.model_copy(update={"max_age_hours": max_age_hours})
        sensor = self.definitions.resolve_sensor_def("freshness")
        with dg.build_sensor_context(self.pipeline.instance) as context:
            told = sensor.evaluate_tick(context)
        assert told.skip_message, "a tick that starts no run says why, in the log and in the list of ticks"
        return list(told.asset_events) or told.skip_message  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path: Path, webhook: Webhook) -> Iterator[Place]:
    with (
        Sandbox(small_world()) as sandbox,
        dg.DagsterInstance.ephemeral(str(tmp_path / "dagster")) as instance,
    ):
        yield Place(sandbox, settings_for(sandbox, tmp_path / "data", notify=webhook.url), instance)


@pytest.mark.exhaustive
def test_a_run_that_proves_nothing_makes_nothing_fresh(place: Place) -> None:
    assert "Nothing is published" in place.look(26)
    assert place.run().passed
    place.pipeline.sandbox.behaviour = Behaviour(denied={CHILD: 403})
    place.settings = place.settings.model_copy(update={"max_age_hours": AGE_OF_A_TEST})
    stale = place.run()
    assert (stale.passed, stale.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "proven since" in (stale.description or "")
    assert 0 <= float(stale.metadata["age_hours"].value) < 1  # type: ignore[arg-type]
    place.pipeline.sandbox.behaviour = Behaviour()
    place.settings = place.settings.model_copy(update={"max_age_hours": 26})
    assert place.run().passed


@pytest.mark.exhaustive
def test_the_sensor_sees_it_when_nothing_runs_and_notifies_once(place: Place, webhook: Webhook) -> None:
    assert place.run().passed
    for _ in range(2):
        (stale,) = place.look(AGE_OF_A_TEST)
        assert (stale.passed, stale.check_name) == (False, "data_is_fresh")
    assert len(webhook.posted) == 1
    assert "stale" in webhook.posted[0]["text"]
    (fresh,) = place.look(26)
    assert fresh.passed
    assert [said["title"].rpartition(": ")[2] for said in webhook.posted] == ["something is wrong", "all is well again"]
