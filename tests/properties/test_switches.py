"""Each switch of the sandbox alone: the same judgement as for mixtures, and whether the sync may come out clean."""

import shutil
from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from tests.conftest import Published, settings_for, sync
from tests.properties.test_mixtures import Judge, change, cleanly_synced, watched_world

CLEAN = {
    "clamped-echoed": Behaviour(max_size=7),
    "clamped-silently": Behaviour(max_size=7, clamp_echo=False),
    "past-end-repeat": Behaviour(past_end="repeat", max_size=10),
    "past-end-404": Behaviour(past_end="404", max_size=10),
    "past-end-422": Behaviour(past_end="422", max_size=10),
    "ties-shuffled": Behaviour(ties="shuffled"),
    "sort-ignored-and-shuffled": Behaviour(ties="shuffled", ignore_sort=True),
    "active-by-default": Behaviour(only_active_by_default=True),
    "one-item-as-object": Behaviour(items_as_object=True),
    "numbers-as-text": Behaviour(numbers_as_text=True),
    "unknown-fields": Behaviour(extra_fields=True),
    "latency": Behaviour(latency_seconds=0.01),
    "429-with-seconds": Behaviour(faults=(Fault("429", times=1, retry_after="seconds", retry_after_seconds=0),)),
    "429-with-date": Behaviour(
        faults=(Fault("429", times=1, retry_after="date", retry_after_seconds=0, probability=0.1),)
    ),
    "429-without": Behaviour(faults=(Fault("429", times=1, probability=0.3),)),
    "churn-insert": Behaviour(churn=(1, 3, "insert"), churn_limit=4),
    "churn-delete": Behaviour(churn=(2, 3, "delete"), churn_limit=4),
    "churn-recalculate": Behaviour(churn=(3, 2, "recalculate"), churn_limit=6),
}
OPEN = {
    "counter-too-high": Behaviour(counter_offset=3),
    "counter-too-low": Behaviour(counter_offset=-1),
    "counter-missing": Behaviour(missing_counter=True),
    "always-503": Behaviour(faults=(Fault("503", path="/v1/waste-water-treatments"),)),
    "always-429": Behaviour(faults=(Fault("429", facility_id="f-large"),)),
    "some-denied": Behaviour(denied={"f-north": 403, "f-large": 404}),
    "an-organisation-unauthorized": Behaviour(denied={"33333333-3333-4333-8333-333333333333": 401}),
}


@pytest.fixture(scope="module")
def template(few_summaries: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cleanly_synced(tmp_path_factory.mktemp("switches") / "data")


def judged(behaviour: Behaviour, template: Path, folder: Path) -> str:
    """The outcome of a sync under a behaviour, after every row of it was judged."""
    shutil.copytree(template, folder, symlinks=True)
    world = watched_world()
    change(world)
    with Sandbox(world, behaviour) as sandbox:
        after = sync(settings_for(sandbox, folder))
        Judge(world, behaviour, Published(template / "dcycle_warehouse.duckdb"), after).everything()
    return after.outcome


@pytest.mark.quick(2)
@pytest.mark.parametrize("behaviour", CLEAN.values(), ids=CLEAN.keys())
def test_what_can_be_read_completely_is(behaviour: Behaviour, template: Path, tmp_path: Path) -> None:
    assert judged(behaviour, template, tmp_path / "data") == "published"


@pytest.mark.quick(2)
@pytest.mark.parametrize("behaviour", OPEN.values(), ids=OPEN.keys())
def test_what_cannot_is_named_and_keeps_its_rows(behaviour: Behaviour, template: Path, tmp_path: Path) -> None:
    assert judged(behaviour, template, tmp_path / "data") == "published_with_gaps"
