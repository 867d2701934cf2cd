"""README and the chapters as tests look at them: tables, code, links and headings. What must hold of them is in the tests."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "dcycle_pipeline" / "docs"
_FENCED = re.compile(r"^```([a-z]*)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of code: its language, its text, and the Markdown that follows it."""

    language: str
    text: str
    following: str

    @property
    def table(self) -> list[list[str]] | None:
        """The cells of the table that stands right below it, its header first; None if none does."""
        if not self.following.startswith("\n|"):
            return None
        below = self.following.removeprefix("\n")
        return [[cell.strip() for cell in below.splitlines()[0].strip("|").split("|")], *rows(below)]


@dataclass(frozen=True)
class Chapter:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        return [Block(found[1], found[2], self.text[found.end() :]) for found in _FENCED.finditer(self.text)]

    def code(self, *languages: str) -> list[Block]:
        return [block for block in self.blocks if block.language in languages]

    @cached_property
    def prose(self) -> str:
        """The text without fenced blocks."""
        return _FENCED.sub("", self.text)

    @cached_property
    def spans(self) -> list[str]:
        """What stands between backticks in the prose."""
        return names(self.prose)

    @cached_property
    def links(self) -> list[str]:
        return re.findall(r"\]\(([^)\s]+)\)", self.prose)

    @cached_property
    def anchors(self) -> set[str]:
        """The targets that GitHub gives to headings."""
        headings = re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    def table(self, header: str) -> list[list[str]]:
        """The cells of the rows below the first table header that starts like this."""
        return rows(self.text[self.text.index(header) :])


def rows(markdown: str) -> list[list[str]]:
    """The cells of a table, without its header, that stands at the beginning."""
    taken = []
    for line in markdown.splitlines()[2:]:
        if not line.startswith("|"):
            break
        taken.append([cell.strip() for cell in line.strip("|").split("|")])
    return taken


def names(markdown: str) -> list[str]:
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", markdown)]


README = Chapter(ROOT / "README.md")
CHAPTERS = {path.stem: Chapter(path) for path in sorted(FOLDER.glob("*.md"))}
ALL = (README, *CHAPTERS.values())
