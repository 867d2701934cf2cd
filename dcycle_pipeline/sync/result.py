"""What a run published and what may be missing from it, with the exit code that belongs to it. Telling it belongs to the rooms above."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.landing.lists import NOT_READ
from dcycle_pipeline.publish.sendings import last_sendings
from dcycle_pipeline.readers.published_file import RUN, Published
from dcycle_pipeline.sync import outcome
from dcycle_pipeline.sync.clock import noted_ahead
from dcycle_pipeline.warehouse.deliveries import DELIVERED
from dcycle_pipeline.warehouse.gaps import GAPS


def _asked(row: dict[str, Any], organizations: list[str]) -> bool:
    return not organizations or row["organization_id"] in organizations


def _is_told(row: dict[str, Any], organizations: list[str]) -> bool:
    """What no run has read, and what of the tree cannot be used, is missing from the file whoever was asked for."""
    return row.get("outcome") == NOT_READ or row["endpoint"] == ORGANIZATIONS.name or _asked(row, organizations)


def result_of(file: Path, run_id: str, organizations: list[str]) -> dict[str, Any]:
    """What `result_in` says of the file as it is now."""
    with Published(file) as published:
        return result_in(published, run_id, organizations)


def result_in(published: Published, run_id: str, organizations: list[str]) -> dict[str, Any]:
    """What one run published, what is unproven or quarantined of the organisations asked for (all, if none is named), and what the
    destinations have of it.
    """
    facts = published.rows(RUN, [run_id])[0]
    gaps = told_gaps({name: published.rows(query) for name, query in GAPS.items()}, organizations)
    sent = last_sendings(DataFolder(published.file.parent), facts["published_at"]) if facts["published_at"] else []
    lacking = undelivered(sent)
    return {
        "exit_code": outcome.GAPS if any(gaps.values()) or lacking else outcome.OK,
        "file": published.file.absolute(),
        "clock": noted_ahead(facts["published_at"], datetime.now(UTC)) if facts["published_at"] else "",
        **facts,
        **gaps,
        "destinations": sent,
    }


def told_gaps(gaps: dict[str, list[dict[str, Any]]], organizations: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Of what a file may lack, by the names of `warehouse/gaps.py`, that which concerns the organisations asked for (all, if none is named)."""

    def is_told(name: str, row: dict[str, Any]) -> bool:
        if name == "listed_twice":
            return not organizations or not set(organizations).isdisjoint(row["organization_ids"])
        return _asked(row, organizations) if name == "doubtful_rows" else _is_told(row, organizations)

    return {name: [row for row in rows if is_told(name, row)] for name, rows in gaps.items()}


def undelivered(sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The destinations that lack what is published."""
    return [one for one in sent if one["outcome"] != DELIVERED]
