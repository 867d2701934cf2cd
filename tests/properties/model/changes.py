"""Random changes of a small world, each drawn as three numbers, and the small worlds themselves."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.conftest import CHILD, ROOT
from tests.properties.model.chronicle import Chronicle

THIRD = "33333333-3333-4333-8333-333333333333"
Item = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """Facilities by organisation, each with its number of records; `large_drop_rows` as in the settings."""

    organizations: dict[str, dict[str, int]]
    large_drop_rows: int = 2

    def world(self) -> Chronicle:
        world = Chronicle(ROOT, "Holding X")
        for organization, facilities in self.organizations.items():
            if organization != ROOT:
                world.add_organization(organization, f"Water {organization[0]}", ROOT)
            for facility, count in facilities.items():
                world.add_records(world.add_facility(organization, id=facility), count)
        return world


SHAPES = {
    "one-facility": Shape({ROOT: {"f-1": 3}}),
    "two-facilities": Shape({ROOT: {"f-1": 3, "f-2": 2}}),
    "three-facilities": Shape({ROOT: {"f-1": 1, "f-2": 0, "f-3": 4}}, large_drop_rows=0),
    "two-organizations": Shape({ROOT: {"f-1": 2}, CHILD: {"f-2": 4}}),
    "three-organizations": Shape({ROOT: {}, CHILD: {"f-1": 2}, THIRD: {"f-2": 1, "f-3": 1}}),
    "two-pages": Shape({ROOT: {"f-1": 104, "f-2": 1}}, large_drop_rows=10),
    "empty": Shape({ROOT: {}}),
}


@dataclass
class Hand:
    """Changes a world; remembers what it deleted, so that it can come back under the same id."""

    world: Chronicle
    deleted_records: dict[str, tuple[str, Item]] = field(default_factory=dict)
    deleted_facilities: dict[str, tuple[str, Item]] = field(default_factory=dict)

    def change(self, name: str, which: int, value: int) -> None:
        """Do one of CHANGES; nothing where the world has nothing of the kind."""
        CHANGES[name](self, which, value)

    def _record(self, which: int) -> Item | None:
        items = [item for facility in self.world.facility_ids() for item in self.world.peek_records(facility)]
        return items[which % len(items)] if items else None

    def _facility(self, which: int, organization_id: str | None = None) -> str | None:
        ids = self.world.facility_ids(organization_id)
        return ids[which % len(ids)] if ids else None

    def edit_records_with(self, which: int, **fields: Any) -> None:
        if item := self._record(which):
            self.world.edit_record(item["id"], **fields)

    def edit_facility_with(self, which: int, **fields: Any) -> None:
        if facility := self._facility(which):
            self.world.edit_facility(facility, **fields)

    def add(self, which: int, value: int) -> None:
        if facility := self._facility(which):
            self.world.add_records(
                facility, 1 + value % 3, quantity=amount(value), co2e=None if value % 4 == 0 else amount(value)
            )

    def delete(self, which: int, _value: int) -> None:
        if item := self._record(which):
            self._bury_record(item)

    def _bury_record(self, item: Item) -> None:
        owner = self.world.organization_of(item["facility_id"])
        self.deleted_records[item["id"]] = (str(owner), item)
        self.world.delete_record(item["id"])

    def delete_many(self, which: int, value: int) -> None:
        if facility := self._facility(which):
            items = self.world.peek_records(facility)
            for item in items[value % 2 :: 2]:
                self._bury_record(item)

    def restore(self, which: int, value: int) -> None:
        """A deleted record comes back with its id, its values, and perhaps at another facility."""
        gone = [id_ for id_ in self.deleted_records if self.world.find_record(id_) is None]
        if not gone:
            return
        owner, item = self.deleted_records[gone[which % len(gone)]]
        if facility := self._facility(value, owner):
            self._put(facility, item)

    def move(self, which: int, value: int) -> None:
        if item := self._record(which):
            facility = self._facility(value, self.world.organization_of(item["facility_id"]))
            if facility and facility != item["facility_id"]:
                self.world.delete_record(item["id"])
                self._put(facility, item)

    def _put(self, facility: str, item: Item) -> None:
        self.world.add_record(facility, **{name: part for name, part in item.items() if name != "facility_id"})

    def add_facility(self, which: int, value: int) -> None:
        organizations = self.world.organization_ids()
        organization = organizations[which % len(organizations)]
        facility = self.world.add_facility(organization, co2e=None if value % 2 else amount(value))
        self.world.add_records(facility, value % 3)

    def delete_facility(self, which: int, _value: int) -> None:
        if facility := self._facility(which):
            owner = str(self.world.organization_of(facility))
            self.deleted_facilities[facility] = (owner, self.world.peek_facility(facility))
            self.deleted_records |= {item["id"]: (owner, item) for item in self.world.peek_records(facility)}
            self.world.delete_facility(facility)

    def restore_facility(self, which: int, _value: int) -> None:
        gone = [id_ for id_ in self.deleted_facilities if self.world.organization_of(id_) is None]
        if gone:
            owner, item = self.deleted_facilities[gone[which % len(gone)]]
            self.world.add_facility(owner, **item)


def amount(value: int) -> Decimal:
    """A number that a float would not keep."""
    return Decimal(value) + Decimal("0.000000001")


CHANGES: dict[str, Callable[[Hand, int, int], None]] = {
    "edit": lambda hand, which, value: hand.edit_records_with(which, quantity=amount(value)),
    "relabel": lambda hand, which, value: hand.edit_records_with(which, invoice_id=f"label {value}"),
    "set_status": lambda hand, which, value: hand.edit_records_with(which, status=("active", "error", "loading")[value % 3]),
    "recalculate": lambda hand, which, value: hand.edit_records_with(which, co2e=amount(value)),
    "make_pending": lambda hand, which, value: hand.edit_records_with(which, co2e=None),
    "edit_and_recalculate": lambda hand, which, value: hand.edit_records_with(which, kg_sludge=value, co2e=amount(value)),
    "recalculate_biomass": lambda hand, which, value: hand.edit_records_with(which, co2e_biomass=amount(value)),
    "link_projects": lambda hand, which, value: hand.edit_records_with(which, linked_projects=[f"p-{n}" for n in range(value % 3)]),
    "new_link_to_file": lambda hand, which, value: hand.edit_records_with(which, file_url=f"https://files.example.org/{value}"),
    "rename_user": lambda hand, which, value: hand.edit_records_with(which, user={"id": "u", "first_name": f"Ana {value}"}),
    "other_uploader": lambda hand, which, value: hand.edit_records_with(which, uploaded_by=f"u-{value % 5}"),
    "add": Hand.add,
    "delete": Hand.delete,
    "delete_many": Hand.delete_many,
    "restore": Hand.restore,
    "move": Hand.move,
    "rename_facility": lambda hand, which, value: hand.edit_facility_with(which, name=f"Planta Ñ {value}"),
    "archive_facility": lambda hand, which, value: hand.edit_facility_with(which, status=("archived", "active")[value % 2]),
    "recalculate_facility": lambda hand, which, value: hand.edit_facility_with(which, co2e=None if value % 4 == 0 else amount(value)),
    "touch_facility": lambda hand, which, value: hand.edit_facility_with(which),
    "categorize_facility": lambda hand, which, value: hand.edit_facility_with(which, categories=[None, [], ["heat"], ["water", "heat"]][value % 4]),
    "add_facility": Hand.add_facility,
    "delete_facility": Hand.delete_facility,
    "restore_facility": Hand.restore_facility,
}  # fmt: skip
