"""Takes personal data out of an answer before its first byte is written.

What is declared decides, so that a new field is safe. Fields known to hold a person are dropped. Fields that no endpoint
declares lose text and numbers, and their name if it may be a person's. Declared fields lose e-mail addresses and what is
nested in them without being declared. Declared numbers stay exactly the text that the API sent.
"""

import hashlib
import hmac
import re
from collections import Counter
from copy import copy
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any

import msgspec

from dcycle_pipeline.api.repair import UNREADABLE
from dcycle_pipeline.endpoints.declaration import Declared
from dcycle_pipeline.landing.empty_texts import with_empty_texts

WITHHELD = "[withheld: undeclared field]"
WITHHELD_NAME = "withheld_name"
REMOVED = "[personal data removed]"
# An address within JSON text: both sides end at a space, a quotation mark or what separates addresses; the domain has a dot.
_EMAIL = re.compile(rb"[^\s@\"'<>,;:\\]+@[^\s@\"'<>,;:\\]+\.[^\s@\"'<>,;:\\]+")
_PLAIN = frozenset({b"true", b"false", b"null"})  # a number may be of a telephone or an identity card
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_IDENTIFIER = r"^[^\s@]+$"
_NESTED = frozenset({"id", UNREADABLE})  # what may land of an object where none is declared

_ABSENT = msgspec.Raw(b"")
_WITHHELD = msgspec.Raw(f'"{WITHHELD}"'.encode())

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_anything = msgspec.json.Decoder(float_hook=Decimal)
_encode = msgspec.json.Encoder(decimal_format="number").encode


