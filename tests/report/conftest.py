"""The report over the sandbox's world, written once, and the page taken apart again."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.report.writing import Report, write_report
from dcycle_pipeline.sandbox import Behaviour, Sandbox, World
from dcycle_pipeline.settings import Look
from tests.conftest import Synced, settings_for, sync

NO_BEHAVIOUR = Behaviour()
VOID = {"meta", "link", "br", "img", "input", "hr", "base"}


@dataclass
class Node:
    """One element, and the text within it in the order of the page."""

    tag: str
    attributes: dict[str, str]
    parent: "Node | None" = None
    children: list["Node | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    @property
    def classes(self) -> set[str]:
        return set(self.attributes.get("class", "").split())

    def all(self, *tags: str) -> list["Node"]:
        """The elements below this one, of these tags (of any, where none is named)."""
        below = [child for child in self.children if isinstance(child, Node)]
        return [
            found for child in below for found in ([child] if not tags or child.tag in tags else []) + child.all(*tags)
        ]

    def above(self) -> list["Node"]:
        return [] if self.parent is None else [self.parent, *self.parent.above()]


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = self.here = Node("", {})

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs}, self.here)
        self.here.children.append(node)
        if tag not in VOID:
            self.here = node

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.here.children.append(Node(tag, {name: value or "" for name, value in attrs}, self.here))

    def handle_endtag(self, tag: str) -> None:
        assert self.here.tag == tag, f"<{self.here.tag}> is closed by </{tag}>"
        assert self.here.parent is not None
        self.here = self.here.parent

    def handle_data(self, data: str) -> None:
        self.here.children.append(data)


def parsed(page: str) -> Node:
    builder = _Builder()
    builder.feed(page)
    assert builder.here is builder.root, f"<{builder.here.tag}> is never closed"
    return builder.root


@dataclass(frozen=True)
class Written:
    """A report and what it was made from."""

    synced: Synced
    report: Report

    @property
    def html(self) -> str:
        return self.report.file.read_text(encoding="utf-8")


def written(world: World, folder: Path, behaviour: Behaviour = NO_BEHAVIOUR) -> Written:
    """Sync a world and write the report over it."""
    with Sandbox(world, behaviour) as sandbox:
        return reported(sync(settings_for(sandbox, folder)), folder)


def reported(synced: Synced, folder: Path) -> Written:
    """Write the report over what is published already."""
    published = DataFolder(synced.settings.data_dir).published
    return Written(synced, write_report(published, folder / "report.html", Look(), with_picture=True))


@pytest.fixture(scope="session")
def report(demo: Synced, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Over what the demo publishes."""
    return reported(demo, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="session")
def page(report: Written) -> Node:
    return parsed(report.html)
