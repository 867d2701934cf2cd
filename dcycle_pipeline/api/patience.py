"""How long one request is tried: the one rule for waiting. What passes by itself belongs to `responses`, who gives up at once to `breaker`."""

import random
from datetime import UTC, datetime, timedelta

from dcycle_pipeline.api.trying import CutShortError
from dcycle_pipeline.errors import TransientError
from dcycle_pipeline.settings import Settings

LONGEST_WAIT_SECONDS = 30.0  # between two tries; a Retry-After may ask for more
MOST_DOUBLINGS = 30  # from a thousandth of a second to two weeks


class Patience:
    """The tries of one request, which began at `now`. Moments are seconds of one clock."""

    def __init__(self, settings: Settings, now: float) -> None:
        self._attempts = settings.retry_attempts
        self._first = settings.retry_first_wait_seconds
        self._tries, self._cut_short = 0, 0
        self.deadline = now + settings.retry_seconds
        waits = (self._own_wait(tries) for tries in range(1, min(self._attempts, MOST_DOUBLINGS)))
        self.longest_seconds = min(settings.retry_seconds, sum(waits))

    def wait_after(self, error: TransientError, now: float) -> float | None:
        """Seconds to wait before the next try: at least our own back-off, at most what is left. None if it was the last try."""
        self._tries += 1
        self._cut_short += isinstance(error, CutShortError)
        left = self.deadline - now
        if self._tries - self._cut_short >= self._attempts or left <= 0:
            return None
        jitter = random.uniform(0, min(1.0, self._first))  # noqa: S311 - so that not all come back at one moment
        return min(max(self._own_wait(self._tries) + jitter, error.retry_after_seconds or 0), left)

    def outlook(self, now: float) -> str:
        """Which try is next or under way, and until when there are more: for people."""
        ends = datetime.now(UTC) + timedelta(seconds=max(self.deadline - now, 0))
        return f"It is try {self._tries - self._cut_short + 1} of {self._attempts}, and none begins after {ends:%H:%M:%S} UTC."

    def _own_wait(self, tries: int) -> float:
        return min(LONGEST_WAIT_SECONDS, self._first * 2.0 ** min(tries - 1, MOST_DOUBLINGS))
