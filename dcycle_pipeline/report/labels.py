"""Names as charts show them: short enough for their place. The whole name stands in the table.

The chart engine must never shorten a text itself: it cuts characters beyond U+FFFF in halves and fails of that.
"""

import unicodedata
from collections.abc import Iterator

_ELLIPSIS = "…"
_LONGEST = 120  # characters, for those without any width
_JOINER = "\u200d"
_WITHOUT_WIDTH = frozenset("\u200c\u200d\ufe0e\ufe0f")
_MARKS = ("Mn", "Mc", "Me")
_NARROW, _BROAD = frozenset("iIjlftr.,:;|!'()[]- "), frozenset("mwMW%@&—…")


def shortened(text: str, ems: float) -> str:
    """The text, or its beginning with an ellipsis if it is wider than `ems`, in font sizes and by estimate.

    Marks and joined characters count too: a font that lacks them shows each as a box.
    """
    kept, width = "", 0.0
    for letter in _letters(unicodedata.normalize("NFC", text)):
        width += sum(map(_ems, letter))
        if width > ems or len(kept) + len(letter) > _LONGEST:
            return (kept or letter[: int(ems)]) + _ELLIPSIS
        kept += letter
    return text


def _letters(text: str) -> Iterator[str]:
    """Each character with the marks upon it and with what is joined to it."""
    start = 0
    for at in range(1, len(text)):
        if not (text[at] == _JOINER or text[at - 1] == _JOINER or _is_mark(text[at])):
            yield text[start:at]
            start = at
    if text:
        yield text[start:]


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in _MARKS or "\U0001f3fb" <= character <= "\U0001f3ff"


def _ems(character: str) -> float:
    if character in _WITHOUT_WIDTH:
        return 0
    if character > "\uffff":
        return 2.4  # as the engine measures it if no font has it
    if unicodedata.east_asian_width(character) in "WF" or unicodedata.category(character) == "So":
        return 1.3
    if character in _NARROW:
        return 0.3
    return 0.85 if character in _BROAD or character.isupper() else 0.56
