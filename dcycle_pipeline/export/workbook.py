"""What an Excel workbook of the published file holds: its sheets, and what each is filled from. Writing cells belongs to `cells`."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.exceptions import XlsxWriterException

from dcycle_pipeline.data_folder import beside, delete, permissions
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.export.cells import MOST_ROWS, Cells
from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.readers import published_file
from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.schema import Table
from dcycle_pipeline.summaries.bi import BI_DATES, BI_EMISSIONS, BI_FACILITIES, BI_ORGANIZATIONS
from dcycle_pipeline.warehouse import last_sweeps

SUFFIX = ".xlsx"
# The star, and the records behind its figures. Each is a sheet, named like this.
STAR = {table.name: table.qualified for table in (BI_EMISSIONS, BI_FACILITIES, BI_ORGANIZATIONS, BI_DATES)} | {
    "records": "dcycle.waste_water_treatments"
}
_EXCLUDED = """SELECT organization_id, name AS organization, 'excluded by DCYCLE_ORGANIZATIONS_FILE' AS reason
FROM sync.excluded_organizations ORDER BY ALL"""
_GAPS = {
    "organisation left out": _EXCLUDED,
    "unproven list": last_sweeps.UNPROVEN_LISTS,
    "quarantined": last_sweeps.QUARANTINED,
    "in doubt": last_sweeps.DOUBTFUL,
    "listed twice": last_sweeps.LISTED_TWICE,
}
_NOTES = (
    "Excel keeps 15 digits of a number. The column beside each decimal, named … exact, holds its text to the last digit.",
    "Times are in UTC. A month is named by its first day.",
    "An empty co2e_kg is pending: Dcycle has not calculated it yet. It is never zero.",
    "co2e_biomass_kg stands beside co2e_kg and is never added to it. Columns in t say those in kg again.",
    "Every number of emissions adds up over any choice of rows. It is made of records: never add the two.",
    "The sheet gaps names what may be missing; if it is empty, every list of every organisation was read with proof.",
)


@dataclass(frozen=True)
class Workbook:
    """What was written, and from which publication; `rows` by sheet."""

    file: Path
    size_bytes: int
    run_id: str
    rows: dict[str, int]


def write_workbook(published: Path, output: Path) -> Workbook:
    """Write the published file to an Excel workbook, whole or not at all.

    Raises UnavailableError if nothing is published, SettingsError if a table is too long for a sheet or the file cannot be written.
    """
    if output.is_dir() or output.suffix.lower() != SUFFIX:
        raise SettingsError(
            f"{output} is no file that ends in {SUFFIX}: name one, e.g. report.xlsx, or say dbt DIR or superset DIR. "
            "Nothing was written."
        )
    part = beside(output)
    with Published(published) as reader:
        publication = reader.rows(published_file.LAST_RUN)[0]
        rows = _counted(reader)
        try:
            part.touch(0o600, exist_ok=False)  # what cannot be written there is said before the work
            _write(part, reader, publication)
            permissions.set_mode(part, permissions.published(permissions.READABLE_BY_ALL))
            with part.open("rb") as written:
                os.fsync(written.fileno())
            os.replace(part, output)
        except (OSError, XlsxWriterException) as error:
            said = getattr(error, "strerror", None) or str(error)
            raise SettingsError(f"The workbook was not written to {output}: {said}. Choose another file.") from None
        finally:
            delete(part)
    return Workbook(output, output.stat().st_size, publication["run_id"], rows)


def _counted(reader: Published) -> dict[str, int]:
    """The rows of each table, before the first cell is written."""
    rows = {sheet: reader.rows(f"SELECT count(*) AS n FROM {table}")[0]["n"] for sheet, table in STAR.items()}
    for sheet, count in rows.items():
        if count > MOST_ROWS:
            raise SettingsError(
                f"{STAR[sheet]} has {count:,} rows, and a sheet of Excel takes {MOST_ROWS:,}: nothing was written. "
                "Query the published file, or set DCYCLE_DESTINATIONS=parquet."
            )
    return rows


def _write(file: Path, reader: Published, publication: dict[str, Any]) -> None:
    # In constant memory each row is written when the next one begins, so rows come in their order.
    with xlsxwriter.Workbook(str(file), {"constant_memory": True}) as book:
        # The moment of the publication, so that the same publication gives the same file.
        created = publication["published_at"].replace(tzinfo=None)
        book.set_properties({"title": "Dcycle emissions", "created": created})
        cells = Cells(book)
        cells.sheet("about", ("what", "value"), _about(publication))
        cells.sheet("freshness", *_answer(reader.rows(published_file.BY_ORGANIZATION)))
        cells.sheet("gaps", ("gap", "where", "reason"), _gaps(reader))
        declared = {table.qualified: table for table in all_tables()}
        for sheet, name in STAR.items():
            cells.table(sheet, declared[name].columns, _rows(reader, declared[name]))
        heads = ("sheet", "column", "type", "unit", "may be added up", "meaning", "source")
        cells.sheet("dictionary", heads, _dictionary(declared))


def _rows(reader: Published, table: Table) -> Iterator[Sequence[Any]]:
    return reader.each(f"SELECT {', '.join(table.names())} FROM {table.qualified} ORDER BY {', '.join(table.key)}")


def _about(publication: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "published_at", publication["published_at"]
    wanted = ("run_id", "outcome", "content_hash", "pipeline_version", "root_organization_id", "organizations_count")
    for name in (*wanted, *(each for each in publication if each.endswith("_count") and each not in wanted)):
        yield name, publication[name]
    for note in _NOTES:
        yield "note", note


def _answer(rows: list[dict[str, Any]]) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
    return tuple(rows[0]) if rows else ("organization_id",), (tuple(row.values()) for row in rows)


def _gaps(reader: Published) -> Iterator[tuple[str, str, str]]:
    for kind, query in _GAPS.items():
        for row in reader.rows(query):
            reason = row.pop("reason", "")
            yield kind, ", ".join(f"{name} {_text(value)}" for name, value in row.items() if value is not None), reason


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return " and ".join(value) if isinstance(value, list) else str(value)


def _dictionary(declared: dict[str, Table]) -> Iterator[tuple[Any, ...]]:
    for sheet, name in STAR.items():
        for each in declared[name].columns:
            adds = {"sum": "yes", "none": "no"}.get(each.additivity or "", "")
            yield sheet, each.name, each.type, each.unit, adds, each.meaning, each.source
