"""Reads a list with as few passes as prove it. What it cannot prove so, is read pass by pass (`hidden_rows`, `paging`).

The list is passed over without its filter, so that no status can hide. Say that the pass saw the set S, with as many ids as the
counter said on every page. S was the list if one of these holds:

- all of it came in one answer;
- the last proven read of the list saw S too. Then each member existed before the first answer of this pass and was seen in it,
  so each existed at that first answer, and the counter said then that there were |S| rows;
- a second pass, now with the filter, sees S again under the same counter. Then each member existed between the two passes, and
  the counter of the first answer of the second pass said that there were |S| rows.

A row that was deleted and put back under the same id, while another one lived only meanwhile, escapes all of this. So does one
behind a counter that is too low, if rows change places before the look behind the last page, or go while the API refuses that look.

What a list shows without its filter is not documented: a server may leave out a status that the filter names. A second pass shows
that. If one pass was enough, each status of the filter must be accounted for: the server showed a row of it without a filter in
this run, in whatever list; or a counter of the list counts no more of it than came. Else the list is asked for page 1 with its
filter. That must count what came, and show nothing else. If it is not the whole list, one request asks for the missing statuses
by name. A row that leaves the missing statuses between the requests escapes only if it goes, takes the place of another one, or gets
a status that the filter does not name.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property

from dcycle_pipeline.api.asking import ask_side_by_side, may_go_on
from dcycle_pipeline.api.fingerprint import Fingerprint, PagePrint, digest_of_ids
from dcycle_pipeline.api.meter import Meter
from dcycle_pipeline.api.paging import PAGES_AT_ONCE
from dcycle_pipeline.api.types import Page, PageSink, Paging, Proof, Query, Server, read_counter
from dcycle_pipeline.errors import RejectedError


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
IdsOfPages = Callable[[set[int]], dict[int, tuple[str, ...]]]


@dataclass(frozen=True)
class LastRead:
    """What the last proven read of a list left: its fingerprint, and the ids of its pages by their numbers."""

    fingerprint: Fingerprint
    ids_of: IdsOfPages


@dataclass(frozen=True)
class Found:
    """A list that is proven, or of which a budget is used up: then only the proof counts, which says so.

    `is_same` says that no page differs from the last read; then nothing went to the sink. Else the pages that differ did.
    `same_pages` are the numbers of the others.
    """

    proof: Proof
    ids: str
    envelope: dict[str, int]
    pages: list[PagePrint]
    same_pages: set[int]
    is_same: bool


async def read_in_few_passes(
    ask_for: AskFor, paging: Paging, sink: PageSink, last: LastRead | None, *, server: Server, meter: Meter
) -> Found | None:
    """Read a list whose filter leaves rows out by their status. None if that proves nothing; then what went to the sink is void.

    `ask_for` takes the part of the query that is the filter. Raises the ListError or TransientError that asking raises.
    """
    if server.needs_filter or server.hides_by_default:
        return None
    before = last.fingerprint.pages if last else []
    first = _Pass(ask_for(()), paging, sink, server, meter, before, last.fingerprint.envelope if last else {})
    try:
        is_whole = await first.over()
    except RejectedError:
        return None  # perhaps without a filter only: whoever reads it pass by pass finds out
    if not is_whole:
        return first.given_up() if first.used_up else None
    read = _Read(first, last)
    if not read.count == first.rows == first.counter:
        return None
    server.shown.update(first.statuses)
    if len(first.answers) == 1 or read.is_the_last_set:
        missing = _not_accounted_for(paging, first) - server.shown
        is_proven = await first.ends() and (not missing or await _hides_none(ask_for, first, read, missing))
        return read.found(passes=1, pages=first.asked) if is_proven else None
    prints = [answer.print for answer in first.answers]
    second = _Pass(ask_for(paging.filter), paging, _NOWHERE, server, meter, prints, first.envelope)
    if await second.over() and await second.ends() and read.saw_the_same(second, server):
        return read.found(passes=2, pages=first.asked + second.asked)
    return second.given_up() if second.used_up else None


async def _hides_none(ask_for: AskFor, first: "_Pass", read: "_Read", missing: set[str]) -> bool:
    """Whether the API, asked by the filter, says that the list has no row but those that came."""
    filter_, meter = first.paging.filter, first.meter
    meter.pages += 1
    answer = await ask_for(filter_)(1, first.answers[0].print)
    rows, counter = answer.print.rows, first.counted_on(answer)
    if counter != sum(first.statuses[status] for _, status in filter_) or not read.has_all_of(answer):
        return False
    if counter == rows and not may_go_on(first.paging, first.server, first.envelope, rows, rows):
        return True  # the answer has all of them
    meter.pages += 1
    answer = await ask_for(tuple(each for each in filter_ if each[1] in missing))(1, None)
    return not answer.print.rows and first.counted_on(answer) == 0


_NOWHERE = PageSink(lambda page: None, lambda: None)


@dataclass
class _Pass:
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

    def given_up(self) -> Found:
        proof = Proof(False, self.used_up, self.counter, self.rows, self.rows, 1, self.asked)
        return Found(proof, "", self.envelope, [], set(), is_same=False)

    async def ends(self) -> bool:
        """Whether nothing is behind the last page, in case the counter is too low."""
        size, number = self.answers[0].print.rows, len(self.answers) + 1
        if not size or not may_go_on(self.paging, self.server, self.envelope, size, self.answers[-1].print.rows):
            return True
        (beyond,) = await ask_side_by_side(self._one, range(number, number + 1))
        if beyond is None:
            return True
        has_moved = self.counted_on(beyond) != self.counter
        return not has_moved and (not beyond.print.rows or self._repeats(beyond))

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


class _Read:
    """What the first pass saw, against the last read."""

    def __init__(self, first: _Pass, last: LastRead | None) -> None:
        self._first = first
        self._last = last
        self.same_pages = {answer.number for answer in first.answers if answer.page is None}
        before = last.fingerprint.pages if last else []
        self.is_same = len(self.same_pages) == len(first.answers) == len(before)
        self._digest = last.fingerprint.ids if last and self.is_same else digest_of_ids(self.ids)
        self.count = last.fingerprint.count if last and self.is_same else len(self.ids)

    @cached_property
    def _by_page(self) -> dict[int, tuple[str, ...]]:
        by_page = {answer.number: answer.page.identities for answer in self._first.answers if answer.page}
        return by_page | self._last.ids_of(self.same_pages) if self._last and self.same_pages else by_page

    @cached_property
    def ids(self) -> set[str]:
        return {identity for page in self._by_page.values() for identity in page}

    def has_all_of(self, answer: Answer) -> bool:
        return answer.page is None or self.ids.issuperset(answer.page.identities)

    def _ids_on(self, answer: Answer) -> tuple[str, ...]:
        """The ids on a page that was asked for again, by its first print."""
        return answer.page.identities if answer.page else self._by_page[answer.number]

    @property
    def is_the_last_set(self) -> bool:
        return self._last is not None and self._digest == self._last.fingerprint.ids

    def saw_the_same(self, second: _Pass, server: Server) -> bool:
        """Whether the second pass saw the ids of the first one."""
        if second.counter != self._first.counter:
            return False
        seen: set[str] = set()
        for answer in second.answers:
            ids = self._ids_on(answer)
            if not self.ids.issuperset(ids) and answer.print.statuses.keys() - server.shown:
                server.hides_by_default = True
            seen.update(ids)
        return seen == self.ids

    def found(self, *, passes: int, pages: int) -> Found:
        proof = Proof(True, "", self._first.counter, self.count, self.count, passes, pages)
        answers = self._first.answers
        prints = [answer.print for answer in answers]
        return Found(proof, self._digest, self._first.envelope, prints, self.same_pages, self.is_same)


def _not_accounted_for(paging: Paging, first: _Pass) -> set[str]:
    """The statuses of the filter of which neither a row nor a counter of the list says that none is left out."""
    shown = first.statuses
    missing = {status for _, status in paging.filter} - shown.keys()
    for name, statuses in paging.counted:
        counted = read_counter(first.envelope, (name,))
        if counted is not None and counted <= sum(shown[status] for status in statuses):
            missing -= statuses
    return missing
