"""An organisation that gives no answer holds nobody up: the others are published, and it is named with what to do."""

import asyncio
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import pytest

from dcycle_pipeline.api import trying
from dcycle_pipeline.api.breaker import OpenError, Outages
from dcycle_pipeline.api.latecomers import Latecomers
from dcycle_pipeline.errors import TransientError
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox, World
from dcycle_pipeline.sync import merging
from dcycle_pipeline.warehouse import load
from tests.api.clock import Clock
from tests.conftest import CHILD, ROOT, records_of, settings_for, small_world, sync

pytestmark = pytest.mark.usefixtures("few_summaries")
# With the patience of a real run the tests would take as many minutes as organisations give no answer.
PATIENCE: dict[str, Any] = {
    "retry_first_wait_seconds": 0.5,
    "retry_attempts": 8,
    "retry_seconds": 180,
    "request_seconds": 30,
}
SILENT = {
    "hangs": {"kind": "slow", "seconds": 60.0},
    "raves": {"kind": "not_json"},
    "fails": {"kind": "503"},
    "throttles": {"kind": "429", "retry_after": "seconds", "retry_after_seconds": 30},
}


@pytest.mark.quick(2)
@pytest.mark.parametrize("path", ["/v1/facilities", "/v1/waste-water-treatments"])
@pytest.mark.parametrize("how", SILENT)
def test_an_organisation_that_gives_no_answer_is_named_and_the_others_are_published(
    how: str, path: str, tmp_path: Path
) -> None:
    with Sandbox(small_world()) as sandbox:
        where = settings_for(sandbox, tmp_path / "data", **PATIENCE, late_seconds=0.5)
        assert sync(where).outcome == "published"
        sandbox.world.recalculate_record(sandbox.world.facility_records("f-large")[0]["id"], 7)
        sandbox.behaviour = Behaviour(faults=(Fault(organization_id=CHILD, path=path, **SILENT[how]),))
        sandbox.clear_requests()
        again = sync(where)
        in_vain = [seen for seen in sandbox.requests if seen.organization_id == CHILD and seen.fault]
    assert again.outcome == "published_with_gaps"
    assert again.records().keys() == records_of(sandbox.world).keys(), "its last rows stay"
    open_lists = again.query(
        "SELECT organization_id, reason FROM sync.lists WHERE outcome = 'unproven' AND run_id = (SELECT max_by(run_id, started_at) FROM sync.runs)"
    )
    assert {organization for organization, _ in open_lists} == {CHILD}
    assert any("gave no answer for" in reason and "DCYCLE_LATE_SECONDS (0.5)" in reason for _, reason in open_lists)
    assert len(in_vain) <= 3


def test_who_may_be_asked_once_only_is_not_cut_short_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "FIRST_SECONDS", 0.001)
    with Sandbox(many(3), Behaviour(latency_seconds=0.02)) as sandbox:
        once = settings_for(sandbox, tmp_path / "data", max_connections=1, retry_attempts=1, request_seconds=30)
        assert sync(once).outcome == "published"


def many(count: int) -> World:
    world = World(ROOT, "Holding X")
    for number in range(count):
        world.add_organization(organization(number), f"Water {number}", ROOT)
        world.add_records(world.add_facility(organization(number), id=f"f-{number}"), 3)
    return world


