"""Reads a list together with the rows that hide behind its filter: those of a status that nobody asks for.

What a list shows without the filter is not documented. If that is less, it proves nothing; if it is a row that the filter
leaves out, the row lands too. The filtered pages before and after that look must show the same rows, so one that goes from what only
the look shows to what only the filter shows is met after it. How passes prove a list belongs to `paging`.
"""

from dataclasses import dataclass, field, replace

import msgspec

from dcycle_pipeline.api.meter import Limits, Meter
from dcycle_pipeline.api.paging import Read
from dcycle_pipeline.api.types import Ask, Page, PageSink, Paging, Proof, Query, Server
from dcycle_pipeline.errors import ListError, NotFoundError, RejectedError

ATTEMPTS_AT_MOST = 4  # a list that changes between its filtered and its unfiltered pages is read again

_items = msgspec.json.Decoder(list[msgspec.Raw])
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


async def read_with_hidden_rows(
    ask: Ask,
    ask_unfiltered: Ask,
    paging: Paging,
    sink: PageSink,
    *,
    server: Server | None = None,
    meter: Meter | None = None,
) -> Proof:
    """Read a list until it is proven, and look once at what it shows without its filter. Returns the proof of both.

    `ask_unfiltered` asks by `paging.unfiltered`. Otherwise as `paging.read_list`.
    """
    both = _Both(ask, ask_unfiltered, paging, sink, server or Server(), meter or Meter(Limits()))
    for _ in range(ATTEMPTS_AT_MOST):
        proof = await both.attempt()
        if proof.proven or not both.again:
            return proof
        sink.restart()
    return replace(proof, reason=f"the list changed during each of {ATTEMPTS_AT_MOST} attempts")


@dataclass
class _Both:
    ask: Ask
    ask_unfiltered: Ask
    paging: Paging
    sink: PageSink
    server: Server
    meter: Meter
    leaves_others_out: bool = False
    again: bool = False  # whether another attempt may help

    async def attempt(self) -> Proof:
        """One read and one look. `again` then says whether the list changed between them, or counts only some statuses."""
        ask = self._ask_counted if self.leaves_others_out else self.ask
        listed = Read(ask, self.paging, self.sink, self.server, self.meter)
        if (gave_up := await listed.until_complete()) is not None:
            self.again = bool(self.paging.statuses) and not self.leaves_others_out
            self.leaves_others_out = True
            return gave_up
        restarts = listed.restarts
        look = _Look(self.ask_unfiltered, self.paging, self.sink, listed.known, self.server, self.meter)
        doubt = await look.at(listed)
        proof = await listed.to_the_end()
        self.again = listed.restarts != restarts or (look.is_stale and not doubt)
        if self.again or not proof.proven:
            return replace(proof, proven=False)
        more = len(look.hidden)
        if self.leaves_others_out:
            more += await self._land_others(look.hidden)
            doubt = doubt or self.meter.used_up(0)
        return Proof(
            not doubt,
            doubt,
            (proof.counter or 0) + more,
            proof.rows + more,
            proof.distinct + more,
            proof.passes + look.passes,
            proof.pages + look.pages,
        )

    async def _ask_counted(self, variant: Query, number: int) -> Page:
        """A page as its counter counts it: without the rows of other statuses."""
        page = await self.ask(variant, number)
        return _with_rows(page, {id_: raw for id_, raw in _rows(page).items() if _status(raw) in self.paging.statuses})

    async def _land_others(self, landed: set[str]) -> int:
        """Land the rows of statuses that no counter counts, until a page shows nothing new. Returns how many."""
        number, seen, count = 1, set[str](), 0
        while not self.meter.used_up(len(seen)):
            self.meter.pages += 1
            try:
                page = await self.ask(self.paging.variants[0], number)
            except (NotFoundError, RejectedError):
                break  # some servers answer so past the last page
            if seen.issuperset(page.identities):
                break
            others = {id_: raw for id_, raw in _rows(page).items() if _status(raw) not in self.paging.statuses}
            if new := {id_: raw for id_, raw in others.items() if id_ not in seen | landed}:
                self.sink.keep(_with_rows(page, new))
                self.meter.landed += len(page.payload)
            seen.update(page.identities)
            number, count = number + 1, count + len(new)
        return count


@dataclass
class _Look:
    """What a list shows without its filter. Rows that are not in `known` are `hidden`; they go to the sink, each once."""

    ask: Ask
    paging: Paging
    sink: PageSink
    known: set[str]
    server: Server
    meter: Meter
    hidden: set[str] = field(default_factory=set)
    is_stale: bool = False  # a row that was hidden may be no more
    passes: int = 0
    pages: int = 0

    async def at(self, listed: Read) -> str:
        """Look while `listed` is complete. Returns why rows may be hidden that this does not show; empty if there is no reason."""
        if self.paging.unfiltered is None:
            return ""
        sink = PageSink(self._keep, self._again)
        read = Read(self.ask, self.paging.unfiltered, sink, self.server, self.meter, looks_beyond=False)
        try:
            gave_up = await read.until_complete()
            if self.hidden:
                gave_up = await read.to_the_end()
        except ListError as error:
            elsewhere = self.paging.unfiltered.path != self.paging.path
            if self.hidden or not (elsewhere or isinstance(error, RejectedError)):
                raise
            self.server.needs_filter = True
            return ""
        listed.on_one_page = False  # what lies on both sides of the look must be the same
        self.passes, self.pages = read.passes, read.pages
        return self._doubt(gave_up, listed) if gave_up is not None and not gave_up.proven else ""

    def _doubt(self, gave_up: Proof, listed: Read) -> str:
        if used_up := self.meter.used_up(gave_up.distinct):
            return used_up
        more = gave_up.counter is not None and gave_up.counter > len(listed.known) and not self.paging.statuses
        return f"without a filter on the status, {gave_up.reason}" if self.hidden or more else ""

    def _keep(self, page: Page) -> None:
        if self.known.issuperset(page.identities):
            return
        found = {identity: raw for identity, raw in _rows(page).items() if self._is_hidden(identity, raw)}
        if found:
            self.hidden |= found.keys()
            self.sink.keep(_with_rows(page, found))

    def _is_hidden(self, identity: str, raw: msgspec.Raw) -> bool:
        if identity in self.known or identity in self.hidden:
            return False
        return not self.paging.statuses or _status(raw) not in self.paging.statuses

    def _again(self) -> None:
        self.is_stale = self.is_stale or bool(self.hidden)


def _rows(page: Page) -> dict[str, msgspec.Raw]:
    return dict(zip(page.identities, _items.decode(page.payload), strict=True))


def _with_rows(page: Page, rows: dict[str, msgspec.Raw]) -> Page:
    return replace(page, identities=tuple(rows), payload=b"[" + b",".join(map(bytes, rows.values())) + b"]")


def _status(raw: msgspec.Raw) -> str | None:
    """The status of an item, which is given as JSON; None if it has none."""
    try:
        return msgspec.json.decode(bytes(_fields.decode(bytes(raw))["status"]), type=str)
    except (msgspec.DecodeError, KeyError):
        return None
