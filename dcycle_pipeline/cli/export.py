"""The verb that writes files for others from the published file. What is in them belongs to the room `export`."""

from pathlib import Path
from typing import Annotated

import typer

from dcycle_pipeline import settings
from dcycle_pipeline.cli import console
from dcycle_pipeline.cli.app import AsJson, app, end
from dcycle_pipeline.cli.results import result_of, tell
from dcycle_pipeline.data_folder import DataFolder


@app.command(name="export")
def write_for_others(
    output: Annotated[Path, typer.Argument(metavar="FILE.xlsx", help="Excel workbook to write.")], json: AsJson = False
) -> None:
    """Write an Excel workbook of the published file: emissions by facility and month, records, dictionary, freshness, gaps."""

    def run() -> int:
        from dcycle_pipeline.export.workbook import write_workbook  # noqa: PLC0415 - only this verb needs its library

        published = DataFolder(settings.data_dir()).published
        written = write_workbook(published, output)
        result = result_of(published, written.run_id, [])
        if json:
            more = {"workbook": written.file.absolute(), "workbook_bytes": written.size_bytes, "sheets": written.rows}
            console.as_json(result | more)
        else:
            console.show(f"Workbook: {written.file.absolute()} ({written.size_bytes // 1024} kB)")
            tell(result)
        return int(result["exit_code"])

    end(run, json)
