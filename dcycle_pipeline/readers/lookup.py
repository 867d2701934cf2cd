"""Finds the organisation or facility that somebody means, by its name, its id or the start of either."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from dcycle_pipeline.errors import UsageError, few
from dcycle_pipeline.readers.published_file import Published

MOST_NAMED = 8
NAMES = """SELECT organization_id AS id, name FROM dcycle.organizations
UNION ALL SELECT facility_id, arg_max(name, valid_from) FROM history.facilities GROUP BY facility_id"""
# A facility may be known by its records alone, for example if its organisation's facilities are forbidden.
_FACILITIES = """WITH named AS (
    SELECT facility_id, arg_max(name, valid_from) AS name, arg_max(organization_id, valid_from) AS organization_id
    FROM history.facilities GROUP BY facility_id
), recorded AS (
    SELECT facility_id, arg_max(organization_id, valid_from) AS organization_id FROM history.waste_water_treatments
    ANTI JOIN named USING (facility_id) GROUP BY facility_id
)
SELECT facility_id AS identifier, known.name, coalesce(o.name, organization_id) AS beside
FROM (FROM named UNION ALL BY NAME FROM recorded) AS known LEFT JOIN dcycle.organizations AS o USING (organization_id) ORDER BY ALL"""
_ORGANIZATIONS = "SELECT organization_id AS identifier, name, '' AS beside FROM dcycle.organizations ORDER BY ALL"


@dataclass(frozen=True)
class Known:
    """An organisation or facility: its id, its name if it has one, and the organisation of a facility."""

    identifier: str
    name: str | None
    beside: str

    def __str__(self) -> str:
        where = f", {self.beside}" if self.beside else ""
        return f"{self.name or 'without name'}{where} ({self.identifier})"


def names(published: Published) -> dict[str, str]:
    """The name of each organisation and facility that has one, by its id; also of those that are gone."""
    return {row["id"]: row["name"] for row in published.rows(NAMES) if row["name"]}


def facility(published: Published, text: str) -> Known:
    """The facility that is meant. Raises as `meant` does."""
    there = [Known(**row) for row in published.rows(_FACILITIES)]
    return meant("facility", text, there, "`dcycle-pipeline facilities` lists all")


def facility_ids(published: Published, texts: Sequence[str]) -> list[str]:
    """The facilities that are meant; what names none that is known stays as it is. Raises UsageError if one may be several."""
    there = [Known(**row) for row in published.rows(_FACILITIES)] if texts else []
    return [meant("facility", text, there, "").identifier if fitting(text, there) else text for text in texts]


def organization(published: Published, text: str) -> Known:
    """The organisation that is meant. Raises as `meant` does."""
    there = [Known(**row) for row in published.rows(_ORGANIZATIONS)]
    return meant("organisation", text, there, "`dcycle-pipeline status` lists them")


def meant(what: str, text: str, there: Sequence[Known], all_of_them: str) -> Known:
    """The one that `text` names, see `fitting`. Raises UsageError if there is none, with those that are near, or if there are several."""
    found = fitting(text, there)
    if len(found) > 1:
        raise UsageError(
            f"{text!r} may be {few([str(each) for each in found], MOST_NAMED)}. Give more of the name or id."
        )
    if found:
        return found[0]
    near = get_close_matches(_folded(text), [_folded(known.name) for known in there], n=3)
    close = [str(known) for known in there if _folded(known.name) in near]
    hint = f"did you mean {' or '.join(close)}?" if close else f"{all_of_them}."
    raise UsageError(f"No {what} is called {text!r}, and no id begins so: {hint}")


def fitting(text: str, there: Sequence[Known]) -> list[Known]:
    """Those that `text` may name: by the id, else by the name, else by how either begins, else by a part of the name.

    Case and accents do not count in names.
    """
    text = _without_ellipsis(text)
    wanted = _folded(text)
    part = [known for known in there if wanted in _folded(known.name)] if wanted else []
    return called(text, there) or beginning(text, there) or part


def beginning(text: str, there: Sequence[Known]) -> list[Known]:
    """Those whose id or name begins so."""
    text = _without_ellipsis(text)
    wanted = _folded(text)
    return [
        known
        for known in there
        if wanted and (known.identifier.startswith(text) or _folded(known.name).startswith(wanted))
    ]


def called(text: str, there: Sequence[Known]) -> list[Known]:
    """Those whose whole id `text` is, or else whose whole name."""
    wanted = _folded(text)
    by_id = [known for known in there if known.identifier == text.strip()]
    return by_id or [known for known in there if wanted and _folded(known.name) == wanted]


def _without_ellipsis(text: str) -> str:
    """What stands before it: tables end a shortened id so."""
    return text.strip().removesuffix("…")


def _folded(text: str | None) -> str:
    """How a name is compared."""
    apart = unicodedata.normalize("NFKD", text or "")
    return "".join(each for each in apart if not unicodedata.combining(each)).casefold().strip()
