"""Who answers gets a connection before who does not, and none is lost."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from dcycle_pipeline.api.slots import Slots


async def take(slots: Slots, name: str, served: list[str], *, last: bool) -> None:
    await slots.take(last=last)
    served.append(name)
    await asyncio.sleep(0)
    slots.give_back()


def test_those_to_be_served_last_wait_for_all_others() -> None:
    async def live() -> list[str]:
        slots, served = Slots(1), list[str]()
        names = ("holds", False), ("silent", True), ("answers", False), ("silent too", True), ("answers too", False)
        async with asyncio.TaskGroup() as group:
            for name, last in names:
                group.create_task(take(slots, name, served, last=last))
        return served

    assert asyncio.run(live()) == ["holds", "answers", "answers too", "silent", "silent too"]


@given(st.integers(1, 3), st.lists(st.tuples(st.booleans(), st.booleans()), max_size=8))
def test_nobody_is_lost_and_never_are_too_many_served(count: int, requests: list[tuple[bool, bool]]) -> None:
    """Also if who waits, or who holds one, is cancelled."""

    async def live() -> None:
        slots, at_once, served = Slots(count), [0, 0], 0

        async def one(last: bool) -> None:
            nonlocal served
            await slots.take(last=last)
            at_once[0] += 1
            at_once[1] = max(at_once)
            try:
                await asyncio.sleep(0)
            finally:
                at_once[0] -= 1
                slots.give_back()
            served += 1

        tasks = [asyncio.create_task(one(last)) for last, _ in requests]
        await asyncio.sleep(0)
        for task, (_, is_cancelled) in zip(tasks, requests, strict=True):
            if is_cancelled:
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert at_once[1] <= count
        assert served == sum(result is None for result in results) >= sum(not cancelled for _, cancelled in requests)
        async with asyncio.timeout(1):
            await asyncio.gather(*(one(False) for _ in range(count)))

    asyncio.run(live())
