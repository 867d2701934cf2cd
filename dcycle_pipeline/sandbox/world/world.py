"""What exists behind the sandbox: organisations, facilities and treatment records, and every way they can change.

Nothing about HTTP belongs here, and no misbehaviour: a World is the truth that the answers are compared with.
"""

import random
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from threading import RLock
from typing import Any, TypeVar
from uuid import UUID

from dcycle_pipeline.sandbox.world import items
from dcycle_pipeline.sandbox.world.items import Item

T = TypeVar("T")
_FIRST_MOMENT = datetime(2026, 1, 2, 8, 0, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 2006, 2025


@dataclass(slots=True)
class _Site:
    organization_id: str
    item: Item
    records: dict[str, None] = field(default_factory=dict)
    next_start: date | None = None


class World:
    """Thread-safe and mutable. Its own clock and ids come from the seed, so the same calls give the same world."""

    def __init__(self, root_id: str, root_name: str, seed: int | str = 0) -> None:
        self.root_id = root_id
        self.lock = RLock()
        self._random = random.Random(f"{seed}/{root_id}")
        self._moment = _FIRST_MOMENT
        self._organizations: dict[str, tuple[str, str | None]] = {root_id: (root_name, None)}
        self._sites: dict[str, _Site] = {}
        self._records: dict[str, Item] = {}
        self._texts: dict[str, bytes] = {}
        self._kept: dict[str, dict[Hashable, Any]] = {}
        self._personal: set[str] = set()

    # Organisations

    def add_organization(self, organization_id: str, name: str, parent_id: str) -> None:
        with self.lock:
            if parent_id not in self._organizations:
                raise KeyError(f"no organisation {parent_id}")
            self._organizations[organization_id] = (name, parent_id)

    def organization_ids(self) -> list[str]:
        with self.lock:
            return list(self._organizations)

    def tree(self) -> Item:
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
        with self.lock:
            if organization_id not in self._organizations:
                raise KeyError(f"no organisation {organization_id}")
            facility_id = fields.get("id") or self.new_id()
            if facility_id in self._sites:
                raise ValueError(f"facility {facility_id} exists already")
            number = len(self._sites) + 1
            item = items.facility_item(facility_id, number, self._now(), fields | {"id": facility_id})
            self._sites[facility_id] = _Site(organization_id, item)
            self._changed(facility_id)
            return str(facility_id)

    def edit_facility(self, facility_id: str, **fields: Any) -> None:
        """`updated_at` moves with the edit unless it is among the fields."""
        with self.lock:
            site = self._sites[facility_id]
            site.item = items.changed(site.item, {"updated_at": self._now()} | fields, items.FACILITY_NUMBERS)
            self._changed(facility_id)

    def delete_facility(self, facility_id: str) -> None:
        with self.lock:
            self._changed(facility_id)
            for record_id in self._sites.pop(facility_id).records:
                del self._records[record_id]
                self._texts.pop(record_id, None)

    def facilities(self, organization_id: str, *, legacy: bool = False) -> list[Item]:
        with self.lock:
            mine = [site.item for site in self._sites.values() if site.organization_id == organization_id]
            return [items.copied(items.facility_form(item, legacy=legacy)) for item in mine]

    def facility_ids(self, organization_id: str | None = None) -> list[str]:
        with self.lock:
            return [id_ for id_, site in self._sites.items() if organization_id in (None, site.organization_id)]

    def find_facility(self, facility_id: str) -> Item | None:
        """Every field, those of the new and those of the legacy form."""
        with self.lock:
            site = self._sites.get(facility_id)
            return items.copied(site.item) if site else None

    def organization_of(self, facility_id: str) -> str | None:
        site = self._sites.get(facility_id)
        return site.organization_id if site else None

    # Records

    def add_record(self, facility_id: str, **fields: Any) -> str:
        return self.add_records(facility_id, 1, **fields)[0]

    def add_records(self, facility_id: str, count: int, **fields: Any) -> list[str]:
        """Consecutive months after the facility's last one, all uploaded at the same moment.

        In an empty facility they end in 2025 at the latest; beyond 20 years the same months come again.
        """
        with self.lock:
            site, now = self._sites[facility_id], self._now()
            first = items.as_date(fields["start_date"]) if "start_date" in fields else site.next_start
            first = first or date(max(_LAST_YEAR - (count - 1) // 12, _FIRST_YEAR), 1, 1)
            start, ids = first, []
            for index in range(count):
                start = first if index % 240 == 0 else items.month_after(start)
                ids.append(self._store(facility_id, now, {**fields, "start_date": start}))
            self._changed(facility_id)
            return ids

    def edit_record(self, record_id: str, **fields: Any) -> None:
        with self.lock:
            if fields.keys() & {"id", "facility_id"}:
                raise TypeError("a record keeps its id and its facility")
            item = items.changed(self._records[record_id], fields, items.RECORD_NUMBERS)
            self._records[record_id] = item
            self._remember_people(item)
            self._texts.pop(record_id, None)
            self._changed(item["facility_id"])

    def recalculate_record(self, record_id: str, co2e: Any) -> None:
        self.edit_record(record_id, co2e=co2e)

    def delete_record(self, record_id: str) -> None:
        with self.lock:
            facility_id = self._records.pop(record_id)["facility_id"]
            del self._sites[facility_id].records[record_id]
            self._texts.pop(record_id, None)
            self._changed(facility_id)

    def records(self, organization_id: str) -> list[Item]:
        with self.lock:
            return [item for id_ in self.facility_ids(organization_id) for item in self.facility_records(id_)]

    def facility_records(self, facility_id: str) -> list[Item]:
        with self.lock:
            return [items.copied(self._records[id_]) for id_ in self._sites[facility_id].records]

    def find_record(self, record_id: str) -> Item | None:
        with self.lock:
            item = self._records.get(record_id)
            return items.copied(item) if item else None

    def personal_strings(self) -> set[str]:
        """Names, e-mails and signed addresses that are or ever were in the data."""
        with self.lock:
            return set(self._personal)

    # For the endpoints: the items themselves (not to be changed) and what was worked out from them

    def new_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def peek_facility(self, facility_id: str) -> Item:
        return self._sites[facility_id].item

    def peek_record(self, record_id: str) -> Item:
        return self._records[record_id]

    def peek_records(self, facility_id: str) -> list[Item]:
        return [self._records[id_] for id_ in self._sites[facility_id].records]

    def remembered(self, owner_id: str, key: Hashable, make: Callable[[], T]) -> T:
        """`make()`, kept until the facility or organisation changes."""
        kept = self._kept.setdefault(owner_id, {})
        if key not in kept:
            kept[key] = make()
        found: T = kept[key]
        return found

    def facility_text(self, facility_id: str, *, legacy: bool) -> bytes:
        def make() -> bytes:
            return items.encode(items.facility_form(self.peek_facility(facility_id), legacy=legacy))

        return self.remembered(facility_id, ("text", legacy), make)

    def record_text(self, record_id: str) -> bytes:
        if (text := self._texts.get(record_id)) is None:
            text = self._texts[record_id] = items.encode(self._records[record_id])
        return text

    def _store(self, facility_id: str, now: str, fields: dict[str, Any]) -> str:
        record_id = str(fields.get("id") or self.new_id())
        if record_id in self._records:
            raise ValueError(f"record {record_id} exists already")
        named = {"source_invoice_id": record_id} | fields | {"id": record_id, "facility_id": facility_id}
        item = items.record_item(record_id, facility_id, now, len(self._records) + 1, named)
        self._records[record_id] = item
        self._remember_people(item)
        site = self._sites[facility_id]
        site.records[record_id] = None
        after = items.as_date(item["end_date"]) + timedelta(days=1)
        site.next_start = max(site.next_start or after, after)
        return record_id

    def _remember_people(self, item: Item) -> None:
        user = item["user"] or {}
        self._personal.update(user[name] for name in ("first_name", "last_name", "email") if user.get(name))
        if item["file_url"]:
            self._personal.add(item["file_url"])

    def _changed(self, facility_id: str) -> None:
        self._kept.pop(facility_id, None)
        self._kept.pop(self._sites[facility_id].organization_id, None)

    def _now(self) -> str:
        self._moment += timedelta(seconds=1)
        return f"{self._moment:%Y-%m-%dT%H:%M:%SZ}"
