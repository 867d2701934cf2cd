"""What an operator has to know of a result: what is wrong, in which organisation, since when, and the next command.

One trouble stands for all lists or rows of an organisation that are wrong in the same way. How it is shown belongs to the rooms above.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from dcycle_pipeline.endpoints import facilities, total_impacts, waste_water_treatments
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.errors import ForbiddenError, NotFoundError, UnauthorizedError
from dcycle_pipeline.landing.lists import FACILITIES_NOT_READ, HELD, NOT_FOUND, NOT_READ, UNPROVEN, without_request
from dcycle_pipeline.sync.result import undelivered
from dcycle_pipeline.text import counted

Row = dict[str, Any]
SYNC, DOCTOR = "dcycle-pipeline sync", "dcycle-pipeline doctor"
RESOLVE, REDATE = "dcycle-pipeline resolve", "dcycle-pipeline redate"
NOTHING_TO_DO = "nothing"
# What happened, by outcome; the cause before what follows from it.
HAPPENED = {
    UnauthorizedError.outcome: "its key is not accepted (401)",
    ForbiddenError.outcome: "access refused (403)",
    NotFoundError.outcome: "not found (404)",
    HELD: "very many rows vanished at once",
    UNPROVEN: "could not be read with proof",
    NOT_READ: "no run has read it yet",
    FACILITIES_NOT_READ: "its facilities could not be read",
}
ASK_FOR_ACCESS = "ask Dcycle for access, or exclude it in DCYCLE_ORGANIZATIONS_FILE"
# Of these outcomes the API's own words say no more, but for what to do.
_SAYS_ALL = {
    UnauthorizedError.outcome: "",
    ForbiddenError.outcome: f"; {ASK_FOR_ACCESS}",
    NotFoundError.outcome: "",
    NOT_READ: "",
}
_IN_WORDS = {
    waste_water_treatments.ENDPOINT.name: "waste-water records",
    total_impacts.ENDPOINT.name: "Dcycle's own totals",
}


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
        *(each for _, rows in _by(result["unproven_lists"], ("organization_id",)) for each in _refused(rows, names)),
        *_each(result["quarantined"], ("organization_id", "endpoint"), _quarantined, names),
        *_each(result["doubtful_rows"], ("organization_id", "endpoint"), _doubtful, names),
        *_each(result["listed_twice"], ("counted_organization_id", "endpoint"), _twice, names),
        *(Trouble(f"destination {one['destination']} {one['outcome']}: {one['reason']}", DOCTOR) for one in undelivered(result["destinations"])),
    ]  # fmt: skip


def next_command(found: Iterable[Trouble]) -> str:
    """The command that helps first; the word for none if nothing is wrong."""
    return next((trouble.do for trouble in found), NOTHING_TO_DO)


def called(endpoint: str) -> str:
    """An endpoint in words."""
    return _IN_WORDS.get(endpoint, endpoint.replace("_", " "))


def _each(
    rows: list[Row], by: tuple[str, ...], told: Callable[[list[Row]], tuple[str, str]], names: dict[str, str]
) -> Iterator[Trouble]:
    for _, alike in _by(rows, by):
        yield _trouble(alike, *told(alike), names, by[0])


def _by(rows: list[Row], names: tuple[str, ...]) -> Iterator[tuple[Hashable, list[Row]]]:
    def key(row: Row) -> tuple[Hashable, ...]:
        return tuple(row[name] for name in names)

    for value, alike in groupby(sorted(rows, key=key), key):
        yield value, list(alike)


def _trouble(rows: list[Row], what: str, do: str, names: dict[str, str], whose: str = "organization_id") -> Trouble:
    since = [moment for row in rows if (moment := row.get("unproven_since") or row.get("doubtful_since"))]
    identifier = rows[0][whose]
    return Trouble(what, do, identifier, names.get(identifier, ""), min(since, default=None))


def _refused(rows: list[Row], names: dict[str, str]) -> Iterator[Trouble]:
    """What of one organisation was not read, a trouble for each cause. What follows from a cause is part of it."""
    by_outcome: dict[str, list[Row]] = {}
    for row in rows:
        by_outcome.setdefault(row["outcome"], []).append(row)
    for outcome in sorted(by_outcome, key=lambda one: list(HAPPENED).index(one) if one in HAPPENED else len(HAPPENED)):
        if any(row["endpoint"] in (facilities.FACILITIES.name, ORGANIZATIONS.name) for row in by_outcome[outcome]):
            by_outcome[outcome] += by_outcome.pop(FACILITIES_NOT_READ, [])
            break
    for outcome, alike in by_outcome.items():
        yield _trouble(alike, *_unproven(outcome, alike), names)


def _unproven(outcome: str, rows: list[Row]) -> tuple[str, str]:
    first = rows[0]
    if left := [row for row in rows if row["endpoint"] == ORGANIZATIONS.name and outcome == NOT_FOUND]:
        return without_request(left[0]["reason"]), DOCTOR  # who is not in the tree cannot be read
    do = {
        UnauthorizedError.outcome: DOCTOR,
        ForbiddenError.outcome: DOCTOR,
        HELD: f"{SYNC} --accept-drop {first['organization_id']}",
        NOT_READ: SYNC,
    }
    words = HAPPENED.get(outcome, outcome)
    said = f"{words}: {_parts(rows)}"
    if outcome in _SAYS_ALL:
        said = f"{said}{_SAYS_ALL[outcome]}"
    elif outcome == FACILITIES_NOT_READ:
        said = f"{_parts(rows)}: {without_request(first['reason'])}"
    else:
        said = f"{said}: {without_request(first['reason'])}"
    return said, do.get(outcome, f"{SYNC} --organization {first['organization_id']}")


def _parts(rows: list[Row]) -> str:
    """Which lists these are, in words."""
    by_endpoint: dict[str, list[Row]] = {}
    for row in rows:
        by_endpoint.setdefault(row["endpoint"], []).append(row)
    return ", ".join(f"{called(endpoint)}{_of_which(alike)}" for endpoint, alike in by_endpoint.items())


def _of_which(rows: list[Row]) -> str:
    names = [row["facility"] or row["facility_id"] for row in rows if row["facility_id"]]
    if len(names) < len(rows):
        return ""
    more = f" and {counted(len(names) - 1, 'more', 'more')}" if names[1:] else ""
    return f" of facility {names[0]}{more}"


def _quarantined(rows: list[Row]) -> tuple[str, str]:
    first = rows[0]
    said = f"{called(first['endpoint'])}: {counted(len(rows), 'item')} quarantined"
    return (
        f"{said}, the first {first['item_id'] or 'without id'}: {first['reason']}",
        f"{SYNC} --organization {first['organization_id']}",
    )


def _doubtful(rows: list[Row]) -> tuple[str, str]:
    return (
        f"{called(rows[0]['endpoint'])}: {counted(len(rows), 'row')} in doubt, the first {rows[0]['item_id']}",
        RESOLVE,
    )


def _twice(rows: list[Row]) -> tuple[str, str]:
    return (
        f"{called(rows[0]['endpoint'])}: {len(rows):,} listed by several organisations, the first {rows[0]['item_id']}",
        DOCTOR,
    )
