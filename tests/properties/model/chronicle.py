"""A world that remembers every state it was in, and when: the truth that a sweep is compared with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from dcycle_pipeline.sandbox import Behaviour, World
from dcycle_pipeline.sandbox.world.items import facility_form
from tests.conftest import facility_row, record_row
from tests.sandbox.deformed import HARMLESS, RECORDS_ONLY

Item = dict[str, Any]
Row = tuple[Any, ...]
Rows = dict[str, Row]


@dataclass
class State:
    """What the API could show from `since` until the next state began.

    `bad` are ids of items that it deforms, `hidden` those of organisations and facilities that it says do not exist.
    """

    since: datetime
    facilities: dict[str, tuple[str, Item]]
    records: dict[str, list[Item]]
    bad: frozenset[str]
    hidden: frozenset[str]
    _rows: dict[tuple[str, str | None], Rows] = field(default_factory=dict)

    def rows(self, organization_id: str, facility_id: str | None) -> Rows:
        """Facilities of an organisation (no facility given), or records of one of its facilities, by id."""
        scope = organization_id, facility_id
        if scope not in self._rows:
            self._rows[scope] = self._made(organization_id, facility_id)
        return self._rows[scope]

    def _made(self, organization_id: str, facility_id: str | None) -> Rows:
        if facility_id is None:
            mine = {id_: item for id_, (owner, item) in self.facilities.items() if owner == organization_id}
            return {id_: facility_version(organization_id, item) for id_, item in mine.items()}
        if self.facilities.get(facility_id, ("", {}))[0] != organization_id:
            return {}
        return {str(item["id"]): record_version(organization_id, item) for item in self.records[facility_id]}

    def alternatives(self, organization_id: str, facility_id: str | None) -> list[Rows]:
        """What the API may show of a scope; a facility that it denies with 404 may pass for one that is gone."""
        rows = self.rows(organization_id, facility_id)
        return [rows, {}] if facility_id is not None and {organization_id, facility_id} & self.hidden else [rows]

    def shows(self, organization_id: str, endpoint: str, id_: str) -> bool:
        """Whether the API would say that an item exists."""
        if endpoint == "facilities":
            return id_ in self.rows(organization_id, None)
        mine = [f for f, (owner, _) in self.facilities.items() if owner == organization_id]
        return any(id_ in self.rows(organization_id, f) and not {organization_id, f} & self.hidden for f in mine)


def facility_version(organization_id: str, item: Item) -> Row:
    """The columns of `dcycle.facilities` and its three lists."""
    lists = (_distinct(item[name]) for name in ("categories", "cups_list"))
    return (*facility_row(organization_id, facility_form(item, legacy=False)), *lists, None)


def record_version(organization_id: str, item: Item) -> Row:
    """The columns of `dcycle.waste_water_treatments` and the linked projects."""
    return (*record_row(organization_id, item), _distinct(item["linked_projects"]))


def _distinct(values: list[str] | None) -> list[str] | None:
    return None if values is None else sorted(set(values))


class Chronicle(World):
    """The world, noted after each change; `behaviour` is how it is shown."""

    behaviour = Behaviour()
    states: list[State]

    def note(self) -> None:
        with self.lock:
            sites = {id_: (site.organization_id, site.item) for id_, site in self._sites.items()}
            records = {id_: self.peek_records(id_) for id_ in sites}
            ids = [str(item["id"]) for items in records.values() for item in items]
            bad = {id_ for id_ in ids if self._is_bad(id_, ())} | {
                id_ for id_ in sites if self._is_bad(id_, RECORDS_ONLY)
            }
            hidden = frozenset(id_ for id_, status in self.behaviour.denied.items() if status == 404)
            self.states.append(State(datetime.now(UTC), sites, dict(records), frozenset(bad), hidden))

    def _is_bad(self, id_: str, harmless: frozenset[str] | tuple[()]) -> bool:
        how = self.behaviour.deformation_of(id_)
        return how is not None and how not in HARMLESS and how not in harmless

    def between(self, start: datetime, end: datetime) -> list[State]:
        """Every state that held at some moment from `start` to `end`."""
        ends = [*(state.since for state in self.states[1:]), end]
        return [state for state, until in zip(self.states, ends, strict=True) if state.since <= end and start <= until]


def _noting(name: str) -> Callable[..., Any]:
    def change(self: Chronicle, *args: Any, **fields: Any) -> Any:
        with self.lock:
            result = getattr(World, name)(self, *args, **fields)
            if hasattr(self, "states"):
                self.note()
            return result

    return change


for _name in ("add_facility", "edit_facility", "delete_facility", "add_records", "edit_record", "delete_record"):
    setattr(Chronicle, _name, _noting(_name))
