"""Text in lines that fit a terminal: nothing that is read as one thing is split. What is said belongs to others."""

import os
import re
from collections.abc import Iterator
from typing import TextIO

_USUAL_COLUMNS = 80  # of a terminal that does not know its size
_INDENT = "  "  # of the second line and those after it
# What is read or copied as one: a command, a moment or a span of days, a number with its unit. Longer ones than a line cannot stay whole.
_DAY = r"\d{4}-\d\d-\d\d"
_MOMENT = rf"{_DAY}(?: \d\d:\d\d(?::\d\d)?(?: UTC)?)?"
_UNIT = re.compile(rf"`[^`]+`\S*|\S*{_MOMENT}(?: – {_DAY})?\S*|\S*\d \S+(?: ago\b\S*)?|\S+")


def columns_of(stream: TextIO) -> int | None:
    """How many columns the terminal behind a stream has; None if there is no terminal."""
    try:
        return (os.get_terminal_size(stream.fileno()).columns or _USUAL_COLUMNS) if stream.isatty() else None
    except (OSError, ValueError):
        return None


def fitted(text: str, stream: TextIO) -> str:
    """One line of text, in as many as the terminal behind `stream` needs for it; as it is if there is no terminal."""
    columns = columns_of(stream)
    if columns is None or len(text) < columns // 2:  # no character takes more than two columns
        return text
    first, *rest = wrapped(text, columns - len(_INDENT))
    return "\n".join([first, *(f"{_INDENT}{line}" for line in rest)])


def cut(text: str, stream: TextIO) -> str:
    """One line of text that ends with `…` where the terminal does; as it is if it fits or if there is no terminal."""
    columns = columns_of(stream)
    if columns is None or width_of(text) <= columns:
        return text
    first = wrapped(text, columns - 2)[0]
    return f"{first} …"


def units(text: str) -> list[str]:
    """The parts of a text that may not be split: words, and what is read as one."""
    return _UNIT.findall(text)


def wrapped(text: str, columns: int) -> list[str]:
    """The text in lines of so many columns, at least one. What is longer than a line has one of its own, and is split at spaces at most."""
    if width_of(text) <= columns:
        return [text]
    lines = [""]
    for gap, one in _parts(text, columns):
        if not lines[-1].strip() or width_of(lines[-1] + gap + one) <= columns:
            lines[-1] += gap + one
        else:
            lines.append(one)
    return lines


def _parts(text: str, columns: int) -> Iterator[tuple[str, str]]:
    """What may not be split, each with the space before it; a unit that is longer than a line in words."""
    ended = 0
    for unit in _UNIT.finditer(text):
        gap = text[ended : unit.start()]
        for word in [unit[0]] if width_of(unit[0]) <= columns else unit[0].split(" "):
            yield gap, word
            gap = " "
        ended = unit.end()


def width_of(text: str) -> int:
    """How many columns a text takes."""
    from rich.cells import cell_len  # noqa: PLC0415 - short texts do without

    return len(text) if text.isascii() else cell_len(text)
