"""From the body of an answer to what may be written of it. For a page of a list also its counters and the identity of each item.

Which fields are personal belongs to `personal_data`.
"""

import hashlib
import re
from collections import Counter
from typing import Any, NamedTuple

import msgspec

from dcycle_pipeline.errors import TransientError
from dcycle_pipeline.landing.personal_data import Policy

_NO_ID = "no-id:"
_COUNT = re.compile(rb'"?(-?[0-9]{1,18})"?')  # a number or the text of one; 18 digits fit 64 bits

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[msgspec.Raw])
_text = msgspec.json.Decoder(str)


class PageBody(NamedTuple):
    """A page without personal data: counters, identities, and `payload`, a JSON array of the items.

    An identity is the item's id, or a digest of the item if it has none.
    """

    envelope: dict[str, Any]
    identities: tuple[str, ...]
    payload: bytes


def read_page(body: bytes, policy: Policy, where: str) -> PageBody:
    """Take the answer of a list apart. Raises TransientError if it has no list of items. `where` begins the message."""
    try:
        fields = _fields.decode(body)
        items = bytes(fields.pop("items"))
    except (msgspec.DecodeError, KeyError):
        raise TransientError(f"{where}: 200, but the body has no items.") from None
    first = items.lstrip()[:1]
    if first == b"{":
        items = b"[" + items + b"]"
    elif first != b"[":
        raise TransientError(f"{where}: 200, but items is not a list.")
    envelope = {name: int(found[1]) for name, raw in fields.items() if (found := _COUNT.fullmatch(bytes(raw)))}
    if (ordinary := policy.ordinary_page(items)) is not None:
        return PageBody(envelope, *ordinary)
    singles = [_one(bytes(raw), policy) for raw in _items.decode(items)]
    identities = _told_apart([one[0] for one in singles])
    return PageBody(envelope, identities, b"[" + b",".join(one[1] for one in singles) + b"]")


def read_object(body: bytes, policy: Policy, where: str) -> bytes:
    """The one object of the answer of a total, as it may be written. Raises TransientError if the body is not an object."""
    try:
        return policy.clean(_fields.decode(body))
    except msgspec.DecodeError:
        raise TransientError(f"{where}: 200, but the body is not an object.") from None


def _told_apart(identities: list[str]) -> tuple[str, ...]:
    """Number the equal items without an id on one page, because they are as many items. The same id twice stays one."""
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
