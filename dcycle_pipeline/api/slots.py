"""The connections that all organisations share: those that answer get them first, those that do not when nobody else wants one.

How many requests of one organisation are under way belongs to `window`; how long it is waited for, to `latecomers`.
"""

import asyncio
from collections import deque


class Slots:
    """So many requests may be under way at once. It is a semaphore with a second queue, which asyncio has not."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._first: deque[asyncio.Future[None]] = deque()
        self._last: deque[asyncio.Future[None]] = deque()

    @property
    def are_wanted(self) -> bool:
        """Whether somebody waits for one who is not to be served last."""
        return any(not turn.done() for turn in self._first)

    async def take(self, *, last: bool) -> None:
        """Wait for one, and hold it until it is given back; if `last`, it is given only while nobody else waits."""
        turn = asyncio.get_running_loop().create_future()
        (self._last if last else self._first).append(turn)
        self._give()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        self._free += 1
        self._give()

    def _give(self) -> None:
        while self._free and (self._first or self._last):
            turn = (self._first or self._last).popleft()
            if not turn.done():  # else who waited for it was cancelled
                self._free -= 1
                turn.set_result(None)
