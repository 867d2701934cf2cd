"""The body of an answer → what may be written of it; of a page of a list also counters and the identity of each item."""

import hashlib
import re
from collections import Counter
from typing import Any, NamedTuple

import msgspec

from dcycle_pipeline.errors import TransientError
from dcycle_pipeline.landing.personal_data import Policy

_NO_ID = "no-id:"
_COUNT = re.compile(rb'"?(-?[0-9]{1,18})"?')

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[msgspec.Raw])
_text = msgspec.json.Decoder(str)


class PageBody(NamedTuple):
    """A page without personal data. `identities` are ids, or digests where an item has none; `payload` a JSON array."""

    envelope: dict[str, Any]
    identities: tuple[str, ...]
    payload: bytes


def read_page(body: bytes, policy: Policy, where: str) -> PageBody:
    """Take a list answer apart. Raises TransientError where it is none."""
    try:
        fields = _fields.decode(body)
        items = bytes(fields.pop("items"))
    except (msgspec.DecodeError, KeyError):
        raise TransientError(f"{where}: 200, but the body has no items.") from None
    first = items.lstrip()[:1]
    if first == b"{":
        items = b"[" + items + b"]"
    elif first != b"[":
        raise TransientError(f"{where}: 200, but items is no list.")
    envelope = {name: int(found[1]) for name, raw in fields.items() if (found := _COUNT.fullmatch(bytes(raw)))}
    if (ordinary := policy.ordinary_page(items)) is not None:
        return PageBody(envelope, *ordinary)
    singles = [_one(bytes(raw), policy) for raw in _items.decode(items)]
    identities = _told_apart([one[0] for one in singles])
    return PageBody(envelope, identities, b"[" + b",".join(one[1] for one in singles) + b"]")


def read_object(body: bytes, policy: Policy, where: str) -> bytes:
    """The one object of an answer that is no list, as it may be written. Raises TransientError where it is none."""
    try:
        return policy.clean(_fields.decode(body))
    except msgspec.DecodeError:
        raise TransientError(f"{where}: 200, but the body is no object.") from None


def _told_apart(identities: list[str]) -> tuple[str, ...]:
    """Equal items without an id on one page are as many items; the same id twice is one."""
    seen: Counter[str] = Counter()
    for index, identity in enumerate(identities):
        if identity.startswith(_NO_ID):
            seen[identity] += 1
            identities[index] = f"{identity}:{seen[identity]}"
    return tuple(identities)


def _one(raw: bytes, policy: Policy) -> tuple[str, bytes]:
    try:
        item = _fields.decode(raw)
    except msgspec.ValidationError:
        return _digest(raw), policy.clean_stranger(raw)
    identifier = bytes(item.get("id", b""))
    body = policy.clean(item)
    return (_text.decode(identifier) if identifier[:1] == b'"' and len(identifier) > 2 else _digest(body)), body


def _digest(content: bytes) -> str:
    return _NO_ID + hashlib.sha256(content).hexdigest()[:32]
