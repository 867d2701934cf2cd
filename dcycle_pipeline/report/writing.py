"""Writes the report, for the command line and for Dagster. What it shows belongs to the other modules of this room."""

from dataclasses import dataclass
from pathlib import Path

from dcycle_pipeline.data_folder import DataFolder, permissions, write_whole
from dcycle_pipeline.errors import SettingsError, UnavailableError
from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.report.drawing import drawings
from dcycle_pipeline.report.emissions import MONTHS
from dcycle_pipeline.report.page import answers, charts_of, render

_PICTURE = "Monthly emissions by organisation, in tonnes of CO₂e"
_PICTURE_COLUMNS = 3


@dataclass(frozen=True)
class Report:
    """What was written, and from which publication; `undrawn_count` is how many charts could not be drawn.

    `picture` shows the monthly lines as a Markdown image, or says why not; it is empty if there are none, or nobody asked for it.
    """

    file: Path
    size_bytes: int
    run_id: str
    content_hash: str
    undrawn_count: int
    picture: str


def write_report(published_file: Path, output: Path, *, with_picture: bool = False) -> Report:
    """Write the page about the published file to `output`, whole or not at all.

    Raises UnavailableError if nothing is published, SettingsError if the page cannot be written there.
    """
    with Published(published_file) as published:
        found = answers(published)
        charts = {name: charts_of(answer) for name, answer in found.items()}
        together = charts[MONTHS.figures[0].name] if with_picture else []
        kept = DataFolder(output.parent).pictures if output == DataFolder(output.parent).report else None
        drawn = drawings(charts, together, _PICTURE_COLUMNS, _PICTURE, kept)
        page = render(published, found, drawn.charts).encode()
    if output.is_dir():
        raise SettingsError(f"The report cannot be written to {output}: that is a folder. Choose another file.")
    try:
        write_whole(output, page, permissions.published(permissions.READABLE_BY_ALL))
    except UnavailableError as error:
        raise SettingsError(f"The report was not written: {error} Or choose another file.") from None
    facts = found["publication"].rows[0]
    return Report(output, len(page), facts["run_id"], facts["content_hash"], drawn.failed_count, drawn.image)
