"""Organisations: the tree of the group, flattened. It is one answer without pages, so it needs no passes and no proof.

What of the tree is sound is taken. What is not is named, and stops nothing.

Source: code.dcycle.io/api-reference/organizations/tree.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import msgspec

from dcycle_pipeline.errors import ContractError
from dcycle_pipeline.schema import Column, Table

PATH = "/v2/organizations/tree"
_SOURCE = f"GET {PATH}"

ORGANIZATIONS = Table(
    "dcycle",
    "organizations",
    "One row per organisation of the group that is synced",
    ("organization_id",),
    (
        Column("organization_id", "VARCHAR", "Organisation", f"{_SOURCE}: id"),
        Column("name", "VARCHAR", "Name of the organisation", f"{_SOURCE}: name"),
        Column("parent_organization_id", "VARCHAR", "Organisation above it in the tree; null for the root", _SOURCE),
        Column("depth", "INTEGER", "Steps below the root of the tree; 0 for the root", _SOURCE, "1", additivity="none"),
    ),
    _SOURCE,
)


@dataclass(frozen=True)
class Organization:
    """One node of the tree. `depth` counts the steps from the root, which has 0."""

    organization_id: str
    name: str
    parent_organization_id: str | None
    depth: int


@dataclass(frozen=True)
class UnusableNode:
    """A node, or the children of one, that cannot be used, and why. It stands below a sound organisation, or below none.

    `item_id` is its id, empty if nobody can read it; `item` what of it may land, as JSON.
    """

    parent_organization_id: str | None
    item_id: str
    reason: str
    item: str


@dataclass
class Tree:
    """The sound nodes, parents first, and what cannot be used. `root_id` is None if that is the root."""

    organizations: list[Organization] = field(default_factory=list)
    unusable: list[UnusableNode] = field(default_factory=list)
    root_id: str | None = None


def flatten(answer: Any) -> Tree:
    """The nodes of the tree. `answer` is the tree as plain Python values: id, name, children.

    What stands below an unusable node belongs to the nearest sound one above. Of an organisation that is in the tree twice, the
    place nearest to the root counts, with all children. Raises ContractError if no node is sound.
    """
    tree, found = Tree(), dict[str, Organization]()
    waiting: deque[tuple[Any, Organization | None]] = deque([(answer, None)])
    while waiting:
        node, above = waiting.popleft()
        fields = node if isinstance(node, dict) else {}
        identifier, children, below = fields.get("id"), fields.get("children"), above
        readable = identifier if isinstance(identifier, str) and _is_usable(identifier) else ""
        problems = [_problem(node, above, found)]
        if readable:
            depth = above.depth + 1 if above else int(node is not answer)
            name = fields["name"] if isinstance(fields.get("name"), str) else readable
            below = found.setdefault(readable, Organization(readable, name, _id(above), depth))
        if isinstance(children, list):
            waiting.extend((child, below) for child in children)
        elif children is not None:
            problems.append(f"its children are {_kind(children)}, not a list")
        tree.unusable += [UnusableNode(_id(above), readable, problem, _kept(fields)) for problem in problems if problem]
    tree.organizations = list(found.values())
    tree.root_id = next((o.organization_id for o in tree.organizations[:1] if o.depth == 0), None)
    if not found:
        raise ContractError(f"{_SOURCE}: no node has a usable id, so no organisation is known: report it to Dcycle.")
    return tree


def _problem(node: Any, above: Organization | None, found: dict[str, Organization]) -> str:
    """Why a node cannot be used; empty if it can."""
    if not isinstance(node, dict):
        return f"the node is {_kind(node)}, not an object"
    identifier = node.get("id")
    if not isinstance(identifier, str):
        return f"its id is {_kind(identifier)}, not a text" if "id" in node else "it has no id"
    if not _is_usable(identifier):
        return "its id is empty or holds characters that no id has"
    if first := found.get(identifier):
        here, there = (
            f"below {parent}" if parent else "as the root" for parent in (_id(above), first.parent_organization_id)
        )
        return f"the organisation is in the tree twice, {there}, where it counts, and {here}"
    return ""


def _id(organization: Organization | None) -> str | None:
    return organization.organization_id if organization else None


def _is_usable(identifier: str) -> bool:
    """Whether an id can name an organisation in a header: printable ASCII, with nothing around it that gets lost on the way."""
    return bool(identifier) and identifier.isascii() and identifier.isprintable() and identifier == identifier.strip()


def _kind(value: Any) -> str:
    kinds = {type(None): "null", bool: "a truth value", str: "a text", dict: "an object", list: "a list"}
    return kinds.get(type(value), "a number")


def _kept(fields: dict[str, Any]) -> str:
    """Id and name of a node, if they are texts or numbers: nothing else is known to be free of personal data."""
    shown = {name: fields[name] for name in ("id", "name") if isinstance(fields.get(name), str | int | float)}
    return msgspec.json.encode(shown).decode()
