"""Writes the report, for the command line and for Dagster. What it shows belongs to the other modules of this room."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dcycle_pipeline.data_folder import DataFolder, permissions, write_whole
from dcycle_pipeline.errors import SettingsError, UnavailableError
from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.report.answers import Answer
from dcycle_pipeline.report.dictionary import entries, relations
from dcycle_pipeline.report.drawing import Image, drawings
from dcycle_pipeline.report.emissions import MONTHS
from dcycle_pipeline.report.figures import Chart
from dcycle_pipeline.report.labels import shortened
from dcycle_pipeline.report.page import answers, charts_of, face_of, render
from dcycle_pipeline.settings import Look
from dcycle_pipeline.text import isolated

_PICTURE = "Monthly emissions by organisation, in tonnes of CO₂e"
_PICTURE_LEGEND = (
    "Filled point: complete month. Hollow point: incomplete month, with pending records, days without a record, or data not received.",
    "Grey point: month that was not over yet. All panels have one scale.",
)
_LACKING = "Organisations missing or incomplete: {}. What they lack is not in these figures."
_LEFT_OUT = "Organisations drawn: {} of {}, those that emit most."
_PICTURE_COLUMNS = 3
_LINE_EMS = 60


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


def write_report(published_file: Path, output: Path, look: Look, *, with_picture: bool = False) -> Report:
    """Write the page about the published file to `output`, whole or not at all.

    Raises UnavailableError if nothing is published, SettingsError if the page cannot be written there or the logo cannot be read.
    """
    face = face_of(look)
    with Published(published_file) as published:
        there = relations(published)
        found = answers(published, face.language, there)
        charts = {name: charts_of(answer) for name, answer in found.items()}
        months = MONTHS.figures[0].name
        together = _picture(found, charts[months]) if with_picture else None
        kept = DataFolder(output.parent).pictures if output == DataFolder(output.parent).report else None
        drawn = drawings(charts, together, kept)
        page = render(found, drawn.charts, entries(there), face).encode()
    if output.is_dir():
        raise SettingsError(f"The report cannot be written to {output}: that is a folder. Choose another file.")
    try:
        write_whole(output, page, permissions.published(permissions.READABLE_BY_ALL))
    except UnavailableError as error:
        raise SettingsError(f"The report was not written: {error} Or choose another file.") from None
    facts = found["publication"].rows[0]
    return Report(output, len(page), facts["run_id"], facts["content_hash"], drawn.failed_count, drawn.image)


def _picture(found: Mapping[str, Answer], charts: Sequence[Chart]) -> Image:
    months = found[MONTHS.figures[0].name]
    say, number = months.language.say, months.language.number
    meaning = [say(line) for line in _PICTURE_LEGEND]
    if missing := list(dict.fromkeys(row["member"] for row in found["missing_members"].rows if row["is_top"])):
        meaning.append(say(_LACKING).format(shortened(", ".join(map(isolated, missing)), _LINE_EMS)))
    if months.left_out_count:
        meaning.append(say(_LEFT_OUT).format(number(months.shown_count), number(months.rows[0]["in_all"])))
    return Image(charts, _PICTURE_COLUMNS, say(_PICTURE), meaning)
