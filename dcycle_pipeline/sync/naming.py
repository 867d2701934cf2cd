"""What people name, as ids: organisations as the API lists them now, facilities as they are published. And ids with their names."""

from collections.abc import Mapping, Sequence
from typing import Any

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.readers import lookup
from dcycle_pipeline.readers.lookup import Known
from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.organizations import read_tree
from dcycle_pipeline.sync.run import Run

_TITLES = {"facility_id": "facility", "organization_id": "organisation"}


def organization_ids(loaded: Settings, texts: Sequence[str]) -> list[str]:
    """The organisations that each text names, by name, id or the start of either. Raises as `read_tree` and `lookup.meant` do."""
    if not texts:
        return []
    there = [Known(each.organization_id, each.name, "") for each in read_tree(loaded)[0].organizations]
    everything = ", ".join(map(str, there))
    return [lookup.meant("organisation", text, there, f"there are {everything}").identifier for text in texts]


def published_organization_ids(loaded: Settings, texts: Sequence[str]) -> list[str]:
    """The same among those that are published, without a request. Raises as `lookup.meant` does, UnavailableError if nothing is published."""
    if not texts:
        return []
    with Published(DataFolder(loaded.data_dir).readable) as published:
        return [lookup.organization(published, text).identifier for text in texts]


def facility_ids(loaded: Settings, texts: Sequence[str]) -> list[str]:
    """The facilities that each text names, likewise. One that is not published yet needs its whole id."""
    file = DataFolder(loaded.data_dir).readable
    if not texts or not file.exists():
        return list(texts)
    with Published(file) as published:
        return lookup.facility_ids(published, texts)


def known_names(run: Run) -> dict[str, str]:
    """The name of each organisation and facility that the working file knows, by id."""
    with run.working_file() as connection:
        return {identifier: name for identifier, name in connection.execute(lookup.NAMES).fetchall() if name}


def with_names(row: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """A row as people read it: the names of its facility and organisation before all else, and last the id of what it is about."""
    columns = [name for name in _TITLES if name in row]
    called = {_TITLES[name]: names.get(row[name] or "", "") for name in columns}
    facts = {name.replace("_", " "): value for name, value in row.items() if name not in columns}
    whose = next((row[name] for name in columns if row[name]), "")
    return called | facts | ({"id": whose} if columns else {})