class Pseudonyms:
    """Gives the same person the same name within one data folder. Without the folder's key nobody can undo it (HMAC-SHA-256)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, value: str) -> str:
        return hmac.new(self._key, value.encode(), hashlib.sha256).hexdigest()[:32]


class Policy:
    """What happens to personal data in the items of one endpoint: `drop`, `pseudonymise` or `keep` (DCYCLE_PERSONAL_DATA).

    `undeclared` collects the names of fields that the endpoint does not declare.
    """

    def __init__(self, endpoint: Declared, choice: str, pseudonym: Pseudonyms) -> None:
        self._known, self._withheld, self._person_ids = endpoint.known_fields, endpoint.withheld, endpoint.person_ids
        self._keep = choice == "keep"
        self._pseudonym = pseudonym if choice == "pseudonymise" else None
        self._page = _page_decoder(endpoint)
        self._nested, self._id_lists = endpoint.nested_fields, endpoint.id_lists
        self._inside = endpoint.nested_fields | endpoint.element_fields
        self.undeclared: set[str] = set()
        used = {"user"} if self._pseudonym else set[str]()
        self._never_land = [] if self._keep else sorted(self._withheld - used)

    def without_what_never_lands(self, body: bytes) -> bytes:
        """An answer with empty texts in fields that never land, only for comparison: a link that is signed anew each night makes it no other answer."""
        return with_empty_texts(body, self._never_land)

    def for_a_page(self) -> "Policy":
        """The same policy with undeclared names of its own."""
        one = copy(self)
        one.undeclared = set()
        return one

    def ordinary_page(self, items: bytes) -> tuple[tuple[str, ...], dict[bytes, int], bytes] | None:
        """The ids, how often each status comes (as JSON), and the clean JSON of a page of ordinary items (a JSON array).

        Ten times faster than item by item.

        None if an item is not ordinary (undeclared fields, an object in a field that has none, an address), or if the choice is
        not `drop`. Then `clean` takes the items one by one.
        """
        if self._keep or self._pseudonym:
            return None
        try:
            page = self._page.decode(items)
        except msgspec.ValidationError:
            return None
        for name in self._withheld:
            for item in page:
                setattr(item, name, _ABSENT)
        # As many braces as objects that were declared: one more would be an object hidden in a field that has none.
        objects = len(page) + sum(sum(map(bool, map(attrgetter(name), page))) for name in self._nested)
        identities = tuple(item.id for item in page)
        statuses = Counter(bytes(item.status) for item in page)
        body = _encode(page)
        # An escape (\u0040) could hide an @.
        if "" in identities or body.count(b"{") != objects or b"@" in body or _has_escaped_characters(body):
            return None
        return identities, statuses, body

    def clean(self, item: dict[str, msgspec.Raw]) -> bytes:
        """One item as it may be written, as JSON text. `item` holds its fields; it is changed."""
        if self._keep:
            self.undeclared |= item.keys() - self._known
            return _encode(item)
        for name in item.keys() - self._known:
            item[shown := _shown_name(name)] = _undeclared(bytes(item.pop(name)))
            self.undeclared.add(shown)
        user = item.get("user") if self._pseudonym and "user" in self._withheld else None
        for name in self._withheld:
            item.pop(name, None)
        for name in self._person_ids & item.keys():
            item[name] = _person_id(bytes(item[name]), self._pseudonym)
        for name, raw in item.items():
            if name in self._id_lists:
                item[name] = _only_ids(bytes(raw))
            elif name in self._known and b"{" in (text := bytes(raw)):
                item[name] = _declared(text, self._inside.get(name, _NESTED))
        if user is not None and self._pseudonym is not None:
            item["user"] = _person(bytes(user), self._pseudonym)
        body = _encode(item)
        return _without_addresses(body) if b"@" in body or _has_escaped_characters(body) else body

    def clean_stranger(self, raw: bytes) -> bytes:
        """What may be written of something that is in the place of an item, but is not an object."""
        return raw if self._keep else bytes(_undeclared(raw))


@lru_cache
def _page_decoder(endpoint: Declared) -> Any:
    """A decoder that accepts ordinary items only: ids are text, and nested objects hold known fields only."""
    declared = [field.encode_name for field in msgspec.structs.fields(endpoint.item)]
    text = str | None | msgspec.UnsetType
    fields: list[tuple[str, Any, Any]] = []
    for name in [*declared, *sorted(endpoint.known_fields.difference(declared))]:
        if name in endpoint.nested_fields:
            inner = [(known, text, msgspec.UNSET) for known in sorted(endpoint.nested_fields[name])]
            nested = msgspec.defstruct("Nested", inner, omit_defaults=True, forbid_unknown_fields=True, gc=False)
            fields.append((name, nested | None | msgspec.UnsetType, msgspec.UNSET))
        elif name in endpoint.person_ids:
            fields.append((name, text, msgspec.UNSET))
        elif name in endpoint.id_lists:
            ids = list[Annotated[str, msgspec.Meta(pattern=_IDENTIFIER)]]
            fields.append((name, ids | None | msgspec.UnsetType, msgspec.UNSET))
        elif name != "id":
            fields.append((name, msgspec.Raw, _ABSENT))
    item = msgspec.defstruct("Item", [("id", str), *fields], omit_defaults=True, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(list[item])  # type: ignore[valid-type]


def _has_escaped_characters(body: bytes) -> bool:
    return b"\\" in body and b"\\u" in body  # one byte is found a hundred times faster than two


def _without_addresses(body: bytes) -> bytes:
    fields = _fields.decode(body)
    for name, raw in fields.items():
        text = bytes(raw)
        if name != "id" and (b"@" in text or _has_escaped_characters(text)):
            fields[name] = _without_address(text)
    return _encode(fields)


def _without_address(raw: bytes) -> msgspec.Raw:
    try:
        plain = _encode(_anything.decode(raw))
    except (msgspec.MsgspecError, ArithmeticError, RecursionError):
        return _WITHHELD
    return msgspec.Raw(_EMAIL.sub(REMOVED.encode(), plain)) if b"@" in plain else msgspec.Raw(raw)


def _person_id(raw: bytes, pseudonym: Pseudonyms | None) -> msgspec.Raw:
    if raw[:1] != b'"':
        return msgspec.Raw(raw if raw == b"null" else b"null")
    if pseudonym:
        return msgspec.Raw(_encode(pseudonym(msgspec.json.decode(raw, type=str))))
    return msgspec.Raw(b"null" if b"@" in raw else raw)


def _person(raw: bytes, pseudonym: Pseudonyms) -> msgspec.Raw:
    user = _anything_or_none(raw)
    identifier = user.get("id") if isinstance(user, dict) else user
    return msgspec.Raw(_encode({"id": pseudonym(str(identifier))}))


@lru_cache(maxsize=4096)  # nested objects repeat: nearly all records of an account have the same unit
def _declared(raw: bytes, known: frozenset[str]) -> msgspec.Raw:
    """A declared field that holds objects, with the `known` keys only: any other may name a person, or be the name of one."""
    try:
        return msgspec.Raw(_encode(_only_known(_anything.decode(raw), known)))
    except (msgspec.MsgspecError, ArithmeticError, RecursionError):
        return _WITHHELD


def _only_ids(raw: bytes) -> msgspec.Raw:
    """A list of ids, or of objects that have one, without whatever is no id."""
    try:
        value = _anything.decode(raw)
        elements = value if isinstance(value, list) else [value]
        ids = [_only_known(each, _NESTED) if isinstance(each, dict) else each for each in elements]
        kept = [each for each in ids if _is_id(each.get("id", "") if isinstance(each, dict) else each)]
        return msgspec.Raw(_encode(kept if isinstance(value, list) else kept[0] if kept else None))
    except (msgspec.MsgspecError, ArithmeticError, RecursionError):
        return _WITHHELD


def _is_id(value: Any) -> bool:
    return re.search(_IDENTIFIER, value) is not None if isinstance(value, str) else not isinstance(value, dict | list)


def _anything_or_none(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        return None


def _undeclared(raw: bytes) -> msgspec.Raw:
    """Of a field that no endpoint declares: a truth value or null; any other value is withheld."""
    return msgspec.Raw(raw) if raw in _PLAIN else _WITHHELD


def _shown_name(name: str) -> str:
    """The name of an undeclared field, unless it may be a person's name or address."""
    return name if _FIELD_NAME.fullmatch(name) else WITHHELD_NAME


def _only_known(value: Any, known: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {
            key: WITHHELD if isinstance(inner, dict | list) else inner for key, inner in value.items() if key in known
        }
    return [_only_known(inner, known) for inner in value] if isinstance(value, list) else value
