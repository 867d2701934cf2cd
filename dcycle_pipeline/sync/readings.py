"""How much of each organisation a publication rests on: all of it, a part, or nothing that was read when it was last asked for."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from dcycle_pipeline.errors import ForbiddenError, NotFoundError, UnauthorizedError, few
from dcycle_pipeline.landing.lists import FACILITIES_NOT_READ, HELD, NOT_READ, PROVEN, UNPROVEN
from dcycle_pipeline.readers.published_file import SECOND_RUNS, Published, dicts
from dcycle_pipeline.sync.trouble import ASK_FOR_ACCESS, HAPPENED, SYNC
from dcycle_pipeline.text import counted
from dcycle_pipeline.warehouse.gaps import GAPS
from dcycle_pipeline.warehouse.last_sweeps import CURRENT_LISTS

WHOLE, IN_PART, LEFT_OUT = "whole", "in part", "left out"
MOST_NAMED = 5
# What happened and what to do next, by outcome; the cause before what follows from it.
_TOLD = {
    UnauthorizedError.outcome: (HAPPENED[UnauthorizedError.outcome], "check the key with `dcycle-pipeline doctor`"),
    ForbiddenError.outcome: (HAPPENED[ForbiddenError.outcome], ASK_FOR_ACCESS),
    NotFoundError.outcome: (
        f"{HAPPENED[NotFoundError.outcome]}, or not in the tree any more",
        "ask Dcycle, or exclude it in DCYCLE_ORGANIZATIONS_FILE",
    ),
    HELD: (HAPPENED[HELD], "if that is right, run `" + SYNC + " --accept-drop {organization_id}`"),
    UNPROVEN: (HAPPENED[UNPROVEN], "read it again: launch `sync` for its partition"),
    NOT_READ: (HAPPENED[NOT_READ], "launch `sync` for all partitions"),
    FACILITIES_NOT_READ: (HAPPENED[FACILITIES_NOT_READ], "read it again: launch `sync` for its partition"),
}
_BY_ENDPOINT = f"""SELECT organization_id, endpoint, count(*) AS lists_count, count(*) FILTER (is_unproven) AS unproven_count,
    bool_or(is_unproven) AND NOT bool_or(outcome = '{PROVEN}') AS is_left_out,
    coalesce(list(DISTINCT run_id) FILTER (run_id IS NOT NULL), []) AS run_ids
