"""How organisations and facilities are called in lines for people: by name, then by id."""

from collections.abc import Mapping

from dcycle_pipeline.landing.lists import ListKey, ListResult
from dcycle_pipeline.text import with_id


def named(names: Mapping[str, str], identifier: str | None) -> str:
    """How people read an organisation or facility: its name, then its id."""
    return with_id(names.get(identifier), identifier) if identifier else "-"


def list_named(names: Mapping[str, str], key: ListKey) -> str:
    """How people read which list it is: organisation, endpoint, and facility or year."""
    part = (
        f", facility {named(names, key.facility_id)}" if key.facility_id else f", year {key.year}" if key.year else ""
    )
    return f"{named(names, key.organization_id)}, {key.endpoint}{part}"


class FirstOfAKind:
    """Which lists that stay unproven are worth a line while others are read: one denial may concern all lists of an organisation."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str, str]] = set()

    def is_news(self, result: ListResult) -> bool:
        """Whether something of the list may be missing, in a way that no line said of its organisation and endpoint so far."""
        kind = (result.key.organization_id, result.key.endpoint, result.outcome)
        is_new = not result.nothing_missing and kind not in self._seen
        self._seen.add(kind)
        return is_new
