"""Landed items → typed Arrow batches. A bad item goes to quarantine, its neighbours go on.

Whole pages are decoded at once; only a page that fails is read item by item, with leniency for what is harmless
(numeric text, dates with a time part). Numbers become decimals from their JSON text, never through a float.
"""

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.landing import lines
from dcycle_pipeline.schema import QUANTITY_PRECISION, QUANTITY_SCALE
from dcycle_pipeline.sweep import Swept

ROWS_A_BATCH = 10_000
_DECIMAL = pa.decimal128(QUANTITY_PRECISION, QUANTITY_SCALE)
_STEP = Decimal(1).scaleb(-QUANTITY_SCALE)
_LIMIT = Decimal(10) ** (QUANTITY_PRECISION - QUANTITY_SCALE)
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_ARROW = {
    str: pa.string(),
    Decimal: _DECIMAL,
    date: pa.date32(),
    datetime: pa.timestamp("us", tz="UTC"),
    bool: pa.bool_(),
    int: pa.int64(),
}


@dataclass(frozen=True)
class BadItem:
    """An item that cannot be used: where it was, why, and its personal-data-free JSON."""

    swept: Swept
    identity: str
    page: int
    position: int
    reason: str
    item: str


@dataclass
class Batch:
    """Typed rows as they stand in the API, one Arrow column a field, with scope; and the bad items among them."""

    items: pa.Table
    bad: list[BadItem] = field(default_factory=list)


class _RawPage(msgspec.Struct):
    page: int
    items: list[msgspec.Raw]


def batches(endpoint: Endpoint, swept: list[Swept]) -> Iterator[Batch]:
    """The landed items of scopes, each row once (its latest version), in batches of bounded size.

    Raises UnavailableError where a landed file is not whole.
    """
    layout = _layout(endpoint.item)
    bad: list[BadItem] = []
    pages: list[_Page] = []
    rows = 0
    for scope in swept:
        for page in _pages(endpoint, layout, scope, bad):
            pages.append(page)
            rows += len(page.items)
            if rows >= ROWS_A_BATCH:
                yield Batch(layout.table(pages, bad), bad.copy())
                pages, rows = [], 0
                bad.clear()
    yield Batch(layout.table(pages, bad), bad.copy())


@dataclass
class _Page:
    """The usable items of one page. `line` is what they were read from."""

    swept: Swept
    number: int
    items: list[Any]


def _pages(endpoint: Endpoint, layout: "_Layout", swept: Swept, bad: list[BadItem]) -> Iterator[_Page]:
    if swept.path is None or swept.proof is None:
        return iter(())
    pages = (_page(endpoint, layout, swept, line, bad) for line in lines(swept.path))
    return pages if swept.proof.rows == swept.proof.distinct else _latest(pages, swept, bad)


def _page(endpoint: Endpoint, layout: "_Layout", swept: Swept, line: bytes, bad: list[BadItem]) -> _Page:
    scope_id = swept.scope.scope_id
    try:
        page = layout.decoder.decode(line)
        if not any(endpoint.problem(item, scope_id) for item in page.items):
            return _Page(swept, page.page, page.items)
    except msgspec.ValidationError:
        pass
    raw_page = msgspec.json.decode(line, type=_RawPage)
    good = []
    for position, raw in enumerate(raw_page.items):
        try:
            item = _lenient(bytes(raw), layout)
            reason = endpoint.problem(item, scope_id)
        except (msgspec.ValidationError, ValueError) as error:
            reason = str(error)
        if reason is None:
            good.append(item)
        else:
            bad.append(BadItem(swept, _identity(bytes(raw)), raw_page.page, position, reason, bytes(raw).decode()))
    return _Page(swept, raw_page.page, good)


def _latest(pages: Iterator[_Page], swept: Swept, bad: list[BadItem]) -> Iterator[_Page]:
    """The last version of each row, where the walk met some rows more than once."""
    good = {item.id: item for page in pages for item in page.items}
    last = {item.identity or (item.page, item.position): item for item in bad if item.swept is swept}
    bad[:] = [item for item in bad if item.swept is not swept] + list(last.values())
    yield _Page(swept, 0, list(good.values()))


