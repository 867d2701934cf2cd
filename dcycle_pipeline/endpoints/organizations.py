"""Organisations: the tree of the group, flattened. It is one answer without pages, so it needs no passes and no proof.

Source: code.dcycle.io/api-reference/organizations/tree.
"""

from dataclasses import dataclass
from typing import Any

from dcycle_pipeline.errors import ContractError
from dcycle_pipeline.schema import Column, Table

PATH = "/v2/organizations/tree"
_SOURCE = f"GET {PATH}"
_REPORT = "So the organisations are not known: report it to Dcycle."

ORGANIZATIONS = Table(
    "dcycle",
    "organizations",
    "One row per organisation of the group that is synced",
    ("organization_id",),
    (
        Column("organization_id", "VARCHAR", "Organisation", f"{_SOURCE}: id"),
        Column("name", "VARCHAR", "Name of the organisation", f"{_SOURCE}: name"),
        Column("parent_organization_id", "VARCHAR", "Organisation above it in the tree; null for the root", _SOURCE),
        Column("depth", "INTEGER", "Steps below the root of the tree; 0 for the root", _SOURCE, "1"),
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


def flatten(tree: Any) -> list[Organization]:
    """The nodes of the tree, parents first. `tree` is the answer as plain Python values: id, name, children.

    Raises ContractError if a node has no usable id or children, or if an organisation is in the tree twice.
    """
    found: dict[str, Organization] = {}
    waiting: list[tuple[Any, str | None, int]] = [(tree, None, 0)]
    while waiting:
        node, parent, depth = waiting.pop(0)
        organization = _node(node, parent, depth)
        if organization.organization_id in found:
            raise ContractError(
                f"{_SOURCE}: organisation {organization.organization_id} is in the tree twice. {_REPORT}"
            )
        found[organization.organization_id] = organization
        children = node.get("children") or []
        if not isinstance(children, list):
            raise ContractError(
                f"{_SOURCE}: the children of organisation {organization.organization_id} are not a list. {_REPORT}"
            )
        waiting.extend((child, organization.organization_id, depth + 1) for child in children)
    return list(found.values())


def _node(node: Any, parent: str | None, depth: int) -> Organization:
    identifier = node.get("id") if isinstance(node, dict) else None
    if (
        not isinstance(identifier, str)
        or not identifier.isascii()
        or not identifier.isprintable()
        or not identifier.strip()
    ):
        raise ContractError(
            f"{_SOURCE}: {f'a node below organisation {parent}' if parent else 'the root'} has no usable id. {_REPORT}"
        )
    name = node.get("name")
    return Organization(identifier, name if isinstance(name, str) else identifier, parent, depth)
