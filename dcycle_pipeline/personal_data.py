"""Taking personal data out of an answer before its first byte is written.

Fail-safe by what is declared: fields known to hold a person are dropped, undeclared fields lose their text, declared
ones lose e-mail addresses and nested keys that name a person. Numbers keep the exact text that the API sent.
"""

import hashlib
import hmac
import re
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.errors import TransientError

WITHHELD = "[withheld: undeclared field]"
REMOVED = "[personal data removed]"
_PERSON_KEY = re.compile(
    r"user|e-?_?mail|first_?name|last_?name|full_?name|surname|phone|mobile|file_url|person|contact", re.IGNORECASE
)
_EMAIL = re.compile(rb"[^\s@\"'<>,;:\\]+@[^\s@\"'<>,;:\\]+\.[^\s@\"'<>,;:\\]+")
_PLAIN = frozenset(b"-0123456789tfn")

_items_of_envelope = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list_of_objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_list_of_anything = msgspec.json.Decoder(list[msgspec.Raw])
_anything = msgspec.json.Decoder(float_hook=Decimal)
_encode = msgspec.json.Encoder(decimal_format="number").encode


class CleanItem(NamedTuple):
    """An item ready to be written, and what identifies it (its id, or a digest where it has none)."""

    identity: str
    body: bytes


class CleanAnswer(NamedTuple):
    """A list answer without personal data: counters and their like, and the items."""

    envelope: dict[str, Any]
    items: list[CleanItem]


class Pseudonyms:
    """The same person gets the same name within one data folder, and nobody can tell which (HMAC-SHA-256)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, value: str) -> str:
        return hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()[:32]


def read_answer(body: bytes, policy: "Policy", where: str) -> CleanAnswer:
    """Split a list answer into envelope and clean items. Raises TransientError where it is no list answer."""
    try:
        fields = _items_of_envelope.decode(body)
        raw_items = fields.pop("items")
    except (msgspec.DecodeError, KeyError):
        raise TransientError(f"{where}: 200, but the body has no items.") from None
    envelope = {name: value for name, raw in fields.items() if (value := _count(bytes(raw))) is not None}
    return CleanAnswer(envelope, _clean_items(bytes(raw_items), policy, where))


def _count(raw: bytes) -> int | None:
    """Numbers of the envelope, also as text; nothing else of it is needed or kept."""
    text = raw.strip(b'"')
    return int(text) if text.removeprefix(b"-").isdigit() else None


def _clean_items(raw: bytes, policy: "Policy", where: str) -> list[CleanItem]:
    first = raw.lstrip()[:1]
    if first == b"{":
        raw = b"[" + raw + b"]"
    elif first != b"[":
        raise TransientError(f"{where}: 200, but items is no list.")
    try:
        return [_clean_object(item, policy) for item in _list_of_objects.decode(raw)]
    except msgspec.ValidationError:
        return [_clean_anything(bytes(item), policy) for item in _list_of_anything.decode(raw)]


def _clean_object(item: dict[str, msgspec.Raw], policy: "Policy") -> CleanItem:
    identifier = bytes(item.get("id", b""))
    if len(identifier) > 2 and identifier[:1] == b'"' and b"\\" not in identifier:
        return CleanItem(identifier[1:-1].decode(), policy(item))
    body = policy(item)
    known = msgspec.json.decode(identifier) if identifier[:1] == b'"' else None
    return CleanItem(known or _digest(item), body)


def _digest(item: dict[str, msgspec.Raw]) -> str:
    stable = {name: raw for name, raw in item.items() if not _PERSON_KEY.search(name)}
    return "no-id:" + hashlib.sha256(_encode(stable)).hexdigest()[:32]


def _clean_anything(raw: bytes, policy: "Policy") -> CleanItem:
    if raw.lstrip()[:1] == b"{":
        return _clean_object(_items_of_envelope.decode(raw), policy)
    return CleanItem("no-id:" + hashlib.sha256(raw).hexdigest()[:32], _encode(without_text(_anything.decode(raw))))


class Policy:
    """What happens to the items of one endpoint: `drop`, `pseudonymise` or `keep` (DCYCLE_PERSONAL_DATA).

    `undeclared` collects the names of fields that no declaration knows.
    """

    def __init__(self, endpoint: Endpoint, choice: str, pseudonym: Pseudonyms) -> None:
        self._known, self._withheld, self._person_ids = endpoint.known_fields, endpoint.withheld, endpoint.person_ids
        self._keep = choice == "keep"
        self._pseudonym = pseudonym if choice == "pseudonymise" else None
        self.undeclared: set[str] = set()

    def __call__(self, item: dict[str, msgspec.Raw]) -> bytes:
        if not item.keys() <= self._known:
            self.undeclared |= item.keys() - self._known
        if self._keep:
            return _encode(item)
        user = item.get("user") if self._pseudonym and "user" in self._withheld else None
        for name in self._withheld:
            item.pop(name, None)
        for name in self._person_ids & item.keys():
            item[name] = _person_id(bytes(item[name]), self._pseudonym)
        for name, raw in item.items():
            if name not in self._known:
                item[name] = _undeclared(bytes(raw))
            elif b"{" in (text := bytes(raw)):
                item[name] = _declared(text)
        if user is not None and self._pseudonym is not None:
            item["user"] = _person(bytes(user), self._pseudonym)
        body = _encode(item)
        return _without_addresses(body) if b"@" in body else body


def _without_addresses(body: bytes) -> bytes:
    fields = _items_of_envelope.decode(body)
    for name, raw in fields.items():
        text = bytes(raw)
        if name != "id" and b"@" in text:
            fields[name] = msgspec.Raw(_EMAIL.sub(REMOVED.encode(), text))
    return _encode(fields)


def _person_id(raw: bytes, pseudonym: Pseudonyms | None) -> msgspec.Raw:
    if raw[:1] != b'"':
        return msgspec.Raw(raw if raw == b"null" else b"null")
    if pseudonym:
        return msgspec.Raw(_encode(pseudonym(msgspec.json.decode(raw, type=str))))
    return msgspec.Raw(b"null" if b"@" in raw else raw)


def _person(raw: bytes, pseudonym: Pseudonyms) -> msgspec.Raw:
    user = _anything.decode(raw)
    identifier = user.get("id") if isinstance(user, dict) else user
    return msgspec.Raw(_encode({"id": pseudonym(str(identifier))}))


@lru_cache(maxsize=4096)
def _declared(raw: bytes) -> msgspec.Raw:
    return msgspec.Raw(_encode(_without_persons(_anything.decode(raw))))


@lru_cache(maxsize=4096)
def _undeclared(raw: bytes) -> msgspec.Raw:
    return msgspec.Raw(raw if raw_is_plain(raw) else _encode(without_text(_anything.decode(raw))))


def raw_is_plain(raw: bytes | msgspec.Raw) -> bool:
    """Whether a JSON value is a number, true, false or null."""
    return bytes(raw)[:1] != b"" and bytes(raw)[0] in _PLAIN


def _without_persons(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_persons(inner) for key, inner in value.items() if not _PERSON_KEY.search(key)}
    return [_without_persons(inner) for inner in value] if isinstance(value, list) else value


def without_text(value: Any) -> Any:
    """The same shape and numbers, every text replaced."""
    if isinstance(value, str):
        return WITHHELD
    if isinstance(value, dict):
        return {key: without_text(inner) for key, inner in value.items() if not _PERSON_KEY.search(key)}
    return [without_text(inner) for inner in value] if isinstance(value, list) else value
