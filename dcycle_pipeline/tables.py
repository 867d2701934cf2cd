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
    pages: list[pa.RecordBatch] = []
    bad: list[BadItem] = []
    rows = 0
    for scope in swept:
        for page in _pages(endpoint, scope, bad):
            pages.append(page)
            rows += page.num_rows
            if rows >= ROWS_A_BATCH:
                yield Batch(pa.Table.from_batches(pages), bad)
                pages, bad, rows = [], [], 0
    yield Batch(pa.Table.from_batches(pages, schema=_layout(endpoint.item).schema), bad)


def _pages(endpoint: Endpoint, swept: Swept, bad: list[BadItem]) -> Iterator[pa.RecordBatch]:
    if swept.path is None or swept.proof is None:
        return iter(())
    reader = _Reader(endpoint, swept, bad)
    read = reader.each_page(swept.path)
    return read if swept.proof.rows == swept.proof.distinct else reader.latest(read)


class _Reader:
    def __init__(self, endpoint: Endpoint, swept: Swept, bad: list[BadItem]) -> None:
        self._endpoint, self._swept, self._bad = endpoint, swept, bad
        self._scope_id = swept.scope.scope_id
        self._layout = _layout(endpoint.item)

    def each_page(self, path: Path) -> Iterator[pa.RecordBatch]:
        for line in lines(path):
            try:
                items = self._layout.decoder.decode(line).items
                if not any(self._endpoint.problem(item, self._scope_id) for item in items):
                    yield self._layout.batch(items, self._swept)
                    continue
            except (msgspec.ValidationError, pa.ArrowException):
                pass
            yield self._layout.batch(list(self._one_by_one(line)), self._swept)

    def _one_by_one(self, line: bytes) -> Iterator[Any]:
        page = msgspec.json.decode(line, type=_RawPage)
        for position, raw in enumerate(page.items):
            try:
                item = _lenient(bytes(raw), self._layout)
                reason = self._endpoint.problem(item, self._scope_id)
            except (msgspec.ValidationError, ValueError) as error:
                reason = str(error)
            if reason is None:
                yield item
            else:
                self._bad.append(
                    BadItem(self._swept, _identity(bytes(raw)), page.page, position, reason, bytes(raw).decode())
                )

    def latest(self, pages: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The last version of each row, where the walk met some rows more than once."""
        table = pa.Table.from_batches(list(pages), schema=self._layout.schema)
        last = {identifier: index for index, identifier in enumerate(table["id"].to_pylist())}
        yield from table.take(pa.array(sorted(last.values()), pa.int64())).to_batches()
        latest = {item.identity: item for item in self._bad if item.swept is self._swept}
        self._bad[:] = [item for item in self._bad if item.swept is not self._swept] + list(latest.values())


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

    def batch(self, items: list[Any], swept: Swept) -> pa.RecordBatch:
        scope = swept.scope
        columns = [pa.array([value] * len(items), pa.string()) for value in (scope.organization_id, scope.scope_id)]
        for name, hint in self.types.items():
            values = [getattr(item, name) for item in items]
            if hint in _ARROW:
                columns.append(pa.array(values, _ARROW[hint]))
            else:
                columns.append(pa.array([_spelled(value) for value in values], _arrow_type(hint)))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


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
    """Nested structs as dicts, lists as texts, JSON of unknown shape as its text."""
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    if isinstance(value, list):
        return [_text(element) for element in value]
    return None if value is None else _text(value)


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
    for name, hint in layout.types.items():
        value = getattr(item, name)
        if hint is Decimal and value is not None:
            setattr(item, name, _exact(value, name))
    return item


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
