"""How the items of an endpoint are decoded and laid out as Arrow columns, with exact decimals.

Which items are usable, and in which batches they come, belongs to `decode`.
"""

import types
import typing
from collections.abc import Collection, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa

from dcycle_pipeline.schema import QUANTITY_PRECISION, QUANTITY_SCALE, rounded_quantity

_DECIMAL = pa.decimal128(QUANTITY_PRECISION, QUANTITY_SCALE)
_WHOLE_DIGITS = QUANTITY_PRECISION - QUANTITY_SCALE
_ARROW = {
    str: pa.string(),
    Decimal: _DECIMAL,
    date: pa.date32(),
    datetime: pa.timestamp("us", tz="UTC"),
    bool: pa.bool_(),
    int: pa.int64(),
}
_ORIGIN = (
    ("organization_id", pa.string()),
    ("list_facility_id", pa.string()),
    ("landed_run_id", pa.string()),
    ("landed_page", pa.int64()),
)


class Layout:
    """The decoders for the items of one endpoint, and their Arrow schema: the origin's columns, then one column per field."""

    def __init__(self, item: type[msgspec.Struct]) -> None:
        hints = {f.encode_name: _plain_type(typing.get_type_hints(item)[f.name]) for f in msgspec.structs.fields(item)}
        self.types = hints
        page: Any = msgspec.defstruct("LandedPage", [("page", int), ("items", list[item])])  # type: ignore[valid-type]
        self.decoder = msgspec.json.Decoder(page)
        self.item_decoder = msgspec.json.Decoder(item)
        self.schema = pa.schema(
            [
                *_ORIGIN,
                *((name, _arrow_type(hint)) for name, hint in hints.items()),
            ]
        )

    def table(self, pages: Sequence[tuple[list[Any], tuple[Any, ...]]]) -> pa.Table:
        """The items of `pages` as one Arrow table. A page is its items and its origin, with the values of `_ORIGIN`.

        Raises ValueError or ArrowException if a column cannot hold a value.
        """
        items = [item for page, _ in pages for item in page]
        columns = [_found(pages, place, type_) for place, (_, type_) in enumerate(_ORIGIN)]
        columns += [_column(items, hint, name) for name, hint in self.types.items()]
        return pa.Table.from_arrays(columns, schema=self.schema)


def _found(pages: Sequence[tuple[list[Any], tuple[Any, ...]]], place: int, type_: pa.DataType) -> pa.ChunkedArray:
    """A column of the origin: the value at `place` of each page's origin, repeated for each of its items."""
    return pa.chunked_array([pa.repeat(pa.scalar(found[place], type_), len(items)) for items, found in pages], type_)


@lru_cache(maxsize=32)
def layout_of(item: type[msgspec.Struct]) -> Layout:
    """The layout of an endpoint's items, made once."""
    return Layout(item)


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
    return pa.list_(pa.string()) if typing.get_origin(hint) in (list, tuple) else pa.string()


def _text(value: str | msgspec.Raw) -> str:
    if isinstance(value, str):
        return value
    raw = bytes(value)
    return msgspec.json.decode(raw, type=str) if raw[:1] == b'"' else raw.decode()


def _column(items: list[Any], hint: Any, name: str) -> pa.Array:
    """One Arrow column. Raises ValueError or ArrowException if it cannot hold a value."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _nested_column(items, hint, name)
    values = list(map(attrgetter(name), items))
    if hint not in _ARROW:
        return pa.array([value and [_text(element) for element in value] for value in values], _arrow_type(hint))
    if hint is not Decimal:
        return pa.array(values, _ARROW[hint])
    try:
        if _ordinary(values):
            return pa.array(values, _DECIMAL)
    except pa.ArrowInvalid:
        pass  # more than nine places: rounded below
    return pa.array([value if value is None else exact(value, name) for value in values], _DECIMAL)


def _ordinary(values: list[Decimal | None]) -> bool:
    """Whether Arrow may see the numbers: pyarrow 26 reads past its table of powers for exponents like 1e-999999, and crashes."""
    magnitudes = set(map(Decimal.adjusted, [value for value in values if value is not None]))
    return not magnitudes or (min(magnitudes) > -QUANTITY_SCALE - 2 and max(magnitudes) <= _WHOLE_DIGITS)


def _nested_column(items: list[Any], hint: type[msgspec.Struct], name: str) -> pa.Array:
    arrow = _arrow_type(hint)
    try:
        parts = [pa.array(list(map(attrgetter(f"{name}.{part.name}"), items)), part.type) for part in arrow]
        return pa.StructArray.from_arrays(parts, fields=list(arrow))
    except AttributeError:
        values = map(attrgetter(name), items)
        return pa.array([value and msgspec.structs.asdict(value) for value in values], arrow)


def make_exact(item: Any, layout: Layout, unneeded: Collection[str], unreadable: set[str]) -> None:
    """Round every number of an item to the nine places of the columns, half-even.

    Raises ValueError if one is too large; if it is `unneeded`, it becomes null, and `unreadable` gets its name.
    """
    for name, hint in layout.types.items():
        value = getattr(item, name)
        if hint not in (Decimal, int) or value is None:
            continue
        try:
            setattr(item, name, exact(value, name) if hint is Decimal else _whole(value, name))
        except ValueError:
            if name not in unneeded:
                raise
            setattr(item, name, None)
            unreadable.add(name)


def _whole(value: int, name: str) -> int:
    if -(2**63) <= value < 2**63:
        return value
    raise ValueError(f"{name} is {value!s:.40}, too large for a count")


def exact(value: Decimal, name: str) -> Decimal:
    """A number as the columns hold it: nine places, half-even. Raises ValueError if it is NaN, infinite or too large.

    `name` is the field for the message.
    """
    if value.is_finite() and (not value or value.adjusted() < _WHOLE_DIGITS):
        rounded = rounded_quantity(value)
        if rounded.adjusted() < _WHOLE_DIGITS:
            return rounded
    raise ValueError(f"{name} is {value!s:.40}, not a number of at most {_WHOLE_DIGITS} digits before the point")
