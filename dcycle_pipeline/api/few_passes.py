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

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from dcycle_pipeline.api.asking import ask_side_by_side, may_go_on
from dcycle_pipeline.api.fingerprint import Fingerprint, PagePrint, digest_of_ids
from dcycle_pipeline.api.meter import Meter
from dcycle_pipeline.api.one_pass import Answer, AskFor, OnePass
from dcycle_pipeline.api.types import PageSink, Paging, Proof, Server, read_counter
from dcycle_pipeline.errors import RejectedError

FIRST = range(1, 2)
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
    first = OnePass(ask_for(()), paging, sink, server, meter, before, last.fingerprint.envelope if last else {})
    try:
        is_whole = await first.over()
    except RejectedError:
        return None  # perhaps without a filter only: whoever reads it pass by pass finds out
    if not is_whole:
        return _given_up(first) if first.used_up else None
    read = _Read(first, last)
    if not read.count == first.rows == first.counter:
        return None
    server.shown.update(first.statuses)
    if len(first.answers) == 1 or read.is_the_last_set:
        missing = _not_accounted_for(paging, first) - server.shown
        is_proven = await first.ends() and (not missing or await _hides_none(ask_for, first, read, missing))
        return read.found(passes=1, pages=first.asked) if is_proven else None
    prints = [answer.print for answer in first.answers]
    second = OnePass(ask_for(paging.filter), paging, _NOWHERE, server, meter, prints, first.envelope)
    if await second.over() and await second.ends() and read.saw_the_same(second, server):
        return read.found(passes=2, pages=first.asked + second.asked)
    return _given_up(second) if second.used_up else None


async def _hides_none(ask_for: AskFor, first: OnePass, read: "_Read", missing: set[str]) -> bool:
    """Whether the API, asked by the filter, says that the list has no row but those that came."""
    filter_, meter = first.paging.filter, first.meter
    meter.pages += 1
    (answer,) = await ask_side_by_side(lambda page: ask_for(filter_)(page, first.answers[0].print), FIRST)
    if answer is None:
        return False
    rows, counter = answer.print.rows, first.counted_on(answer)
    if counter != sum(first.statuses[status] for _, status in filter_) or not read.has_all_of(answer):
        return False
    if counter == rows and not may_go_on(first.paging, first.server, first.envelope, rows, rows):
        return True  # the answer has all of them
    meter.pages += 1
    named = tuple(each for each in filter_ if each[1] in missing)
    (answer,) = await ask_side_by_side(lambda page: ask_for(named)(page, None), FIRST)
    return answer is not None and not answer.print.rows and first.counted_on(answer) == 0


def _given_up(one: OnePass) -> Found:
    proof = Proof(False, one.used_up, one.counter, one.rows, one.rows, 1, one.asked)
    return Found(proof, "", one.envelope, [], set(), is_same=False)


_NOWHERE = PageSink(lambda page: None, lambda: None)


class _Read:
    """What the first pass saw, against the last read."""

    def __init__(self, first: OnePass, last: LastRead | None) -> None:
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

    def saw_the_same(self, second: OnePass, server: Server) -> bool:
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


def _not_accounted_for(paging: Paging, first: OnePass) -> set[str]:
    """The statuses of the filter of which neither a row nor a counter of the list says that none is left out."""
    shown = first.statuses
    missing = {status for _, status in paging.filter} - shown.keys()
    for name, statuses in paging.counted:
        counted = read_counter(first.envelope, (name,))
        if counted is not None and counted <= sum(shown[status] for status in statuses):
            missing -= statuses
    return missing
