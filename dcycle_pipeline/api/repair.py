"""The body of an answer as strict JSON on one line, whatever form the server gave it. One bad value costs its item, not the page.

A value that JSON cannot carry (NaN, half of a surrogate pair, a byte of another encoding) is put into an object, under
UNREADABLE. So no field can take it for a value, and whoever decodes the item says what is wrong.
"""

import codecs
import json
from typing import Any

import msgspec

UNREADABLE = "unreadable"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # UTF-32 before UTF-16: its mark begins with the other one's


def strict_json(body: bytes) -> bytes:
    """The body as JSON in UTF-8 without line breaks. Raises ValueError if it is no JSON at all.

    Numbers keep the text that the server sent.

    >>> strict_json(b'{"a": NaN,\\n "b": 1.50}')
    b'{"a":{"unreadable":"NaN"},"b":1.50}'
    """
    try:
        body.decode("utf-8")
        msgspec.json.decode(body, type=msgspec.Raw)
    except (UnicodeDecodeError, msgspec.DecodeError):
        return _repaired(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return msgspec.json.format(body, indent=-1) if b"\n" in body or b"\r" in body else body


def _repaired(body: bytes) -> bytes:
    try:
        value = json.loads(
            _decoded(body), strict=False, parse_constant=_unreadable, parse_float=_number, parse_int=_number
        )
        return msgspec.json.encode(_sound(value))
    except (RecursionError, UnicodeError) as error:
        raise ValueError(str(error)) from None


def _decoded(body: bytes) -> str:
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "surrogateescape" if encoding == "utf-8" else "strict")
    return body.decode("utf-8", "surrogateescape")


def _number(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def _unreadable(text: str) -> dict[str, str]:
    return {UNREADABLE: text.encode("utf-8", "backslashreplace").decode()}


def _sound(value: Any) -> Any:
    """The value with every text that is none marked as unreadable. A key that is none is spelled out."""
    if isinstance(value, str):
        return value if _is_text(value) else _unreadable(value)
    if isinstance(value, list):
        return [_sound(element) for element in value]
    if isinstance(value, dict):
        return {key.encode("utf-8", "backslashreplace").decode(): _sound(inner) for key, inner in value.items()}
    return value


def _is_text(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)
