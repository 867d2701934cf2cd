"""From the body of an answer to what may be written of it. For a page of a list also its counters and the identity of each item.

Which fields are personal belongs to `personal_data`.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
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
    """A page without personal data: counters, identities, how many items have each status, and `payload`, a JSON array of the items.

    An identity is the item's id, or a digest of the item if it has none. The status is empty if an item has none.
    """

    envelope: dict[str, Any]
    identities: tuple[str, ...]
    statuses: dict[str, int]
    payload: bytes

    @property
    def all_have_ids(self) -> bool:
        """Whether each item has an id of its own."""
        named = not any(identity.startswith(_NO_ID) for identity in self.identities)
        return named and len(set(self.identities)) == len(self.identities)


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
        identities, statuses, payload = ordinary
        return PageBody(envelope, identities, _in_words(statuses), payload)
    singles = [_one(bytes(raw), policy) for raw in _items.decode(items)]
    identities = _told_apart([one[0] for one in singles])
    payload = b"[" + b",".join(one[2] for one in singles) + b"]"
    return PageBody(envelope, identities, _in_words(Counter(one[1] for one in singles)), payload)


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


def _in_words(statuses: Mapping[bytes, int]) -> dict[str, int]:
    """How many items have each status, which comes as JSON; what is no text counts as none."""
    words: Counter[str] = Counter()
    for raw, count in statuses.items():
        words[_text.decode(raw) if raw[:1] == b'"' else ""] += count
    return dict(words)


def _one(raw: bytes, policy: Policy) -> tuple[str, bytes, bytes]:
    """Identity, status as JSON, and what may be written of an item."""
    try:
        item = _fields.decode(raw)
    except msgspec.ValidationError:
        return _digest(raw), b"", policy.clean_stranger(raw)
    identifier, status = bytes(item.get("id", b"")), bytes(item.get("status", b""))
    body = policy.clean(item)
    identity = _text.decode(identifier) if identifier[:1] == b'"' and len(identifier) > 2 else _digest(body)
    return identity, status, body


def _digest(content: bytes) -> str:
    return _NO_ID + hashlib.sha256(content).hexdigest()[:32]
