"""What exists behind the sandbox: organisations, facilities and treatment records, and every way they can change.

A World is the truth that answers are compared with. HTTP and misbehaviour belong to `api` and `faults`, the fields of
an item to `items`, the invented holding to `holding`.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from threading import RLock
from typing import Any
from uuid import UUID

from dcycle_pipeline.sandbox.world import items
from dcycle_pipeline.sandbox.world.derived import Derived
from dcycle_pipeline.sandbox.world.items import Item

_FIRST_MOMENT = datetime(2026, 1, 2, 8, 0, tzinfo=UTC)
# The default records fill these 20 years, 240 months, and none of them is in the future.
_FIRST_YEAR, _LAST_YEAR = 2006, 2025


@dataclass(slots=True)
class _Site:
    organization_id: str
    item: Item
    records: dict[str, None] = field(default_factory=dict)
    next_start: date | None = None


class World:
    """Organisations, facilities and records that may change at any time. Thread-safe.

    Items are dicts with the API's field names. CO2e and sludge are Decimal in kg, water is Decimal in m³; dates and
    times are ISO text. The clock and new ids come from the seed: the same calls give the same world.

    >>> world = World("org-1", "Holding X")
    >>> plant = world.add_facility("org-1", name="Planta Álamo")
    >>> first, *_ = world.add_records(plant, 12, start_date="2025-01-01")
    >>> world.edit_record(first, co2e="0.25")
    >>> record = world.find_record(first)
    >>> record["co2e"], record["end_date"]
    (Decimal('0.25'), '2025-01-31')
    """

    def __init__(self, root_id: str, root_name: str, seed: int | str = 0) -> None:
        self.root_id = root_id
        self.lock = RLock()
        self.derived = Derived()
        self._random = random.Random(f"{seed}/{root_id}")
        self._moment = _FIRST_MOMENT
        self._organizations: dict[str, tuple[str, str | None]] = {root_id: (root_name, None)}
        self._sites: dict[str, _Site] = {}
        self._records: dict[str, Item] = {}
        self._personal: set[str] = set()

    # Organisations

    def add_organization(self, organization_id: str, name: str, parent_id: str) -> None:
        """Raises KeyError if there is no such parent."""
        with self.lock:
            if parent_id not in self._organizations:
                raise KeyError(f"no organisation {parent_id}")
            self._organizations[organization_id] = (name, parent_id)

    def organization_ids(self) -> list[str]:
        """All organisations, the root first."""
        with self.lock:
            return list(self._organizations)

    def tree(self) -> Item:
        """The root as `{id, name, children}`, each child likewise."""
        with self.lock:
            nodes: dict[str, Item] = {
                id_: {"id": id_, "name": name, "children": []} for id_, (name, _) in self._organizations.items()
            }
            for id_, (_, parent_id) in self._organizations.items():
                if parent_id is not None:
                    nodes[parent_id]["children"].append(nodes[id_])
            return nodes[self.root_id]

    # Facilities

    def add_facility(self, organization_id: str, **fields: Any) -> str:
        """Gives the id. A field that is not given gets the default of `items.facility_item`.

        Raises KeyError if there is no such organisation, ValueError if the id exists, TypeError on an unknown field.
        """
        with self.lock:
            if organization_id not in self._organizations:
                raise KeyError(f"no organisation {organization_id}")
            facility_id = fields.get("id") or self.new_id()
            if facility_id in self._sites:
                raise ValueError(f"facility {facility_id} exists already")
            number = len(self._sites) + 1
            item = items.facility_item(facility_id, number, self._now(), fields | {"id": facility_id})
            self._sites[facility_id] = _Site(organization_id, item)
            self.derived.forget(facility_id)
            return str(facility_id)

    def edit_facility(self, facility_id: str, **fields: Any) -> None:
        """Sets `updated_at` to the world's clock if it is not among the fields.

        Raises TypeError on an unknown field, and on `id`, which never changes.
        """
        with self.lock:
            if "id" in fields:
                raise TypeError("a facility keeps its id")
            site = self._sites[facility_id]
            site.item = items.changed(site.item, {"updated_at": self._now()} | fields, items.FACILITY_NUMBERS)
            self.derived.forget(facility_id)

    def delete_facility(self, facility_id: str) -> None:
        """Deletes its records too."""
        with self.lock:
            for record_id in self._sites.pop(facility_id).records:
                del self._records[record_id]
                self.derived.forget_record(record_id)
            self.derived.forget(facility_id)

    def move_facility(self, facility_id: str, organization_id: str) -> None:
        """Gives a facility, with its records, to another organisation. Raises KeyError if there is no such organisation."""
        with self.lock:
            if organization_id not in self._organizations:
                raise KeyError(f"no organisation {organization_id}")
            self._sites[facility_id].organization_id = organization_id

    def facilities(self, organization_id: str, *, legacy: bool = False) -> list[Item]:
        """Copies, in the form of the new list or of the legacy one."""
        with self.lock:
            mine = [site.item for site in self._sites.values() if site.organization_id == organization_id]
            return [items.copied(items.facility_form(item, legacy=legacy)) for item in mine]

    def facility_ids(self, organization_id: str | None = None) -> list[str]:
        """Those of one organisation, or all."""
        with self.lock:
            return [id_ for id_, site in self._sites.items() if organization_id in (None, site.organization_id)]

    def find_facility(self, facility_id: str) -> Item | None:
        """A copy with the fields of both forms, or None."""
        with self.lock:
            site = self._sites.get(facility_id)
            return items.copied(site.item) if site else None

    def organization_of(self, facility_id: str) -> str | None:
        """The organisation that owns a facility; None if there is no such facility."""
        site = self._sites.get(facility_id)
        return site.organization_id if site else None

    # Records

    def add_record(self, facility_id: str, **fields: Any) -> str:
        """One record, as `add_records` adds them."""
        return self.add_records(facility_id, 1, **fields)[0]

    def add_records(self, facility_id: str, count: int, **fields: Any) -> list[str]:
        """Adds consecutive months after the facility's last record, all with the same `created_at`; gives their ids.

        In an empty facility they end in 2025 at the latest. After 20 years the same months come again. A field that is
        not given gets the default of `items.record_item`. Raises TypeError on an unknown field, ValueError if the id
        exists.
        """
        with self.lock:
            site, now = self._sites[facility_id], self._now()
            first = items.as_date(fields["start_date"]) if "start_date" in fields else site.next_start
            first = first or date(max(_LAST_YEAR - (count - 1) // 12, _FIRST_YEAR), 1, 1)
            start, ids = first, []
            for index in range(count):
                start = first if index % 240 == 0 else items.month_after(start)
                ids.append(self._insert_record(facility_id, now, {**fields, "start_date": start}))
            self.derived.forget(facility_id)
            return ids

    def edit_record(self, record_id: str, **fields: Any) -> None:
        """Raises TypeError on an unknown field, and on `id` and `facility_id`, which never change."""
        with self.lock:
            if fields.keys() & {"id", "facility_id"}:
                raise TypeError("a record keeps its id and its facility")
            item = items.changed(self._records[record_id], fields, items.RECORD_NUMBERS)
            self._records[record_id] = item
            self._personal |= items.personal_strings(item)
            self.derived.forget_record(record_id)
            self.derived.forget(item["facility_id"])

    def recalculate_record(self, record_id: str, co2e: Any) -> None:
        """Sets the emissions, in kg CO2e."""
        self.edit_record(record_id, co2e=co2e)

    def delete_record(self, record_id: str) -> None:
        """Leaves no trace in later answers, as the API does."""
        with self.lock:
            facility_id = self._records.pop(record_id)["facility_id"]
            del self._sites[facility_id].records[record_id]
            self.derived.forget_record(record_id)
            self.derived.forget(facility_id)

    def records(self, organization_id: str) -> list[Item]:
        """Copies of the records of all facilities of an organisation."""
        with self.lock:
            return [item for id_ in self.facility_ids(organization_id) for item in self.facility_records(id_)]

    def facility_records(self, facility_id: str) -> list[Item]:
        """Copies of the records of a facility, the oldest insertion first."""
        with self.lock:
            return [items.copied(self._records[id_]) for id_ in self._sites[facility_id].records]

    def find_record(self, record_id: str) -> Item | None:
        """A copy, or None."""
        with self.lock:
            item = self._records.get(record_id)
            return items.copied(item) if item else None

    def personal_strings(self) -> set[str]:
        """Names, e-mails and signed addresses that are or ever were in the records."""
        with self.lock:
            return set(self._personal)

    # For the endpoints: the items themselves, which nobody may change

    def new_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def peek_facility(self, facility_id: str) -> Item:
        return self._sites[facility_id].item

    def peek_record(self, record_id: str) -> Item:
        return self._records[record_id]

    def peek_records(self, facility_id: str) -> list[Item]:
        return [self._records[id_] for id_ in self._sites[facility_id].records]

    def _insert_record(self, facility_id: str, now: str, fields: dict[str, Any]) -> str:
        record_id = str(fields.get("id") or self.new_id())
        if record_id in self._records:
            raise ValueError(f"record {record_id} exists already")
        named = {"source_invoice_id": record_id} | fields | {"id": record_id, "facility_id": facility_id}
        item = items.record_item(record_id, facility_id, now, len(self._records) + 1, named)
        self._records[record_id] = item
        self._personal |= items.personal_strings(item)
        site = self._sites[facility_id]
        site.records[record_id] = None
        after = items.as_date(item["end_date"]) + timedelta(days=1)
        site.next_start = max(site.next_start or after, after)
        return record_id

    def _now(self) -> str:
        """The next second of the world's clock."""
        self._moment += timedelta(seconds=1)
        return f"{self._moment:%Y-%m-%dT%H:%M:%SZ}"
