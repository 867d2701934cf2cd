"""Foreign text, made safe to show: names, ids and messages that other people wrote. Where it is shown belongs to other rooms."""

import re
import unicodedata

_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # Persian and joined emoji need them
_RIGHT_TO_LEFT = ("R", "AL", "AN")
_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"
# What acts in Markdown, and what makes a link of its own: addresses of pages and of people. Underscores within a word do nothing.
_MARKDOWN = re.compile(r"[\\`*\[\]<>&|~!#$@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=www)\.", re.IGNORECASE)


def plain(text: str) -> str:
    """The text with all that hides or acts made visible: control characters, line ends, marks that turn the direction of text.

    Noncharacters (U+FFFE, U+FFFF and their like), which XML forbids, are made visible too.
    """
    return "".join(ascii(each)[1:-1] if _is_hidden(each) else each for each in text)


def _is_hidden(character: str) -> bool:
    if unicodedata.category(character) in _HIDDEN:
        return character not in _JOINERS
    code = ord(character)
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


def isolated(text: str) -> str:
    """The text so that its letters, which may run from right to left, cannot turn what stands beside it."""
    turns = any(unicodedata.bidirectional(each) in _RIGHT_TO_LEFT for each in text)
    return f"{_ISOLATE}{text}{_END_OF_ISOLATE}" if turns else text


def markdown(text: str) -> str:
    """The text as Markdown that shows it as it is: nothing becomes a link, a cell, an element or an image."""
    return _MARKDOWN.sub(r"\\\g<0>", plain(text))
