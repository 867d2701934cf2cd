"""Declares which members the figures of a tree lack: organisations that are excluded, or of which something was not read."""

from dcycle_pipeline.schema import Column
from dcycle_pipeline.summaries.declaration import (
    EXCLUDED,
    LISTS,
    ORGANIZATIONS,
    QUARANTINE,
    Summary,
    member_organization_id,
    organization_id,
)

MISSING_MEMBERS = Summary(
    "summaries",
    "missing_members",
    "One row per organisation and member of its tree, itself included, of which figures may be missing or old: it is excluded, was "
    "not read, is denied, has unproven lists, or a node below it cannot be used",
    ("organization_id", "member_organization_id"),
    (
        organization_id(ORGANIZATIONS),
        member_organization_id(f"{ORGANIZATIONS}, {EXCLUDED}"),
        Column(
            "reason",
            "VARCHAR",
            "What is missing of it",
            f"{LISTS}, {QUARANTINE}, {EXCLUDED}",
            example="2 lists forbidden",
        ),
    ),
    f"{LISTS}, {QUARANTINE} and {EXCLUDED}",
    sources=(ORGANIZATIONS, EXCLUDED, LISTS, QUARANTINE),
)

MISSING = MISSING_MEMBERS.qualified


def missing_member_count() -> Column:
    """How many members the figures of the tree lack. It says how the sweeps went, so it is no content."""
    return Column(
        "missing_member_count",
        "BIGINT",
        "Organisations of the tree, itself included, of which figures may be missing or old; 0 if the tree is whole",
        MISSING,
        "1",
        stamp="origin",
        example="0",
        additivity="none",
        never_over="organisations, months or years",
    )
