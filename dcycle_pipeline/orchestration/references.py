"""Where the code is that an asset is made from, for the links in Dagster's catalogue. Its step is linked where all assets are put together."""

import inspect
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import dagster as dg

from dcycle_pipeline.summaries.declaration import Summary


def made_in(*places: Summary | type | Callable[..., Any]) -> dict[str, Any]:
    """Metadata with the SQL file of a summary, or with file and line of a class or function."""
    found: list[dg.LocalFileCodeReference | dg.UrlCodeReference] = [
        _sql(place) if isinstance(place, Summary) else _python(place) for place in places
    ]
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=found)}


def _sql(summary: Summary) -> dg.LocalFileCodeReference:
    file = files("dcycle_pipeline.summaries") / f"{summary.name}.sql"
    return dg.LocalFileCodeReference(file_path=str(file), line_number=1, label=f"{summary.name}.sql")


def _python(place: type | Callable[..., Any]) -> dg.LocalFileCodeReference:
    line = inspect.getsourcelines(place)[1]
    return dg.LocalFileCodeReference(file_path=inspect.getfile(place), line_number=line, label=place.__name__)
