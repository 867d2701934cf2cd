"""Empties the texts of some fields in JSON, to compare answers without them. Cutting takes a third of the time of a regular expression."""

import re
from collections.abc import Iterable

_BEFORE_TEXT = re.compile(rb'\s*:\s*"')


def with_empty_texts(body: bytes, names: Iterable[str]) -> bytes:
    """JSON with empty texts in fields of these names, wherever they are. Texts with escapes stay.

    A field whose first value is no text stays too, and so does a text that is spelled in another way than the first of its name.
    Within another text the quotation marks around the name would be escaped.

    >>> with_empty_texts(b'{"id":"a","link":"https://x/1"}', ["link"])
    b'{"id":"a","link":""}'
    """
    for name in names:
        quoted = f'"{name}"'.encode()
        at = body.find(quoted)
        if at >= 0 and (found := _BEFORE_TEXT.match(body, at + len(quoted))):
            body = _without_texts_behind(body[at : found.end()], body)
    return body


def _without_texts_behind(start: bytes, body: bytes) -> bytes:
    before, *behind = body.split(start)
    if b"\\" in body:
        return start.join([before, *map(_behind_plain_text, behind)])
    return start.join([before, *map(_behind_text, behind)])


def _behind_plain_text(part: bytes) -> bytes:
    return part if b"\\" in part.partition(b'"')[0] else _behind_text(part)


def _behind_text(part: bytes) -> bytes:
    return part[max(0, part.find(b'"')) :]
