"""Which escapes of JSON, HTML and URLs can hide a character of some texts: most bodies have none, and need not be undone.

Signed links are full of `&` and `%2F`. To undo them in each body took more time than the download. Undoing belongs to `secrets`.
"""

import re
from collections.abc import Collection, Sequence

# An escape may be escaped once more: these make up other escapes.
_OF_ESCAPES = b"&%\\#;xXu0123456789abcdefABCDEF"
# Of the names that HTML knows without a semicolon, these stand for ASCII characters. With one, any name is suspect.
# What every signed link has, and what base64 has too: quick to undo in a whole body.
_IN_LINKS = ((b"%2F", b"%2f", b"/"), (b"%2B", b"%2b", b"+"), (b"%3D", b"%3d", b"="))
_NAMED = rb"&(?:#|[A-Za-z][A-Za-z0-9]*;|(?i:amp|lt|gt|quot))"


def escapes_of(needles: Collection[bytes]) -> tuple[re.Pattern[bytes], ...] | None:
    """Patterns of every escape that may stand for a character of a needle, or be part of one that does. None if that is not known.

    Those that `without_link_escapes` undoes are left out.

    >>> escapes = escapes_of([b"sk_live_1"])
    >>> [bool(any(escape.search(text) for escape in escapes)) for text in (b"a%2Fb&c=1", b"sk%5Flive")]
    [False, True]
    """
    characters = set(b"".join(needles))
    if any(character > 0x7F or character == ord("\\") for character in characters):
        return None
    suspect = sorted({*characters, *_OF_ESCAPES})
    codes = b"|".join(b"%02x" % character for character in suspect)
    in_links = b"|".join(b"%02x" % character for character in suspect if character not in b"/+=")
    # One pattern each, as the first byte of a pattern is what Python finds fast.
    percent = re.compile(b"%(?i:" + in_links + b")")
    backslash = re.compile(rb"\\(?:u00|x)(?i:" + codes + b")")
    return percent, backslash, re.compile(_NAMED)


def holds_one(body: bytes, escapes: Sequence[re.Pattern[bytes]]) -> bool:
    """Whether an escape is in the body. Its first byte is looked for first: Python finds a byte twenty times faster than a pattern."""
    return any(escape.pattern[:1] in body and escape.search(body) for escape in escapes)


def without_link_escapes(body: bytes) -> bytes:
    """The body with slashes, plus and equals signs instead of their escapes in URLs.

    >>> without_link_escapes(b"a%2Fb")
    b'a/b'
    """
    for upper, lower, character in _IN_LINKS:
        body = body.replace(upper, character).replace(lower, character)
    return body


def may_be_escaped_in_links(needle: bytes) -> bool:
    """Whether `without_link_escapes` may bring a needle to light."""
    return any(character in needle for _, _, character in _IN_LINKS)
