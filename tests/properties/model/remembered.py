"""What the history must hold, worked out from the sweeps that were settled and the states that the world had meanwhile."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any

from tests.conftest import BUSINESS
from tests.properties.model.chronicle import Chronicle, Row, Rows, State

LARGE_DROP_PERCENT = 20
LISTS = {"facilities": ("categories", "cups_codes", "fuel_ids"), "waste_water_treatments": ("projects",)}
COLUMNS = {table: (*names.split(", "), *LISTS[table]) for table, names in BUSINESS.items()}
KEYS = {
    "facilities": ("organization_id", "facility_id"),
    "waste_water_treatments": ("organization_id", "waste_water_treatment_id"),
}
EMISSIONS = {"co2e_kg", "co2e_biomass_kg", "co2e_state"}
NOTES = {"updated_at"}
PERSONS = {"uploaded_by_user_id"}


@dataclass(frozen=True)
class Version:
    """A row of history, without what it says of persons (that is kept up to date in place)."""

    row: Row
    first_seen_at: datetime
    valid_from: datetime
    valid_to: datetime | None
    change: str
    run_id: str

    def held(self, moment: datetime) -> bool:
        return self.valid_from <= moment and (self.valid_to is None or moment < self.valid_to)


@dataclass(frozen=True)
class SettledScope:
    """A row of `sync.lists`."""

    run_id: str
    organization_id: str
    facility_id: str | None
    outcome: str
    started_at: datetime
    finished_at: datetime
    merged_at: datetime


@dataclass
class Book:
    """Replays the sweeps of one table, oldest first, and collects the versions that they must have brought."""

    table: str
    chronicle: Chronicle
    actual: list[Version]
    ends: dict[str, datetime]
    accepted: dict[str, frozenset[str]]
    large_drop_rows: int
    doubtful: dict[tuple[str, str], frozenset[str]]
    versions: list[Version] = field(default_factory=list)
    current: dict[tuple[str, str], Version] = field(default_factory=dict)
    born: dict[tuple[str, str], datetime] = field(default_factory=dict)
    buried: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        columns = COLUMNS[self.table]
        self._id = columns.index(KEYS[self.table][1])
        self._pending = columns.index("co2e_kg")
        self._facility = columns.index("facility_id")
        self._persons = {columns.index(name) for name in PERSONS & set(columns)}
        special = EMISSIONS | NOTES | PERSONS
        self._activity = [place for place, name in enumerate(columns) if name not in special]
        self._emissions = [place for place, name in enumerate(columns) if name in EMISSIONS]

    def impersonal(self, row: Row) -> Row:
        return tuple("-" if place in self._persons else value for place, value in enumerate(row))

    def replay(self, scopes: Iterable[SettledScope]) -> list[Version]:
        """Every version that the history must hold, having judged each sweep."""
        ordered = sorted(scopes, key=lambda scope: scope.merged_at)
        for (moment, organization), sweep in groupby(
            ordered, key=lambda scope: (scope.merged_at, scope.organization_id)
        ):
            self._settle(moment, organization, list(sweep))
        return [*self.versions, *self.current.values()]

    def _settle(self, moment: datetime, organization: str, sweep: list[SettledScope]) -> None:
        there = {v.row[self._id]: v.row for v in self.actual if v.row[0] == organization and v.held(moment)}
        proven = [scope for scope in sweep if scope.outcome in ("proven", "facility_deleted")]
        shown: Rows = {}
        excused = set(self.doubtful.get((sweep[0].run_id, organization), ()))
        there = {id_: row for id_, row in there.items() if id_ not in excused}
        for scope in proven:
            states = self.chronicle.between(scope.started_at, scope.finished_at)
            shown |= self._judge(scope, states, there, {s.facility_id for s in proven})
            excused |= {id_ for state in states for id_ in state.bad}
        known = {id_: v for (owner, id_), v in self.current.items() if owner == organization}
        walked = {scope.facility_id for scope in proven}
        gone = [
            id_
            for id_, v in known.items()
            if self._scope_of(v.row) in walked and id_ not in shown and id_ not in excused
        ]
        self._judge_brake(organization, sweep, known, shown, len(gone))
        for id_ in gone:
            self._bury(organization, id_, moment, sweep)
        for id_, row in shown.items():
            self._take(organization, id_, row, moment, sweep[0].run_id)

    def _scope_of(self, row: Row) -> str | None:
        return row[self._facility] if self.table != "facilities" else None

    def _judge(self, scope: SettledScope, states: list[State], there: Rows, walked: set[str | None]) -> Rows:
        """The rows of a proven scope, having seen that they are what the world held at some moment of the sweep."""
        where = scope.organization_id, scope.facility_id
        assert states, f"{scope} was not swept while the world was watched"
        actual = {id_: row for id_, row in there.items() if self._scope_of(row) == scope.facility_id}
        elsewhere = {id_ for id_, row in there.items() if self._scope_of(row) in walked} - actual.keys()
        possible = [(state, rows) for state in states for rows in state.alternatives(*where)]
        fits = [(actual.keys() - state.bad, rows.keys() - state.bad) for state, rows in possible]
        assert any(have <= due and due - have <= elsewhere for have, due in fits), (
            f"{scope} holds {sorted(actual)}: no state of the world"
        )
        good = {}
        for id_, row in actual.items():
            truths = [self.impersonal(rows[id_]) for state, rows in possible if id_ in rows and id_ not in state.bad]
            if truths:
                assert row in truths, f"{scope} {id_} is {row}, the world had {truths}"
                good[id_] = row
        return good

    def _judge_brake(
        self, organization: str, sweep: list[SettledScope], known: dict[str, Any], shown: Rows, gone: int
    ) -> None:
        """A large drop is held, and nothing else is."""
        held = [
            scope
            for scope in sweep
            if scope.outcome == "held" and (scope.facility_id is not None or self.table == "facilities")
        ]
        if organization in self.accepted.get(sweep[0].run_id, frozenset()):
            assert not held, f"{held} although the drop was accepted"
        elif held:
            doubted = [v for v in known.values() if self._scope_of(v.row) in {scope.facility_id for scope in held}]
            assert self._is_large(len(doubted), len(known)), (
                f"{held}, but at most {len(doubted)} of {len(known)} rows vanished"
            )
        else:
            assert not self._is_large(gone, len(known)), f"{gone} of {len(known)} rows were deleted at once in {sweep}"

    def _is_large(self, vanished: int, known: int) -> bool:
        return vanished > self.large_drop_rows and vanished * 100 > known * LARGE_DROP_PERCENT

    def _bury(self, organization: str, id_: str, moment: datetime, sweep: list[SettledScope]) -> None:
        last = self.current.pop((organization, id_))
        scope = next(scope for scope in sweep if scope.facility_id == self._scope_of(last.row))
        states = self.chronicle.between(scope.started_at, self.ends[scope.run_id])
        assert not all(state.shows(organization, self.table, id_) for state in states), (
            f"{id_} was live, and was marked deleted"
        )
        self.versions.append(replace(last, valid_to=moment))
        self.versions.append(replace(last, valid_from=moment, valid_to=moment, change="deleted", run_id=scope.run_id))
        self.buried.add((organization, id_))

    def _take(self, organization: str, id_: str, row: Row, moment: datetime, run_id: str) -> None:
        key = organization, id_
        before = self.current.get(key)
        change = self._change(before.row, row) if before else "restored" if key in self.buried else "new"
        if not change:
            return
        if before:
            self.versions.append(replace(before, valid_to=moment))
        first = self.born.setdefault(key, moment)
        self.current[key] = Version(row, first, moment, None, change, run_id)

    def _change(self, old: Row, new: Row) -> str:
        """The kind of change between what was known and what was seen; empty where it is none."""
        if any(old[place] != new[place] for place in self._activity):
            return "edited"
        if old[self._pending] is None and new[self._pending] is not None:
            return "settled"
        if any(old[place] != new[place] for place in self._emissions):
            return "recalculated"
        return "edited" if self.impersonal(old) != self.impersonal(new) else ""


def assert_lives_are_whole(table: str, versions: list[Version]) -> None:
    """The versions of an id follow each other: no overlap, no gap but after a deletion, each later than the one before."""
    key_columns = [COLUMNS[table].index(name) for name in KEYS[table]]
    lives: dict[tuple[Any, ...], list[Version]] = {}
    for version in sorted(versions, key=lambda version: version.valid_from):
        lives.setdefault(tuple(version.row[place] for place in key_columns), []).append(version)
    for told in lives.values():
        assert told[0].change == "new"
        for before, after in pairwise(told):
            assert before.valid_from < after.valid_from
            if before.change == "deleted":
                assert after.change == "restored"
            else:
                assert before.valid_to == after.valid_from
        assert all((v.valid_from == v.valid_to) == (v.change == "deleted") for v in told)
        assert told[-1].change == "deleted" or told[-1].valid_to is None
