"""Passes over a list once, as its counter says, and compares with what was seen before. What that proves belongs to `few_passes`."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from dcycle_pipeline.api.asking import ask_side_by_side, may_go_on
from dcycle_pipeline.api.fingerprint import PagePrint
from dcycle_pipeline.api.meter import Meter
from dcycle_pipeline.api.paging import PAGES_AT_ONCE
from dcycle_pipeline.api.types import Page, PageSink, Paging, Query, Server, read_counter


@dataclass(frozen=True)
class Answer:
    """One answer: its counters, its print, and the page. `page` is None if it is as it was before; `envelope` is None if all of it is."""

    number: int
    envelope: dict[str, int] | None
    print: PagePrint
    page: Page | None


# Asks for one page by its number. If it is as the print says, the answer has no page.
AskAgain = Callable[[int, PagePrint | None], Awaitable[Answer]]
AskFor = Callable[[Query], AskAgain]


@dataclass
class OnePass:
    """All pages once. `before` are the prints of pages that may come again, all with the counters of the `envelope`; which is then
    that of the first page.
    """

    ask: AskAgain
    paging: Paging
    sink: PageSink
    server: Server
    meter: Meter
    before: list[PagePrint]
    envelope: dict[str, int]
    counter: int | None = None
    answers: list[Answer] = field(default_factory=list)
    asked: int = 0
    rows: int = 0
    used_up: str = ""

    @property
    def statuses(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for answer in self.answers:
            total.update(answer.print.statuses)
        return total

    async def over(self) -> bool:
        """Ask for every page that the counter says to be there. Returns whether it held, and none of them was empty or came twice."""
        first = await self._one(1)
        self.counter = self.counted_on(first)
        self.envelope = first.envelope or self.envelope
        if self.counter is None or not self._take(first):
            return False
        size, number = first.print.rows, 2
        due = -(-self.counter // size) if size else 1
        while number <= due:
            if used_up := self.meter.used_up(self.rows):
                self.used_up = used_up
                return False
            upto = min(due, number + min(PAGES_AT_ONCE, self.meter.pages_left) - 1)
            for answer in await ask_side_by_side(self._one, range(number, upto + 1)):
                if answer is None or not answer.print.rows or self._repeats(answer) or not self._take(answer):
                    return False
            number = upto + 1
        return True

    def counted_on(self, answer: Answer) -> int | None:
        return read_counter(self.envelope if answer.envelope is None else answer.envelope, self.paging.counters)

    async def ends(self) -> bool:
        """Whether nothing is behind the last page, in case the counter is too low."""
        size, number = self.answers[0].print.rows, len(self.answers) + 1
        if not size or not may_go_on(self.paging, self.server, self.envelope, size, self.answers[-1].print.rows):
            return True
        (beyond,) = await ask_side_by_side(self._one, range(number, number + 1))
        if beyond is None:
            return True
        if not beyond.print.rows and self.counted_on(beyond) in (0, None):
            return await self._is_still_last(number - 1)
        has_moved = self.counted_on(beyond) != self.counter
        return not has_moved and (not beyond.print.rows or self._repeats(beyond))

    async def _is_still_last(self, number: int) -> bool:
        """Whether the last page is as it was: a server that counts nothing behind it does not tell if anything moved."""
        self.meter.pages += 1
        self.asked += 1
        (last,) = await ask_side_by_side(lambda number: self.ask(number, None), range(number, number + 1))
        return last is not None and self.counted_on(last) == self.counter and self._repeats(last)

    async def _one(self, number: int) -> Answer:
        self.meter.pages += 1
        self.asked += 1
        return await self.ask(number, self.before[number - 1] if number <= len(self.before) else None)

    def _repeats(self, answer: Answer) -> bool:
        return bool(answer.print.landed) and answer.print.landed == self.answers[-1].print.landed

    def _take(self, answer: Answer) -> bool:
        envelope = answer.envelope or self.envelope
        counter, floor = (read_counter(envelope, names) for names in (self.paging.counters, self.paging.floor))
        if floor is not None and counter is not None and floor > counter:
            self.server.hides_by_default = True
            return False
        if counter != self.counter:
            return False
        self.server.longest_page = max(self.server.longest_page, answer.print.rows)
        self.rows += answer.print.rows
        if answer.page is not None:
            self.sink.keep(answer.page)
            self.meter.landed += len(answer.page.payload)
        self.answers.append(answer)
        return True