def organization(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


@pytest.mark.exhaustive
@pytest.mark.timeout(300)
def test_twenty_of_two_hundred_in_trouble_cost_the_others_nothing(tmp_path: Path) -> None:
    ways = [*SILENT.values(), {"kind": "401"}]
    faults = tuple(Fault(organization_id=organization(number), **ways[number % 5]) for number in range(20))
    counted = Mock(side_effect=load.merge_sweeps)
    with Sandbox(many(200), Behaviour(faults=faults)) as sandbox, patch.object(merging, "merge_sweeps", counted):
        synced = sync(settings_for(sandbox, tmp_path / "data", **PATIENCE, late_seconds=1))
        assert synced.outcome == "published_with_gaps"
        good = {row[0] for row in synced.query("SELECT DISTINCT organization_id FROM dcycle.waste_water_treatments")}
        named = {row[0] for row in synced.query("SELECT DISTINCT organization_id FROM sync.lists WHERE reason <> ''")}
    assert good == {organization(number) for number in range(20, 200)}
    assert named == {organization(number) for number in range(20)}
    assert sum(len(call.args[1]) for call in counted.call_args_list) == 2 * 201, "each is merged once for each endpoint"
    assert counted.call_count < 201, "those that wait are merged together"


def test_one_organisation_alone_is_asked_with_all_patience(tmp_path: Path) -> None:
    with Sandbox(World(ROOT, "Holding X"), Behaviour(faults=(Fault("503", path="/v1/", times=2),))) as sandbox:
        sandbox.world.add_records(sandbox.world.add_facility(ROOT), 2)
        assert (
            sync(settings_for(sandbox, tmp_path / "data", late_seconds=1e-9, retry_attempts=8)).outcome == "published"
        )


async def asked_while(latecomers: Latecomers, name: str, is_queued: bool = False) -> None:
    async with latecomers.asking(name, f"GET /x ({name})"):
        with latecomers.queued(name) if is_queued else nullcontext():
            await asyncio.Event().wait()


@pytest.mark.parametrize("other", ["is read", "is still asked", "waits for us", "was never heard"])
@pytest.mark.parametrize("paused", [False, True])
def test_who_is_given_up(other: str, paused: bool) -> None:
    """Only who is silent for so long, while nobody else is asked and somebody else has answered."""

    async def live() -> str:
        clock = Clock()
        outages = Outages(clock)
        latecomers, given_up = Latecomers(10, clock, outages), outages.given_up
        async with latecomers.asking("other", "GET /x"):
            if other != "was never heard":
                latecomers.heard("other")
        asking = asyncio.create_task(asked_while(latecomers, "late"))
        await asyncio.sleep(0)
        if paused:
            latecomers.heard("late")
            latecomers.failed("late", TransientError("GET /x: 429.", 60), 60)
        for _ in range(9):
            latecomers.look()
        assert not given_up
        busy = asyncio.create_task(asked_while(latecomers, "other", other == "waits for us"))
        if other not in ("is still asked", "waits for us"):
            busy.cancel()
        await asyncio.sleep(0)
        for _ in range(2):
            latecomers.look()
        await asyncio.sleep(0)
        busy.cancel()
        if not given_up:
            asking.cancel()
        outcome, _ = await asyncio.gather(asking, busy, return_exceptions=True)
        if given_up:
            with pytest.raises(OpenError):
                async with latecomers.asking("late", "GET /y"):
                    pass
        return "given up" if isinstance(outcome, OpenError) else "waits"

    assert asyncio.run(live()) == ("given up" if other == "is read" and not paused else "waits")


def test_who_takes_long_to_end_is_given_up_once() -> None:
    """Closing a connection may last until the next look, which is no reason to fail."""

    async def live() -> object:
        latecomers, closed = Latecomers(10, Clock(), Outages(others_answered=True)), asyncio.Event()

        async def ask() -> None:
            async with latecomers.asking("late", "GET /x"):
                try:
                    await asyncio.Event().wait()
                finally:
                    await closed.wait()

        asking = asyncio.create_task(ask())
        for _ in range(30):
            latecomers.look()
            await asyncio.sleep(0)
        closed.set()
        return (await asyncio.gather(asking, return_exceptions=True))[0]

    assert isinstance(asyncio.run(live()), OpenError)


def test_a_try_that_took_too_long_was_not_cut_short_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trying, "FIRST_SECONDS", 0.02)

    async def live() -> None:
        loop, closed = asyncio.get_running_loop(), asyncio.Event()
        loop.set_exception_handler(lambda _, context: pytest.fail(str(context)))
        async with trying.within(0.01, "GET /x", lambda: True):
            try:
                await asyncio.Event().wait()
            finally:
                loop.call_later(0.05, closed.set)
                await closed.wait()

    with pytest.raises(TransientError, match=r"within 0\.01 s") as raised:
        asyncio.run(live())
    assert not isinstance(raised.value, trying.CutShortError)


def test_a_hurried_run_waits_as_long_as_answers_take() -> None:
    async def live() -> list[bool]:
        outages = Outages(Clock(), is_hurried=True)
        latecomers, found = Latecomers(30, outages.clock, outages), list[bool]()
        other = asyncio.create_task(asked_while(latecomers, "other"))
        await asyncio.sleep(0)
        for _ in range(15):
            latecomers.look()
        latecomers.heard("other")
        other.cancel()
        late = asyncio.create_task(asked_while(latecomers, "late"))
        await asyncio.sleep(0)
        for looks in (44, 1):
            for _ in range(looks):
                latecomers.look()
            found.append("late" in outages.given_up)
        await asyncio.gather(other, late, return_exceptions=True)
        return found

    assert asyncio.run(live()) == [False, True], "three times as long as the slowest answer took"


@pytest.mark.parametrize(("was_heard", "wait_seconds"), [(True, 0.9), (True, 30.0), (False, 0.9)])
def test_a_hurried_run_lets_who_answered_before_repeat_a_request_once(was_heard: bool, wait_seconds: float) -> None:
    async def live() -> list[bool]:
        clock = Clock()
        outages = Outages(clock, is_hurried=True, others_answered=True)
        latecomers, found = Latecomers(30, clock, outages), list[bool]()
        late = asyncio.create_task(asked_while(latecomers, "late"))
        await asyncio.sleep(0)
        if was_heard:
            latecomers.heard("late")
        latecomers.failed("late", TransientError("GET /x: 503."), wait_seconds)
        for now in (0.5, 1.5):
            clock.now = now
            for _ in range(10):
                latecomers.look()
            found.append("late" in outages.given_up)
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        return found

    assert asyncio.run(live()) == [not (was_heard and wait_seconds < 1), True]
