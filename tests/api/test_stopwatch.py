"""How long an organisation is asked: what goes on side by side counts once, a pause before a repetition counts, a queue of ours does not."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcycle_pipeline.api.breaker import Outages
from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.api.stopwatch import Stopwatch
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from tests.api.clock import Clock
from tests.conftest import CHILD, ROOT, settings_for

PATH = "/v1/facilities"


async def ask(api: DcycleApi, organization_id: str, times: int) -> None:
    pages = [(("page", str(page)),) for page in range(1, times + 1)]
    await asyncio.gather(*(api.get(PATH, page, organization_id, f"GET {PATH}") for page in pages))


def test_who_waits_for_a_connection_that_others_have_is_not_asked(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each request takes a second."""
    stopwatch = Stopwatch(lambda: float(len(sandbox.requests)))

    async def live() -> None:
        async with DcycleApi(settings_for(sandbox, tmp_path, max_connections=1), stopwatch=stopwatch) as api:
            await asyncio.gather(ask(api, ROOT, 7), ask(api, CHILD, 3))

    asyncio.run(live())
    assert (stopwatch.seconds(ROOT), stopwatch.seconds(CHILD), stopwatch.seconds("other")) == (7, 3, 0)


@pytest.mark.parametrize("kind", ["503", "429"])
def test_a_pause_before_a_repetition_counts(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    sandbox.behaviour = Behaviour(
        faults=(Fault(kind, organization_id=CHILD, times=2, retry_after="seconds", retry_after_seconds=40),)
    )
    clock = Clock()
    stopwatch = Stopwatch(clock)
    patient = settings_for(sandbox, tmp_path, retry_attempts=8, retry_seconds=180)

    async def live() -> None:
        async with DcycleApi(patient, Outages(clock, clock.sleep), stopwatch) as api:
            await ask(api, CHILD, 1)

    asyncio.run(live())
    assert stopwatch.seconds(CHILD) == pytest.approx(sum(clock.slept))
    assert stopwatch.seconds(CHILD) >= 80


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 10)), max_size=6))
def test_what_goes_on_side_by_side_counts_once(blocks: list[tuple[int, int]]) -> None:
    """Against the seconds counted one by one."""
    now = 0.0
    stopwatch, counted = Stopwatch(lambda: now), set[int]()
    running = {number: stopwatch.running("o") for number in range(len(blocks))}
    for second in range(40):
        now = float(second)
        for number, (start, length) in enumerate(blocks):
            if start == second:
                running[number].__enter__()
            if start + length == second:
                running[number].__exit__(None, None, None)
            if start <= second < start + length:
                counted.add(second)
        assert stopwatch.seconds("o") == len(counted - {second})
    assert stopwatch.seconds("o") == len(counted)
