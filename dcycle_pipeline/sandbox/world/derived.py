"""What the server works out from the items and keeps until they change: their JSON text, sorted rows, counters.

It saves time and adds nothing to what the items say. Thread-safe only under the world's lock.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from dcycle_pipeline.sandbox.world import items
from dcycle_pipeline.sandbox.world.items import Item

T = TypeVar("T")


class Derived:
    """Keeps one value for each facility and key, and the JSON text of each record."""

    def __init__(self) -> None:
        self._of_facility: dict[str, dict[Hashable, Any]] = {}
        self._record_texts: dict[str, bytes] = {}

    def remembered(self, facility_id: str, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key; calls `make` only if the facility or its records changed since the last call."""
        values = self._of_facility.setdefault(facility_id, {})
        if key not in values:
            values[key] = make()
        found: T = values[key]
        return found

    def facility_text(self, item: Item, *, legacy: bool) -> bytes:
        """A facility as JSON, in the new or the legacy form."""

        def make() -> bytes:
            return items.encode(items.facility_form(item, legacy=legacy))

        return self.remembered(item["id"], ("text", legacy), make)

    def record_text(self, item: Item) -> bytes:
        """A record as JSON."""
        if (text := self._record_texts.get(item["id"])) is None:
            text = self._record_texts[item["id"]] = items.encode(item)
        return text

    def forget(self, facility_id: str) -> None:
        """To be called when the facility or one of its records changed."""
        self._of_facility.pop(facility_id, None)

    def forget_record(self, record_id: str) -> None:
        """To be called when the record changed."""
        self._record_texts.pop(record_id, None)