FROM ({CURRENT_LISTS}) WHERE organization_id IS NOT NULL GROUP BY ALL"""
_COUNTED = ("unproven_lists", "quarantined", "doubtful_rows")
_NAMES = "SELECT organization_id, name FROM dcycle.organizations ORDER BY depth, name"


@dataclass(frozen=True)
class Reading:
    """One organisation: how many of its lists are unproven, items quarantined, rows in doubt; what happened, and what to do.

    `how_much` is one of the three words above. An organisation is left out if no list of one of its endpoints was proven when it was
    last asked for: its last rows stay, if it has any. `run_ids` are the runs that asked; `since` is when the first list was missed.
    """

    organization_id: str
    organization: str
    lists_count: int
    unproven_count: int
    quarantined_count: int
    doubtful_count: int
    how_much: str
    what: str
    do: str
    since: datetime | None
    run_ids: frozenset[str]

    def __str__(self) -> str:
        since = f" since {self.since:%Y-%m-%d %H:%M} UTC" if self.since else ""
        return f"{self.organization or self.organization_id}: {self.what}{since}: {self.do}"


def published_readings(file: Path) -> list[Reading]:
    """Each organisation of a published file, those that are left out first. Raises UnavailableError if nothing is published."""
    with Published(file) as published:
        return _readings(published.rows)


def second_runs(file: Path, run_ids: Iterable[str]) -> set[str]:
    """The runs that completed one of these."""
    with Published(file) as published:
        return {row["run_id"] for row in published.rows(SECOND_RUNS, [list(run_ids)])}


def working_readings(connection: duckdb.DuckDBPyConnection) -> list[Reading]:
    """The same of the working file."""
    return _readings(lambda query: dicts(connection.execute(query)))


def _readings(rows: Callable[[str], list[dict[str, Any]]]) -> list[Reading]:
    lists, gaps = rows(_BY_ENDPOINT), {name: rows(GAPS[name]) for name in _COUNTED}
    names = {row["organization_id"]: row["name"] or "" for row in rows(_NAMES)}
    known = dict.fromkeys([*names, *(row["organization_id"] for row in lists)])
    found = [_reading(each, names.get(each, ""), lists, gaps) for each in known]
    order = [LEFT_OUT, IN_PART, WHOLE]
    return sorted(found, key=lambda reading: order.index(reading.how_much))


def unread(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, str]]:
    """Each organisation and endpoint of which no list was proven when it was last asked for, as the working file has it."""
    return {
        (row["organization_id"], row["endpoint"])
        for row in dicts(connection.execute(_BY_ENDPOINT))
        if row["is_left_out"]
    }


def left_out_of(found: Iterable[Reading], run_ids: set[str]) -> list[Reading]:
    """The organisations that a run asked for in vain. `run_ids` are its own, and that of the run that it repeats."""
    return [each for each in found if each.how_much == LEFT_OUT and each.run_ids & run_ids]


def names_of(found: Iterable[Reading]) -> str:
    """The names of organisations, or the id of one that has none."""
    return ", ".join(each.organization or each.organization_id for each in found)


def told(left_out: Sequence[Reading], rest: str) -> str:
    """One line that names them, says what to do next, and what became of the `rest`; empty if there is none."""
    return f"Left out: {few([str(each) for each in left_out], MOST_NAMED)}. {rest}" if left_out else ""


def _reading(
    organization_id: str, name: str, lists: list[dict[str, Any]], gaps: dict[str, list[dict[str, Any]]]
) -> Reading:
    mine = [row for row in lists if row["organization_id"] == organization_id]
    unproven, quarantined, doubtful = (
        [row for row in gaps[kind] if row["organization_id"] == organization_id] for kind in _COUNTED
    )
    is_left_out = any(row["is_left_out"] for row in mine)
    how_much = LEFT_OUT if is_left_out else IN_PART if unproven or quarantined or doubtful else WHOLE
    what, do = _happened(Counter(row["outcome"] for row in unproven), len(quarantined), len(doubtful))
    return Reading(
        organization_id,
        name,
        sum(row["lists_count"] for row in mine),
        len(unproven),
        len(quarantined),
        len(doubtful),
        how_much,
        what,
        do.format(organization_id=organization_id),
        min((row["unproven_since"] for row in unproven if row["unproven_since"]), default=None),
        frozenset(run_id for row in mine if row["is_left_out"] for run_id in row["run_ids"]),
    )


def _happened(outcomes: Counter[str], quarantined: int, doubtful: int) -> tuple[str, str]:
    """What happened to an organisation, and what to do: about the cause alone, if the rest follows from it."""
    causes = [outcome for outcome in _TOLD if outcome in outcomes and outcome != FACILITIES_NOT_READ]
    causes += sorted(outcomes.keys() - _TOLD.keys()) or ([FACILITIES_NOT_READ] if outcomes and not causes else [])
    said = [_TOLD.get(outcome, (outcome, _TOLD[UNPROVEN][1])) for outcome in causes]
    if quarantined:
        said.append((f"{counted(quarantined, 'item')} cannot be used", "see `sync.quarantine`, and tell Dcycle"))
    if doubtful:
        said.append(
            (counted(doubtful, "row is in doubt", "rows are in doubt"), "decide with `dcycle-pipeline resolve`")
        )
    if not said:
        return "everything was read", ""
    return "; ".join(what for what, _ in said), said[0][1]
