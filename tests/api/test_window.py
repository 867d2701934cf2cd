"""An organisation holds few connections until it answers, soon as many as there are, and fewer again if it fails."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcycle_pipeline.api.window import Window
from dcycle_pipeline.errors import NotFoundError, ThrottledError, TransientError

MOST = 8
ENDS: dict[str, type[Exception] | None] = {
    "answered": None, "said no": NotFoundError, "failed": TransientError, "throttled": ThrottledError, "cancelled": asyncio.CancelledError,
}  # fmt: skip


async def one(window: Window, end: str) -> None:
    with suppress(*filter(None, ENDS.values())):
        async with window:
            if error := ENDS[end]:
                raise error("x")


async def let_in(window: Window) -> int:
    """How many get in at once."""
    inside = 0
    enough = asyncio.Event()

    async def stay() -> None:
        nonlocal inside
        with suppress(asyncio.CancelledError):
            async with window:
                inside += 1
                await enough.wait()
                raise asyncio.CancelledError

    tasks = [asyncio.create_task(stay()) for _ in range(MOST + 2)]
    for _ in range(3):
        await asyncio.sleep(0)
    found = inside
    enough.set()
    await asyncio.gather(*tasks)
    return found


@given(st.lists(st.sampled_from(list(ENDS)), max_size=20))
def test_the_window_follows_the_answers(ends: list[str]) -> None:
    async def live() -> None:
        window, size = Window(MOST), 1
        for end in ends:
            await one(window, end)
            if end in ("answered", "said no"):
                size = min(MOST, size + 1)
            elif end == "failed":
                size = max(1, size // 2)
            assert await let_in(window) == size

    asyncio.run(live())


@pytest.mark.parametrize("end", ENDS)
def test_those_that_are_in_when_it_shrinks_give_no_turn_back_too_much(end: str) -> None:
    async def live() -> None:
        window = Window(MOST)
        for _ in range(MOST):
            await one(window, "answered")
        leave = asyncio.Event()

        async def stay() -> None:
            with suppress(TransientError):
                async with window:
                    await leave.wait()
                    raise TransientError("x")

        inside = [asyncio.create_task(stay()) for _ in range(MOST)]
        await asyncio.sleep(0)
        leave.set()
        await asyncio.gather(*inside)
        assert await let_in(window) == 1
        await one(window, end)
        assert await let_in(window) == 1 + (end in ("answered", "said no"))

    asyncio.run(live())
