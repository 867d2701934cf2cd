"""Who no longer answers is not asked for long: a circuit breaker for the host, and one for each organisation that is throttled.

A breaker opens once several lists in a row were tried with all patience, and nothing was answered meanwhile. While it is open, one
request of each organisation at a time asks once, to see whether that is over; the others wait for what it finds. The first answer
closes it. How long one request is tried belongs to `patience`.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager

from dcycle_pipeline.api.patience import LONGEST_WAIT_SECONDS
from dcycle_pipeline.errors import ContractError, ListError, ThrottledError, TransientError

# One list that always fails must not speak for the host, nor two that do so by chance.
LISTS_NEEDED = 3
PROBE_SECONDS = 5.0  # a host that gave no answer for so long need not answer slowly now
# A probe in vain speaks for ten times as long as it took: at most a tenth of the rest of a run goes into probes.
QUIET_FACTOR = 10

_log = logging.getLogger(__name__)


class OpenError(TransientError):
    """A breaker is open, so the request was not sent."""


class Breaker:
    """Whether `subject` (the host, or the API for an organisation) answers."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.is_open = False
        self.answers_count = 0
        self.reason = ""
        self._given_up: set[Hashable] = set()
        self._was_told = False

    def answered(self) -> None:
        """There was an answer: whatever failed before does not count any more."""
        self.answers_count += 1
        self._given_up.clear()
        if self.is_open:
            self.is_open = self._was_told = False
            _log.warning("%s answers again.", self.subject)

    def tell(self, error: TransientError, seconds: float, outlook: str) -> None:
        """Say the first failure at once, if somebody would have to wait for more news. `outlook` says what comes next."""
        if not self._was_told and seconds >= 1:
            self._was_told = True
            _log.warning("%s Trying again for up to %.0f s. %s", error, seconds, outlook)

    def gave_up(self, a_list: Hashable, answers_before: int, error: TransientError, where: str) -> None:
        """A request was tried with all patience; when it began, `answers_before` had been answered."""
        if answers_before != self.answers_count or self.is_open:
            return
        self._given_up.add(a_list)
        if len(self._given_up) >= LISTS_NEEDED:
            last = str(error).removeprefix(f"{where}: ")
            self.is_open = True
            self.reason = f"{self.subject} gave no answer to {len(self._given_up)} lists in a row, at last: {last}"
            _log.warning("%s All other lists are given up at once until it answers.", self.reason)


class Outages:
    """What the connections of one run know together: the time, and who does not answer.

    `is_hurried`: who is given up is asked again later, so nobody waits long for it. `others_answered`: the API was heard before.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        *,
        is_hurried: bool = False,
        others_answered: bool = False,
    ) -> None:
        self.clock = clock
        self.sleep = sleep
        self.is_hurried = is_hurried
        self.others_answered = others_answered
        self.given_up: dict[str, str] = {}  # organisations that held up the others, and why, see `latecomers`
        self._breakers: dict[str, Breaker] = {}

    def of(self, subject: str) -> Breaker:
        return self._breakers.setdefault(subject, Breaker(subject))


class Gate:
    """The way of the requests of one organisation to the API."""

    def __init__(self, host: Breaker, organization: Breaker, clock: Callable[[], float]) -> None:
        self._host = host
        self._organization = organization
        self._clock = clock
        self._probing = asyncio.Lock()
        self._quiet_until = float("-inf")

    def answers_counts(self) -> tuple[int, int]:
        return self._host.answers_count, self._organization.answers_count

    @asynccontextmanager
    async def passage(self, where: str) -> AsyncIterator[bool]:
        """Let a request pass and see what becomes of it. Gives whether it is a probe, which asks once.

        Raises OpenError instead if a breaker is open and a probe found nothing new.
        """
        is_probe = await self._admit(where)
        began = self._clock()
        try:
            yield is_probe
        except TransientError as error:
            if isinstance(error, ThrottledError):
                self._host.answered()
            if is_probe:
                self._be_quiet((self._clock() - began) * QUIET_FACTOR, error)
            raise
        except ListError as error:
            if not isinstance(error, ContractError):  # which may be ours, before anything was sent
                self._answered()
            raise
        else:
            self._answered()
        finally:
            if is_probe:
                self._probing.release()

    def tell(self, error: TransientError, seconds: float, outlook: str) -> None:
        self._breaker_of(error).tell(error, seconds, outlook)

    def gave_up(self, a_list: Hashable, answers_before: tuple[int, int], error: TransientError, where: str) -> None:
        """A request was tried with all patience; `answers_before` are the counts from when it began."""
        breaker = self._breaker_of(error)
        breaker.gave_up(a_list, answers_before[breaker is self._organization], error, where)
        self._be_quiet(0, error)

    def why_open(self) -> str:
        """Why requests are not sent, or only once; empty if they are."""
        return next((each.reason for each in (self._host, self._organization) if each.is_open), "")

    async def _admit(self, where: str) -> bool:
        if not self.why_open():
            return False
        await self._probing.acquire()
        if (reason := self.why_open()) and self._clock() >= self._quiet_until:
            return True
        self._probing.release()
        if reason:
            raise OpenError(f"{where}: given up, because {reason}")
        return False

    def _answered(self) -> None:
        self._host.answered()
        self._organization.answered()

    def _breaker_of(self, error: TransientError) -> Breaker:
        return self._organization if isinstance(error, ThrottledError) else self._host

    def _be_quiet(self, seconds: float, error: TransientError) -> None:
        until = self._clock() + max(seconds, min(error.retry_after_seconds or 0, LONGEST_WAIT_SECONDS))
        self._quiet_until = max(self._quiet_until, until)
