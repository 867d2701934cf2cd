"""Knows every secret of a connection, those born at run time too, and takes them out of what others say, in whatever form.

Data are masked with secrets that cannot be part of a name or a number by chance. Messages are masked with all.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from urllib.parse import unquote

from dcycle_pipeline.api.escapes import escapes_of, holds_one, may_be_escaped_in_links, without_link_escapes
from dcycle_pipeline.api.needles import Needles

MASK = "[secret]"
# Eight letters and digits meet a given place of other data 1 time in 200 million million. A shorter key could be a status or a country.
SHORTEST_KEY = 8
# A password may be a word that names also hold. It leaves the process with a login only, whose answer is never stored.
LONGEST_WORD = 15
_MOST_ESCAPES = 3  # an escape may be escaped once more, and then be part of a URL
_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|-?[0-9][0-9.eE+-]*')  # a text or a number of JSON
_born: list[str] = []


def born_at_run_time() -> list[str]:
    """The tokens that this process was given, to mask them where no connection is at hand."""
    return _born


class Secrets:
    """The secrets that a connection knows. `passwords` are those of them that people choose."""

    def __init__(self, known: Iterable[str], passwords: Iterable[str] = ()) -> None:
        self._words = {each for each in passwords if each.isalpha() and len(each) <= LONGEST_WORD}
        self._known: list[str] = []
        self._know({*known})

    def learn(self, secret: str) -> None:
        """Mask one more from now on, here and in what this process says when it fails."""
        if secret not in self._known:
            self._know({secret})
            _born.append(secret)

    def _know(self, more: set[str]) -> None:
        # The longest first: one secret may be part of another. Of equal length in one order, so that the same text lands alike.
        self._known = sorted({*self._known, *more} - {""}, key=lambda each: (-len(each), each))
        self._strong = [each for each in self._known if _is_safe(each) and each not in self._words]
        needles = {needle.encode("utf-8", "surrogatepass") for each in self._strong for needle in _needles(each)}
        self._needles = Needles(needles)
        self._in_links = Needles([each for each in needles if may_be_escaped_in_links(each)])
        self._escapes = escapes_of(needles)

    def mask(self, text: str) -> str:
        """A message without any secret."""
        return _masked(text, self._known)

    def clean(self, body: bytes) -> bytes:
        """A body of strict JSON in which no text, no name of a field and no number is or holds a secret.

        >>> Secrets(["sk_live_1"]).clean(b'{"name":"Planta sk\\\\u005flive_1","quantity":1.50}')
        b'{"name": "Planta [secret]","quantity":1.50}'
        """
        if not self._may_be_in(body):
            return body
        cleaned = _TOKEN.sub(lambda token: _clean_token(token[0], self._strong), body)
        return body if cleaned == body else cleaned

    def _may_be_in(self, body: bytes) -> bool:
        if self._escapes is None or holds_one(body, self._escapes):
            stages = list(_stages(body.decode("utf-8", "replace")))
            return any(_is_odd(secret) or _is_in(stages, secret) for secret in self._strong)
        bare = body.replace(b"\\", b"") if b"\\" in body else body
        if self._needles.are_in(bare):
            return True
        return bool(self._in_links) and b"%" in bare and self._in_links.are_in(without_link_escapes(bare))


def _is_safe(secret: str) -> bool:
    return len(secret) >= SHORTEST_KEY


def _clean_token(token: bytes, secrets: list[str]) -> bytes:
    if not token.startswith(b'"'):
        return f'"{MASK}"'.encode() if token.decode() in secrets else token
    text = json.loads(token)
    masked = _masked(text, secrets)
    return token if masked == text else json.dumps(masked).encode()


def _masked(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        if _holds(text, secret):
            text = _pattern(secret).sub(MASK, text)
            if _holds(text, secret):
                return MASK  # in a form that has no pattern: better no text than this one
    return text


def _holds(text: str, secret: str) -> bool:
    return bool(_pattern(secret).search(text)) if _is_odd(secret) else _is_in(_stages(text), secret)


def _is_in(stages: Iterable[str], secret: str) -> bool:
    needles = [_bare(needle) for needle in _needles(secret)]
    return any(needle in stage for stage in stages for needle in needles)


def _is_odd(secret: str) -> bool:
    """Whether too little is left of a secret without its backslashes, to look for it in texts without theirs."""
    return "\\" in secret and not _is_safe(_bare(secret))


def _stages(text: str) -> Iterator[str]:
    """The text without backslashes, each time with one more kind of escape undone: of JSON, HTML, URLs, also one inside the other.

    Every stage counts, because a secret itself may look like an escape.
    """
    before = None
    for _ in range(_MOST_ESCAPES):
        if text == before:
            return
        before = text
        for undo in (str, partial(_ESCAPE.sub, _unescaped), html.unescape, unquote):
            undone = undo(text)
            if undone != text or undo is str:
                yield _bare(undone)
            text = undone


def _bare(text: str) -> str:
    return text.replace("\\", "")


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else f"%{found[2]}"  # a byte of UTF-8, as in a URL


@lru_cache(maxsize=256)
def _needles(secret: str) -> tuple[str, ...]:
    """What to look for in a text without escapes. Of base64, the part that does not depend on what stands beside the secret."""
    raw = secret.encode("utf-8", "surrogatepass")
    units = secret.encode("utf-16-be", "surrogatepass")
    as_units = "".join(chr(int.from_bytes(units[at : at + 2], "big")) for at in range(0, len(units), 2))
    found = [secret, as_units, secret.replace(" ", "+")]
    if _is_safe(secret):
        found += [raw.hex(), raw.hex().upper(), *_in_base64(raw)]
    return tuple(dict.fromkeys(found))


def _in_base64(raw: bytes) -> list[str]:
    found = []
    for before in range(3):
        coded = base64.b64encode(bytes(before) + raw).decode()
        core = coded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        found += [core, core.translate(str.maketrans("+/", "-_"))]
    return found


@lru_cache(maxsize=256)
def _pattern(secret: str) -> re.Pattern[str]:
    """The secret with each character in any form, and the whole of a text in base64 that holds it."""
    plain = "".join(map(_any_form, secret))
    others = (
        "".join(each if each.isalnum() else _any_form(each) for each in needle) for needle in _needles(secret)[1:]
    )
    # Up to three characters of base64 hold bits of the secret and of what stands beside it.
    beside = "[A-Za-z0-9+/_-]{0,3}"
    return re.compile("|".join([plain, *(f"{beside}{other}{beside}={{0,2}}" for other in others)]))


def _any_form(character: str) -> str:
    number = ord(character)
    raw = character.encode("utf-8", "surrogatepass")
    forms = [
        rf"\\{{0,8}}{re.escape(character)}",
        rf"(?i:\\{{1,8}}u{number:04x})",
        "(?i:" + "".join(rf"\\{{1,8}}x{byte:02x}" for byte in raw) + ")",
        "(?i:" + "".join(f"%(?:25){{0,3}}{byte:02x}" for byte in raw) + ")",
        rf"&#0{{0,4}}{number};",
        rf"(?i:&#x0{{0,4}}{number:x};)",
        re.escape(html.escape(character)),
    ]
    return f"(?:{'|'.join(forms)})"
