"""How long one try may take. How many tries there are belongs to `patience`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from dcycle_pipeline.errors import TransientError

# So long an organisation of which nothing is known yet may keep a connection for which others wait. A try often begins before anybody waits.
FIRST_SECONDS = 2.0


class CutShortError(TransientError):
    """No answer within the time that a try gets while others wait. It says little, so it does not count as a try."""


@asynccontextmanager
async def within(seconds: float, where: str, others_wait: Callable[[], bool]) -> AsyncIterator[None]:
    """Let the block take no longer. `where` begins messages.

    Raises TransientError if it does; CutShortError if it takes longer than FIRST_SECONDS and `others_wait` for its connection.
    """
    scope, loop, was_cut = asyncio.timeout(seconds), asyncio.get_running_loop(), False
    handle: asyncio.TimerHandle

    def look() -> None:
        nonlocal handle, was_cut
        if scope.expired():
            return
        if was_cut := others_wait():
            scope.reschedule(loop.time())
        else:
            handle = loop.call_later(FIRST_SECONDS, look)

    handle = loop.call_later(FIRST_SECONDS, look)
    try:
        async with scope:
            yield
    except TimeoutError:
        kind, taken = (CutShortError, FIRST_SECONDS) if was_cut else (TransientError, seconds)
        raise kind(f"{where}: no whole answer within {taken:g} s.") from None
    finally:
        handle.cancel()
