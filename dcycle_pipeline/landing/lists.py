"""One list of the API: its key, and its result, which goes unchanged from the API to `sync.lists`.

How its pages are asked for belongs to `fetch`; where they land, to `files`.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime

from dcycle_pipeline.api.fingerprint import Fingerprint
from dcycle_pipeline.api.types import Proof

PROVEN = "proven"
UNPROVEN = "unproven"
HELD = "held"
NOT_FOUND = "not_found"
FACILITY_DELETED = "facility_deleted"
FACILITIES_NOT_READ = "facilities_not_read"
NO_FACILITIES = "no_facilities"
NOT_READ = "not_read"
ANSWERED = "answered"
# After these outcomes nothing of the list can be missing.
NOTHING_MISSING = (PROVEN, FACILITY_DELETED, NO_FACILITIES, ANSWERED)
_REQUEST = re.compile(r"GET \S+ \(organisation [^()]*\): ")


def without_request(reason: str) -> str:
    """A reason without the request that it begins with: of a line that names organisation, endpoint and facility already."""
    return _REQUEST.sub("", reason)


@dataclass(frozen=True)
class DoubtfulRow:
    """A row that its list no longer shows although the API does not say that it is gone. Its last version stays."""

    item_id: str
    facility_id: str | None
    reason: str


@dataclass(frozen=True)
class Decision:
    """What a person decided about a doubtful row, `deleted` or `kept`: who, and why."""

    item_id: str
    decision: str
    decided_by: str
    reason: str


@dataclass(frozen=True)
class Backfill:
    """What a backfill is for: the days of its period, both inclusive, and why and by whom it was asked for, as given."""

    first_day: date
    last_day: date
    reason: str = ""
    by: str = ""


@dataclass(frozen=True)
class ListKey:
    """Which list: organisation, endpoint, and the facility if the endpoint has one list per facility. A total has a calendar year."""

    organization_id: str
    endpoint: str
    facility_id: str | None = None
    year: int | None = None

    def __str__(self) -> str:
        part = f", facility {self.facility_id}" if self.facility_id else f", year {self.year}" if self.year else ""
        return f"organisation {self.organization_id}, {self.endpoint}{part}"


@dataclass(frozen=True)
class ListResult:
    """What became of one list in a run, or of the total of one year.

    `outcome` is one of the words above, or that of a ListError. `reason` says why something may be missing; it is empty if nothing is.
    `landed_file` is relative to the folder of landed pages; only a list that is proven, or a total that was answered, has one.
    `fingerprint` is what a later read compares a proven list with; `unreadable` are fields that are null in some of its rows because
    nobody could read them. `rows_print` is the print of the ids that its rows have in the tables, see `warehouse/compared.py`.
    `is_out_of_time` says that the time of its organisation, or of the run, was used up when it was left unproven.
    `deleted_count` counts rows that the API confirmed to be gone, `quarantined_count` items that cannot be used. Both are known
    once the list is merged.
    """

    key: ListKey
    outcome: str
    reason: str
    started_at: datetime
    finished_at: datetime
    run_id: str
    proof: Proof | None = None
    landed_file: str | None = None
    deleted_count: int = 0
    quarantined_count: int = 0
    fingerprint: Fingerprint | None = None
    unreadable: tuple[str, ...] = ()
    rows_print: str = ""
    is_out_of_time: bool = False

    @property
    def nothing_missing(self) -> bool:
        """Whether the list was read whole, or has no rows to read."""
        return self.outcome in NOTHING_MISSING

    @property
    def rows_count(self) -> int:
        """Distinct rows of a proven list, 1 for a total that was answered, else 0."""
        return self.proof.distinct if self.proof and self.outcome == PROVEN else int(self.outcome == ANSWERED)
