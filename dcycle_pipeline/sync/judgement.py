"""What became of rows that their list no longer shows: deleted, unlisted, or doubtful. Doubt costs a row, never its list.

Only the API's own word deletes: it says by the row's id that there is no such row, while it still finds one that it lists.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.errors import ForbiddenError, ListError, TransientError
from dcycle_pipeline.landing.fetch import ListReader
from dcycle_pipeline.landing.lists import DoubtfulRow
from dcycle_pipeline.warehouse.compared import Seen

_SHOWN = "the list does not show it, but the API still has it under its id"


@dataclass(frozen=True)
class Verdict:
    """The rows that vanished from their lists: `deleted` ones with the facility of their list, `unlisted` ones, `doubtful` ones."""

    deleted: dict[str, str | None] = field(default_factory=dict)
    unlisted: list[str] = field(default_factory=list)
    doubtful: list[DoubtfulRow] = field(default_factory=list)

    @property
    def not_deleted(self) -> set[str]:
        """The ids of the rows that the API does not say to be gone."""
        return {*self.unlisted, *(row.item_id for row in self.doubtful)}

    def without(self, facilities: Collection[str | None]) -> "Verdict":
        """The verdict on the rows of all other facilities' lists."""
        deleted = {item: facility for item, facility in self.deleted.items() if facility not in facilities}
        doubtful = [row for row in self.doubtful if row.facility_id not in facilities]
        return Verdict(deleted, self.unlisted, doubtful)


class Judge:
    """Asks the API by their ids about the vanished rows of one organisation and endpoint. Of a list that stands without being asked
    for, the doubts stand too.

    `orphaned` are facilities that are confirmed deleted.
    """

    def __init__(
        self, endpoint: Endpoint, organization_id: str, reader: ListReader, orphaned: Collection[str | None]
    ) -> None:
        self._endpoint = endpoint
        self._organization_id = organization_id
        self._reader = reader
        self._orphaned = orphaned

    async def verdict(self, vanished: Mapping[str, str | None], seen: Seen) -> Verdict:
        """What became of rows, which are given with the facility of their list. `seen` is what the lists show."""
        stand = self._doubts_that_stand(seen)
        async with asyncio.TaskGroup() as group:
            asked = [(item, at) for item, at in vanished.items() if item not in stand]
            answers = {item: group.create_task(self._why_not_deleted(item, at)) for item, at in asked}
        reasons = {item: task.result() for item, task in answers.items()}
        reasons |= {item: stand[item] for item in vanished if item in stand}
        gone = [item for item, reason in reasons.items() if not reason]
        if gone and (refuted := await self._why_not_believed(seen.a_listed_id)):
            reasons |= dict.fromkeys(gone, refuted)
        # A facility that is deleted softly stays under its id, and its records have lists of their own. But if the list shows a row
        # whose id nobody can read, that may be this one.
        may_be_unlisted = self._endpoint.parent is None and not seen.holds_a_nameless_row
        unlisted = [item for item, reason in reasons.items() if reason == _SHOWN and may_be_unlisted]
        deleted = {item: vanished[item] for item, reason in reasons.items() if not reason}
        doubtful = [
            DoubtfulRow(item, vanished[item], reason)
            for item, reason in reasons.items()
            if reason and item not in unlisted
        ]
        return Verdict(deleted, unlisted, doubtful)

    def _doubts_that_stand(self, seen: Seen) -> dict[str, str]:
        """The doubts about rows of lists that are not asked for, by id."""
        facilities = {key.facility_id for key in self._reader.stands}
        return {item: reason for item, (facility, reason) in seen.doubts.items() if facility in facilities}

    async def _why_not_deleted(self, item_id: str, facility_id: str | None) -> str:
        """Why a row that the list no longer shows cannot be taken for deleted; empty if the API says that it is."""
        try:
            return _SHOWN if await self._exists(item_id) else ""
        except (ListError, TransientError) as error:
            if isinstance(error, ForbiddenError) and error.is_of_another_organization and facility_id in self._orphaned:
                return ""  # its facility is gone from this organisation by the API's own word, and it with it
            return f"the list does not show it, and whether it is deleted is not known: {error}"

    async def _why_not_believed(self, listed: str | None) -> str:
        """Why "not found" proves nothing in this run: a row that the list shows is not found either. Empty if it is found.

        If the list shows no row at all, its counter of 0 is the second witness.
        """
        if listed is None:
            return ""
        try:
            found = await self._exists(listed)
        except (ListError, TransientError) as error:
            return f"the API says that there is no such row, but of {listed}, which it lists, it says: {error}"
        return "" if found else f"the API says that there is no such row, but says so of {listed} too, which it lists"

    async def _exists(self, item_id: str) -> bool:
        return await self._reader.exists(self._endpoint.paging.detail_path, self._organization_id, item_id)
