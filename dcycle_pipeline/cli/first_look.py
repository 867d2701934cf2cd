"""What `demo` shows at its end: what is in the file, tonnes by organisation, where file and report are, and what to try next."""

import shlex
import shutil
import sys
from decimal import Decimal
from pathlib import Path

from dcycle_pipeline.cli import console
from dcycle_pipeline.cli.figures import KG_PER_TONNE, tell_organizations
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.readers import published_file
from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.readers.table_names import listed
from dcycle_pipeline.terminal import columns_of

_KEPT_TOGETHER = "\u00a0"  # by whom lines are filled; a terminal should show, and a search find, a plain space
# A figure that is worth a look: a month that is whole, with as many records as there are.
_FIGURE = """SELECT facility_id, month, organization_id FROM summaries.emissions_by_facility_month
WHERE pending_record_count = 0 AND co2e_kg > 0 AND covered_days = days_in_month
ORDER BY record_count DESC, month DESC, facility_id LIMIT 1"""


def tell_first_look(data_dir: Path) -> None:
    """The end of a demo on the published file of a data folder. Raises UnavailableError if nothing is published."""
    folder = DataFolder(data_dir)
    with Published(folder.readable) as published:
        organizations = published.rows(published_file.BY_ORGANIZATION)
        figure = published.rows(_FIGURE)
    counts = {row["table"]: row["rows"] for row in published_file.contents(folder.readable)}
    console.show("")
    console.show("Tables, with their rows:")
    for line in listed(counts, columns_of(sys.stdout) or 100).splitlines():
        console.show_whole(line.replace(_KEPT_TOGETHER, " "))
    console.show("")
    tell_organizations(organizations)
    total = sum((row["wwt_co2e_kg"] or Decimal(0) for row in organizations), Decimal(0)) / KG_PER_TONNE
    console.show(f"Together {total:,.3f} t CO2e. All data is invented.")
    console.show("")
    console.show(f"File:   {folder.readable.absolute()} (read-only, any DuckDB from 1.4 on)")
    console.show(f"Report: {folder.report.absolute()}")
    console.show_whole(f"UI:     {_program()} ui --sandbox (Dagster, on the same data)")
    console.show("Next:")
    for command in _next_commands(figure):
        console.show_whole(f"  {command}")


def _next_commands(figure: list[dict[str, object]]) -> list[str]:
    """Three commands that work on what is there, as this program was started."""
    program = _program()
    words = [[program, "status"]]
    for row in figure:
        words.insert(0, [program, "explain", str(row["facility_id"]), f"{row['month']:%Y-%m}"])
        words.append([program, "facilities", "--organization", str(row["organization_id"])])
    return [" ".join([each[0], shlex.join(each[1:])]) for each in words]


def _program() -> str:
    """How this program was called, for a person to call it again."""
    called = sys.argv[0]
    if Path(called).name == "__main__.py":
        return "python -m dcycle_pipeline"
    found = shutil.which(Path(called).name)
    return Path(called).name if found and Path(found).absolute() == Path(called).absolute() else shlex.quote(called)
