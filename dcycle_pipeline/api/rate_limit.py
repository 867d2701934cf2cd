"""How fast one organisation may be asked: unhindered until the API says 429, then at a rate that adapts.

How many requests may be under way at once belongs to `client`.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiolimiter import AsyncLimiter

# The limit is "per organisation", and no number of it is published (code.dcycle.io/api-reference/introduction). So these are guesses
# that the API corrects: a 429 halves the rate down to the slowest, and about 14 ordinary answers bring it back to the fastest.
FASTEST_PER_SECOND = 100.0
SLOWEST_PER_SECOND = 5.0
RECOVERY = 1.25


class Pace:
    """Gives turns to the requests of one organisation. `clock` and `sleep` count seconds."""

    def __init__(self, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._rate = FASTEST_PER_SECOND
        self._limiter: AsyncLimiter | None = None
        self._paused_until = 0.0
        self._slowed_at = float("-inf")

    async def turn(self, until: float = float("inf")) -> float:
        """Wait for a turn, and for the end of a pause until that moment. Returns the moment at which it came, in seconds of `clock`."""
        while (wait := min(self._paused_until, until) - self._clock()) > 0:
            await self._sleep(wait)
        if self._limiter is not None:
            await self._limiter.acquire()
        return self._clock()

    def throttled(self, asked_at: float, wait_seconds: float) -> None:
        """The request that was sent at `asked_at` was throttled: all pause as long as it, and the rate is halved once for all under way."""
        now = self._clock()
        self._paused_until = max(self._paused_until, now + wait_seconds)
        if asked_at >= self._slowed_at:
            self._slowed_at = now
            self._set(max(SLOWEST_PER_SECOND, self._rate / 2))

    def answered(self) -> None:
        """A request got an ordinary answer: go a little faster again."""
        if self._limiter is not None:
            self._set(self._rate * RECOVERY)

    def _set(self, rate: float) -> None:
        self._rate = min(rate, FASTEST_PER_SECOND)
        self._limiter = None if self._rate >= FASTEST_PER_SECOND else AsyncLimiter(1, 1 / self._rate)