class _Layout:
    """How the items of one endpoint are decoded and laid out as Arrow columns."""

    def __init__(self, item: type[msgspec.Struct]) -> None:
        hints = {f.encode_name: _plain_type(typing.get_type_hints(item)[f.name]) for f in msgspec.structs.fields(item)}
        self.types = hints
        page: Any = msgspec.defstruct("LandedPage", [("page", int), ("items", list[item])])  # type: ignore[valid-type]
        self.decoder = msgspec.json.Decoder(page)
        self.item_decoder = msgspec.json.Decoder(item)
        self.schema = pa.schema(
            [
                ("organization_id", pa.string()),
                ("scope_id", pa.string()),
                *((name, _arrow_type(hint)) for name, hint in hints.items()),
            ]
        )

    def table(self, pages: list[_Page], bad: list[BadItem]) -> pa.Table:
        """The items as Arrow columns; a number that no column can hold sends its item to `bad`."""
        try:
            return self._table(pages)
        except (pa.ArrowException, ValueError):
            for page in pages:
                page.items = [item for item in page.items if self._fits(page, item, bad)]
            return self._table(pages)

    def _fits(self, page: _Page, item: Any, bad: list[BadItem]) -> bool:
        try:
            _make_exact(item, self)
        except ValueError as error:
            text = msgspec.json.encode(item).decode()
            bad.append(BadItem(page.swept, item.id, page.number, page.items.index(item), str(error), text))
            return False
        return True

    def _table(self, pages: list[_Page]) -> pa.Table:
        items = [item for page in pages for item in page.items]
        organizations = [page.swept.scope.organization_id for page in pages for _ in page.items]
        scopes = [page.swept.scope.scope_id for page in pages for _ in page.items]
        columns = [pa.array(organizations, pa.string()), pa.array(scopes, pa.string())]
        columns += [_column([getattr(item, name) for item in items], hint, name) for name, hint in self.types.items()]
        return pa.Table.from_arrays(columns, schema=self.schema)


def _column(values: list[Any], hint: Any, name: str) -> pa.Array:
    """One Arrow column. Raises ValueError or ArrowException for a value that it cannot hold."""
    if hint not in _ARROW:
        return pa.array([value and _spelled(value) for value in values], _arrow_type(hint))
    try:
        return pa.array(values, _ARROW[hint])
    except pa.ArrowInvalid:
        if hint is not Decimal:
            raise
        return pa.array([value if value is None else _exact(value, name) for value in values], _DECIMAL)


@lru_cache(maxsize=32)
def _layout(item: type[msgspec.Struct]) -> _Layout:
    return _Layout(item)


def _plain_type(hint: Any) -> Any:
    """`X` for `X | None`."""
    if isinstance(hint, types.UnionType):
        return next(part for part in hint.__args__ if part is not type(None))
    return hint


def _arrow_type(hint: Any) -> pa.DataType:
    if hint in _ARROW:
        return _ARROW[hint]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return pa.struct(
            [(name, _arrow_type(_plain_type(inner))) for name, inner in typing.get_type_hints(hint).items()]
        )
    return pa.list_(pa.string()) if typing.get_origin(hint) is list else pa.string()


def _spelled(value: Any) -> Any:
    """Nested structs as dicts, lists as texts."""
    return [_text(element) for element in value] if isinstance(value, list) else msgspec.structs.asdict(value)


def _text(value: str | msgspec.Raw) -> str:
    if isinstance(value, str):
        return value
    raw = bytes(value)
    return msgspec.json.decode(raw, type=str) if raw[:1] == b'"' else raw.decode()


def _lenient(raw: bytes, layout: _Layout) -> Any:
    """One item, accepting what is harmless. Raises ValidationError or ValueError with the reason where it is not."""
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    for name, value in fields.items():
        hint = layout.types.get(name)
        if hint is date or hint is int:
            fields[name] = msgspec.Raw(_day(bytes(value)) if hint is date else _whole(bytes(value)))
    item = layout.item_decoder.decode(msgspec.json.encode(fields))
    _make_exact(item, layout)
    return item


def _make_exact(item: Any, layout: _Layout) -> None:
    for name, hint in layout.types.items():
        value = getattr(item, name)
        if hint is Decimal and value is not None:
            setattr(item, name, _exact(value, name))


def _day(raw: bytes) -> bytes:
    """`"2025-01-31T00:00:00Z"` → `"2025-01-31"`; anything else as it is."""
    if len(raw) <= 12 or raw[:1] != b'"':
        return raw
    try:
        datetime.fromisoformat(raw[1:-1].decode())
    except ValueError:
        return raw
    return raw[:11] + b'"'


def _whole(raw: bytes) -> bytes:
    """`"24"` and `24.0` → `24`; anything else as it is."""
    text = raw.strip(b'"').removesuffix(b".0")
    return text if text.removeprefix(b"-").isdigit() else raw


def _exact(value: Decimal, name: str) -> Decimal:
    if not value.is_finite() or abs(value) >= _LIMIT:
        raise ValueError(f"{name} is {value}, not a number below {_LIMIT:.0e}")
    return value.quantize(_STEP, context=_EXACT)


def _identity(raw: bytes) -> str:
    try:
        identifier = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get("id")
        return msgspec.json.decode(identifier, type=str) if identifier is not None else ""
    except msgspec.DecodeError:
        return ""
