"""What an operator has to know of a result: what is wrong, in which organisation, since when, and the next command.

One trouble stands for all lists or rows of an organisation that are wrong in the same way. How it is shown belongs to the rooms above.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from dcycle_pipeline.errors import ForbiddenError, UnauthorizedError
from dcycle_pipeline.landing.lists import HELD, NOT_READ
from dcycle_pipeline.sync.result import undelivered

Row = dict[str, Any]
SYNC, DOCTOR = "dcycle-pipeline sync", "dcycle-pipeline doctor"
RESOLVE, REDATE = "dcycle-pipeline resolve", "dcycle-pipeline redate"
NOTHING_TO_DO = "nothing"


@dataclass(frozen=True)
class Trouble:
    """`what` is wrong in one organisation (of none, if `organization_id` is empty), `since` when it is known, and what to `do`: a command."""

    what: str
    do: str
    organization_id: str = ""
    organization: str = ""
    since: datetime | None = None

    def __str__(self) -> str:
        whose = f"{self.organization or 'organisation'} ({self.organization_id})" if self.organization_id else ""
        since = f"since {self.since:%Y-%m-%d %H:%M} UTC" if self.since else ""
        where = ", ".join(filter(None, (whose, since)))
        return f"{where}: {self.what}" if where else self.what


def troubles(result: Row) -> list[Trouble]:
    """What is wrong with what `sync.result` says, by organisation. Empty if nothing is."""
    names = {row["organization_id"]: row["name"] or "" for row in result["organizations"]}
    return [
        *([Trouble(result["clock"], REDATE)] if result["clock"] else []),
        *_each(result["unproven_lists"], ("organization_id", "endpoint", "outcome"), _unproven, names),
        *_each(result["quarantined"], ("organization_id", "endpoint"), _quarantined, names),
        *_each(result["doubtful_rows"], ("organization_id", "endpoint"), _doubtful, names),
        *_each(result["listed_twice"], ("counted_organization_id", "endpoint"), _twice, names),
        *(Trouble(f"destination {one['destination']} {one['outcome']}: {one['reason']}", DOCTOR) for one in undelivered(result["destinations"])),
    ]  # fmt: skip


def next_command(found: Iterable[Trouble]) -> str:
    """The command that helps first; the word for none if nothing is wrong."""
    return next((trouble.do for trouble in found), NOTHING_TO_DO)


def _each(
    rows: list[Row], by: tuple[str, ...], told: Callable[[list[Row]], tuple[str, str]], names: dict[str, str]
) -> Iterator[Trouble]:
    def key(row: Row) -> tuple[Hashable, ...]:
        return tuple(row[name] for name in by)

    for _, alike in groupby(sorted(rows, key=key), key):
        same = list(alike)
        what, do = told(same)
        since = [moment for row in same if (moment := row.get("unproven_since") or row.get("doubtful_since"))]
        identifier = same[0][by[0]]
        yield Trouble(what, do, identifier, names.get(identifier, ""), min(since, default=None))


def _unproven(rows: list[Row]) -> tuple[str, str]:
    first = rows[0]
    only = f"--organization {first['organization_id']}"
    do = {
        UnauthorizedError.outcome: DOCTOR,
        ForbiddenError.outcome: DOCTOR,
        HELD: f"{SYNC} --accept-drop {first['organization_id']}",
    }
    where = f" of facility {first['facility'] or first['facility_id']}" if first["facility_id"] else ""
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    what = f"{first['endpoint']}{where}{more}: {first['outcome']}: {first['reason']}"
    return what, do.get(first["outcome"], SYNC if first["outcome"] == NOT_READ else f"{SYNC} {only}")


def _quarantined(rows: list[Row]) -> tuple[str, str]:
    first = rows[0]
    what = f"{first['endpoint']}: {len(rows)} items quarantined, the first {first['item_id'] or 'without id'}: {first['reason']}"
    return what, f"{SYNC} --organization {first['organization_id']}"


def _doubtful(rows: list[Row]) -> tuple[str, str]:
    return f"{rows[0]['endpoint']}: {len(rows)} rows in doubt, the first {rows[0]['item_id']}", RESOLVE


def _twice(rows: list[Row]) -> tuple[str, str]:
    return f"{rows[0]['endpoint']}: {len(rows)} listed by several organisations, the first {rows[0]['item_id']}", DOCTOR
