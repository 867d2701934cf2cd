"""From landed items to typed Arrow batches. An item that cannot be used goes to quarantine; the others of its page go on.

A page is decoded as a whole. Only if that fails, it is decoded item by item, and harmless deviations are accepted (numbers
as text, dates with a time). Numbers become decimals from their JSON text, never through a float.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.landing.landed_file import page_lines, raw_page
from dcycle_pipeline.landing.lists import ListKey, ListResult
from dcycle_pipeline.warehouse.arrow import Layout, layout_of, make_exact
from dcycle_pipeline.warehouse.decoded import Decoded
from dcycle_pipeline.warehouse.identity import identity_of
from dcycle_pipeline.warehouse.lenient import lenient

ROWS_A_BATCH = 8_000  # one INSERT each: many rows, because a statement has a price; not all, because memory has a bound
ROWS_TYPED_AT_ONCE = (
    500  # they go from text to columns while they are in the processor's cache: a third faster than 8,000
)

Unreadable = dict[ListKey, set[str]]


@dataclass(frozen=True)
class QuarantinedItem:
    """An item that cannot be used: its list, id, page and position there, the reason, and its JSON without personal data."""

    result: ListResult
    identity: str
    page: int
    position: int
    reason: str
    item: str


@dataclass
class Batch:
    """Typed items, with one Arrow column per field of the API and columns for their origin; and the items that were quarantined.

    `unreadable` are fields that are null in some item of a list because nobody could read them, and no figure is made from them.
    """

    items: pa.Table
    quarantined: list[QuarantinedItem] = field(default_factory=list)
    unreadable: Unreadable = field(default_factory=dict)


def batches(
    endpoint: Endpoint, results: list[ListResult], landing: Path, decoded: Decoded | None = None
) -> Iterator[Batch]:
    """The items of landed lists in batches of bounded size. A row that a read met more than once comes once, as it was last.

    `landing` is the folder of landed pages; what was `decoded` before comes from there. Raises UnavailableError if a landed file is
    not whole.
    """
    parts: list[Batch] = []
    for part in _parts(endpoint, results, landing, decoded):
        parts.append(part)
        if sum(one.items.num_rows for one in parts) >= ROWS_A_BATCH:
            yield _joined(parts)
            parts = []
    if parts:
        yield _joined(parts)


def _parts(endpoint: Endpoint, results: list[ListResult], landing: Path, decoded: Decoded | None) -> Iterator[Batch]:
    """In the order of the lists: if two of them have a row, the later one counts."""
    for is_decoded, some in groupby(results, key=lambda result: decoded is not None and result in decoded):
        if is_decoded and decoded is not None:
            yield from (Batch(items) for result in some for items in decoded.tables(result))
        else:
            yield from _typed(endpoint, list(some), landing)


def _joined(parts: list[Batch]) -> Batch:
    items = pa.concat_tables([part.items for part in parts]).combine_chunks()
    quarantined = [item for part in parts for item in part.quarantined]
    unreadable: Unreadable = {}
    for part in parts:
        add_unreadable(unreadable, part.unreadable)
    return Batch(items, quarantined, unreadable)


def add_unreadable(to: Unreadable, more: Unreadable) -> None:
    """Add the fields of some lists to those that are known."""
    for key, names in more.items():
        to.setdefault(key, set()).update(names)


def _typed(endpoint: Endpoint, results: list[ListResult], landing: Path) -> Iterator[Batch]:
    layout = layout_of(endpoint.item)
    finds = _Finds()
    pages: list[_UsablePage] = []
    rows = 0
    for result in results:
        for page in _pages(endpoint, layout, result, landing, finds):
            pages.append(page)
            rows += len(page.items)
            if rows >= ROWS_TYPED_AT_ONCE:
                yield Batch(_table(endpoint, layout, pages, finds), finds.quarantined, finds.unreadable)
                pages, rows, finds.quarantined, finds.unreadable = [], 0, [], {}
    yield Batch(_table(endpoint, layout, pages, finds), finds.quarantined, finds.unreadable)


@dataclass
class _Finds:
    """What was set aside so far: the items and the fields of a `Batch`."""

    quarantined: list[QuarantinedItem] = field(default_factory=list)
    unreadable: Unreadable = field(default_factory=dict)

    def unreadable_in(self, result: ListResult) -> set[str]:
        return self.unreadable.setdefault(result.key, set())


@dataclass
class _UsablePage:
    """The usable items of one page of a list."""

    result: ListResult
    number: int
    items: list[Any]


def _pages(
    endpoint: Endpoint, layout: Layout, result: ListResult, landing: Path, finds: _Finds
) -> Iterator[_UsablePage]:
    if result.landed_file is None or result.proof is None:
        return iter(())
    pages = (_page(endpoint, layout, result, line, finds) for line in page_lines(landing / result.landed_file))
    return pages if result.proof.rows == result.proof.distinct else _latest(pages, result, finds)


def _page(endpoint: Endpoint, layout: Layout, result: ListResult, line: bytes, finds: _Finds) -> _UsablePage:
    facility_id = result.key.facility_id
    try:
        page = layout.decoder.decode(line)
    except msgspec.ValidationError:
        number, decoded = _item_by_item(endpoint, layout, line, finds.unreadable_in(result))
    else:
        number, decoded = page.page, page.items
    problem = endpoint.problem
    reasons = [
        item if isinstance(item, str) else problem(item, facility_id) if item.id else "id is empty" for item in decoded
    ]
    if any(reasons):
        for position, (reason, raw) in enumerate(zip(reasons, raw_page(line).items, strict=True)):
            if reason:
                text = bytes(raw)
                finds.quarantined.append(
                    QuarantinedItem(result, identity_of(text) or "", number, position, reason, text.decode())
                )
        decoded = [item for item, reason in zip(decoded, reasons, strict=True) if not reason]
    return _UsablePage(result, number, decoded)


def _item_by_item(endpoint: Endpoint, layout: Layout, line: bytes, unreadable: set[str]) -> tuple[int, list[Any]]:
    """The number and the items of a page that cannot be decoded as a whole; the reason in place of an item that is unusable."""
    page = raw_page(line)
    items: list[Any] = []
    for raw in page.items:
        try:
            items.append(layout.item_decoder.decode(raw))
        except msgspec.ValidationError:
            try:
                items.append(lenient(bytes(raw), layout, endpoint.unneeded, unreadable))
            except (msgspec.ValidationError, ValueError) as error:
                items.append(str(error))
    return page.page, items


def _latest(pages: Iterator[_UsablePage], result: ListResult, finds: _Finds) -> Iterator[_UsablePage]:
    """Each row once, as it was last, because the read met some rows more than once."""
    good = {item.id: (page.number, item) for page in pages for item in page.items}
    last = {item.identity or (item.page, item.position): item for item in finds.quarantined if item.result is result}
    finds.quarantined = [item for item in finds.quarantined if item.result is not result] + list(last.values())
    for number, items in groupby(good.values(), key=itemgetter(0)):
        yield _UsablePage(result, number, [item for _, item in items])


def _table(endpoint: Endpoint, layout: Layout, pages: list[_UsablePage], finds: _Finds) -> pa.Table:
    """The items as Arrow columns. If a number is too large for its column, its item goes to quarantine."""
    try:
        return _columns(layout, pages)
    except (pa.ArrowException, ValueError, OverflowError):
        for page in pages:
            page.items = [item for item in page.items if _fits(endpoint, layout, page, item, finds)]
        return _columns(layout, pages)


def _columns(layout: Layout, pages: list[_UsablePage]) -> pa.Table:
    return layout.table([(page.items, _origin(page)) for page in pages])


def _origin(page: _UsablePage) -> tuple[Any, ...]:
    """The origin of the items of a page: organisation, facility of the list, run, page."""
    key = page.result.key
    return key.organization_id, key.facility_id, page.result.run_id, page.number


def _fits(endpoint: Endpoint, layout: Layout, page: _UsablePage, item: Any, finds: _Finds) -> bool:
    try:
        make_exact(item, layout, endpoint.unneeded, finds.unreadable_in(page.result))
        layout.table([([item], _origin(page))])
    except (pa.ArrowException, ValueError, OverflowError) as error:
        text = msgspec.json.encode(item).decode()
        finds.quarantined.append(
            QuarantinedItem(page.result, item.id, page.number, page.items.index(item), str(error), text)
        )
        return False
    return True
