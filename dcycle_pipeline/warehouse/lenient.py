"""An item that does not decode as it came: harmless forms are accepted, and a field that no figure is made from may be null.

Leniency never changes a value. What is neither harmless nor unneeded makes the item unusable, with the reason.
"""

import re
from collections.abc import Collection
from datetime import date, datetime, time
from typing import Any

import msgspec

from dcycle_pipeline.warehouse.arrow import Layout, make_exact

_FIELD = re.compile(r"`\$\.(\w+)")  # in a message of msgspec: "Expected `str`, got `object` - at `$.address`"
_MIDNIGHT, _LAST_SECOND = time(0), time(23, 59, 59)


def lenient(raw: bytes, layout: Layout, unneeded: Collection[str], unreadable: set[str]) -> Any:
    """One item, decoded with patience. The names of `unneeded` fields that became null are added to `unreadable`.

    Raises ValidationError or ValueError with the reason if the item is unusable.
    """
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    for name, value in fields.items():
        hint = layout.types.get(name)
        if hint is date:
            fields[name] = msgspec.Raw(_day(name, bytes(value)))
        elif hint is int:
            fields[name] = msgspec.Raw(_whole(bytes(value)))
    while True:
        try:
            item = layout.item_decoder.decode(msgspec.json.encode(fields))
        except msgspec.ValidationError as error:
            found = _FIELD.search(str(error))
            if found is None or found[1] not in unneeded or fields.pop(found[1], None) is None:
                raise
            unreadable.add(found[1])
        else:
            make_exact(item, layout, unneeded, unreadable)
            return item


def _day(name: str, raw: bytes) -> bytes:
    """`"2025-01-31T00:00:00+01:00"` → `"2025-01-31"`: midnight is a date in any place, and the last second ends one.

    Raises ValueError for another time of day: 23:00 in UTC is the next day in Madrid.
    """
    text = raw[1:-1].decode()
    if raw[:1] != b'"' or len(text) <= len("2025-01-31"):
        return raw
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return raw
    ends = name.startswith("end") and moment.time() >= _LAST_SECOND
    if moment.date().isoformat() != text[:10] or not (moment.time() == _MIDNIGHT or ends):
        raise ValueError(f"{name} is {text!r:.60}: a time of day, and which day it means depends on the place")
    return raw[:11] + b'"'


def _whole(raw: bytes) -> bytes:
    """`"24"` and `24.0` → `24`; anything else as it is."""
    text = raw.strip(b'"').removesuffix(b".0")
    return text if text.removeprefix(b"-").isdigit() else raw
