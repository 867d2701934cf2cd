"""A new account gets its partitions before anything has run, so that somebody can launch its first run."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.jobs import build
from dcycle_pipeline.orchestration.step import Environment
from dcycle_pipeline.sandbox import Sandbox
from dcycle_pipeline.settings import ScheduleSettings, Settings
from tests.conftest import CHILD, ROOT, settings_for


@pytest.fixture(scope="module")
def home() -> Iterator[dg.DagsterInstance]:
    """A sensor reaches its instance by reference only, which one in memory has not."""
    with dg.instance_for_test(set_dagster_home=False) as instance:
        yield instance


def look(instance: dg.DagsterInstance, settings: Settings) -> str:
    sensor = build(Environment(lambda: settings), ScheduleSettings()).resolve_sensor_def("first_partitions")
    with dg.build_sensor_context(instance=instance) as context:
        skipped = sensor(context)
    assert isinstance(skipped, dg.SkipReason)
    return skipped.skip_message or ""


def test_the_first_look_that_the_api_answers_makes_the_partitions_and_no_later_one_asks(
    sandbox: Sandbox, home: dg.DagsterInstance, tmp_path: Path
) -> None:
    settings = settings_for(sandbox, tmp_path / "data")
    with Sandbox(sandbox.world) as gone:
        away = replace_address(settings, gone.base_url)
    assert "Nothing was published" in look(home, away)
    assert partitions.known(home) == []
    assert look(home, settings) == "2 organisations have a partition now: `sync` can be launched."
    assert partitions.known(home) == [ROOT, CHILD]
    assert partitions.key_of(home, CHILD) == f"Water North · {CHILD}"
    sandbox.clear_requests()
    assert "runs keep them in step" in look(home, settings)
    assert sandbox.requests == []
    assert not (tmp_path / "data").exists(), "a look writes nothing"


def test_a_wrong_key_is_told(sandbox: Sandbox, home: dg.DagsterInstance, tmp_path: Path) -> None:
    partitions.keep_in_step(home, [])
    with pytest.raises(dg.Failure) as caught:
        look(home, settings_for(sandbox, tmp_path / "data", api_key="sk_wrong_0123456789"))
    assert "DCYCLE_API_KEY" in (caught.value.description or "")


def replace_address(settings: Settings, base_url: str) -> Settings:
    return settings.model_copy(update={"base_url": base_url})
