"""Text for people: foreign text made safe to show, which are names, ids and messages that others wrote; and numbers of things.

Where it is shown belongs to other rooms.
"""

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


def counted(count: int, one: str, several: str = "") -> str:
    """So many of something, for people: `1 list`, `1,200 lists`. `several` is the word for more than one, if it takes more than an s."""
    return f"{count:,} {one if count == 1 else several or f'{one}s'}"


def with_id(name: str | None, identifier: str) -> str:
    """How people read an organisation or facility: its name, then its id; the id alone if it has no name."""
    return f"{name} ({identifier})" if name and name != identifier else identifier


def isolated(text: str) -> str:
    """The text so that its letters, which may run from right to left, cannot turn what stands beside it."""
    turns = any(unicodedata.bidirectional(each) in _RIGHT_TO_LEFT for each in text)
    return f"{_ISOLATE}{text}{_END_OF_ISOLATE}" if turns else text


def markdown(text: str) -> str:
    """The text as Markdown that shows it as it is: nothing becomes a link, a cell, an element or an image."""
    return _MARKDOWN.sub(r"\\\g<0>", plain(text))
