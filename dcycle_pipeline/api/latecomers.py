"""An organisation that gives no answer does not hold up the others: once only such ones are still asked, they are given up.

How long one request is tried belongs to `patience`; what says that nobody answers, to `breaker`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

from dcycle_pipeline.api.breaker import OpenError, Outages
from dcycle_pipeline.errors import TransientError

LOOKS_A_WAIT = 10  # how often it is looked at: a run ends at most a tenth later than it could
LONGEST_LOOK_SECONDS = 1.0
# In a hurried run those who are silent hold up the others for so long, or for a twentieth of the time that reading took before.
HURRIED_SECONDS, HURRIED_SHARE = 0.5, 0.05
# One that answered before waits so long until it is asked once more, as the settings have it by default. That is no silence.
HURRIED_FIRST_WAIT_SECONDS = 1.0
HURRIED_ANSWERS = 3  # or for as long as three of the slowest answers took: an API that is slow for all is not silent


@dataclass
class _Asked:
    """What is known of one organisation: what is under way, how much of that waits for us, and for how many looks it gave no answer.

    Looks are counted and not seconds, so that a process that had no time to read an answer does not take that for silence.
    """

    silent_looks: int = 0
    was_heard: bool = False
    paused_until: float = float("-inf")
    last_failure: str = ""
    queued: int = 0
    under_way: set[asyncio.Timeout] = field(default_factory=set)

    def look(self, now: float) -> None:
        if self.queued and self.last_failure:
            return  # it waits behind those that answer, because it did not
        self.silent_looks = 0 if self.queued or now < self.paused_until else self.silent_looks + 1


class Latecomers:
    """Who is asked, and who does not answer. `outages` gets the organisations that are given up, each with the reason.

    `late_seconds` is how long they may be silent while all others are done; less if the run is hurried. Use it with `async with`.
    """

    def __init__(self, late_seconds: float, clock: Callable[[], float], outages: Outages) -> None:
        self._late_seconds = late_seconds
        self._outages = outages
        shortest = min(HURRIED_SECONDS, late_seconds) if outages.is_hurried else late_seconds
        self._pause = min(LONGEST_LOOK_SECONDS, shortest / LOOKS_A_WAIT)
        self._clock = clock
        self._began = clock()
        self._asked: dict[str, _Asked] = {}
        self._slowest_looks = 0

    async def __aenter__(self) -> None:
        self._watch = asyncio.create_task(self._look_until_the_end())

    async def __aexit__(self, *_: object) -> None:
        self._watch.cancel()
        with suppress(asyncio.CancelledError):
            await self._watch

    @asynccontextmanager
    async def asking(self, organization_id: str, where: str) -> AsyncIterator[None]:
        """While the block lasts, the organisation is asked for something. `where` begins messages.

        Raises OpenError if the organisation is given up, before or meanwhile.
        """
        self._refuse(organization_id, where)
        asked = self._asked.setdefault(organization_id, _Asked())
        if not asked.under_way:
            asked.silent_looks = 0
        scope = asyncio.timeout(None)
        asked.under_way.add(scope)
        try:
            async with scope:
                yield
        except TimeoutError:
            if scope.expired():
                self._refuse(organization_id, where)
            raise
        finally:
            asked.under_way.discard(scope)

    def _refuse(self, organization_id: str, where: str) -> None:
        if reason := self._outages.given_up.get(organization_id):
            raise OpenError(f"{where}: {reason}")

    @contextmanager
    def queued(self, organization_id: str) -> Iterator[None]:
        """While the block lasts, a request waits for us and not for the organisation."""
        asked = self._asked[organization_id]
        asked.queued += 1
        try:
            yield
        finally:
            asked.queued -= 1

    def failed_last(self, organization_id: str) -> bool:
        """Whether its last request got no answer."""
        return bool(self._asked[organization_id].last_failure)

    def is_known(self, organization_id: str) -> bool:
        """Whether a request of it ended, well or not."""
        return self._asked[organization_id].was_heard or self.failed_last(organization_id)

    def heard(self, organization_id: str) -> None:
        """It answered: with what was asked for, or with a word on it."""
        asked = self._asked[organization_id]
        self._slowest_looks = max(self._slowest_looks, asked.silent_looks)
        asked.silent_looks, asked.was_heard, asked.last_failure = 0, True, ""

    def failed(self, organization_id: str, error: TransientError, wait_seconds: float) -> None:
        """It did not answer as it should, and is asked again after a while. If it answered before, a pause that it asks for is no
        silence; if the run is hurried, only a short one is none.
        """
        asked = self._asked[organization_id]
        asked.last_failure = str(error)
        is_short = wait_seconds <= HURRIED_FIRST_WAIT_SECONDS
        if asked.was_heard and (is_short if self._outages.is_hurried else error.retry_after_seconds):
            asked.paused_until = self._clock() + wait_seconds

    async def _look_until_the_end(self) -> None:
        while True:
            await asyncio.sleep(self._pause)
            self.look()

    def look(self) -> None:
        """Give up those that are asked in vain, if nobody else is asked and somebody else has answered."""
        waiting = {name: asked for name, asked in self._asked.items() if asked.under_way}
        for asked in waiting.values():
            asked.look(self._clock())
        others_answered = self._outages.others_answered or any(
            asked.was_heard for name, asked in self._asked.items() if name not in waiting
        )
        patience = self._patience_seconds()
        if others_answered and all(each.silent_looks * self._pause >= patience for each in waiting.values()):
            for name, asked in waiting.items():
                self._give_up(name, asked)

    def _patience_seconds(self) -> float:
        if not self._outages.is_hurried:
            return self._late_seconds
        share, slowest = (
            (self._clock() - self._began) * HURRIED_SHARE,
            self._slowest_looks * self._pause * HURRIED_ANSWERS,
        )
        return min(self._late_seconds, max(HURRIED_SECONDS, share, slowest))

    def _give_up(self, name: str, asked: _Asked) -> None:
        last = f", at last: {asked.last_failure}" if asked.last_failure else ""
        why = (
            f"because the organisation gave no answer for {asked.silent_looks * self._pause:.0f} s while all others are "
            f"read{last.rstrip('.')}."
        )
        self._outages.given_up[name] = (
            f"put off, {why} It is asked again once the others are published. If it still stands here then, run "
            "`dcycle-pipeline sync --failed`."
            if self._outages.is_hurried
            else f"given up, {why} Run `dcycle-pipeline sync --failed`, or raise DCYCLE_LATE_SECONDS ({self._late_seconds:g})."
        )
        for scope in asked.under_way:
            if not scope.expired():  # one that has not ended yet since the last look cannot be told again
                scope.reschedule(asyncio.get_running_loop().time())
