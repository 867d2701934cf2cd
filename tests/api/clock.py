"""A clock that only the sleeps of the client move, and a little each look at it: waiting is counted, not done."""

import asyncio
from collections.abc import Callable


class Clock:
    def __init__(self, tick: float = 0.0, at_sleep: Callable[[], None] = lambda: None) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._tick = tick
        self._at_sleep = at_sleep

    def __call__(self) -> float:
        self.now += self._tick
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Who sleeps side by side with others does not wait for their sleep too."""
        self._at_sleep()
        self.slept.append(seconds)
        until = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, until)
