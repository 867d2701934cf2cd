"""The verb that writes files for others from the published file. What is in them belongs to the room `export`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from dcycle_pipeline import settings
from dcycle_pipeline.cli import console
from dcycle_pipeline.cli.app import AsJson, app, end
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.text import counted

Told = tuple[str, str, dict[str, Any]]  # the run that is published, a line for people, what --json says beside


@app.command(name="export")
def write_for_others(
    what: Annotated[str, typer.Argument(metavar="FILE.xlsx|dbt|superset")],
    folder: Annotated[Path | None, typer.Argument(metavar="[DIR]")] = None,
    json: AsJson = False,
) -> None:
    """Write the published file for others: an Excel workbook, or what dbt or Superset needs.

    FILE.xlsx: an Excel workbook of emissions by facility and month, records, dictionary, freshness, gaps.

    dbt DIR: a dbt project that reads the file as it is, with sources, tests, semantic models and metrics.

    superset DIR: what Superset imports: database, datasets and metrics.

    DIR is a new or empty folder.
    """

    def run() -> int:
        from dcycle_pipeline.cli.results import tell
        from dcycle_pipeline.data_folder import DataFolder
        from dcycle_pipeline.sync.result import result_of

        published = DataFolder(settings.data_dir()).published
        run_id, line, more = _writer(what, folder)(published)
        result = result_of(published, run_id, [])
        if json:
            console.as_json(result | more)
        else:
            console.show(line)
            tell(result)
        return int(result["exit_code"])

    end(run, json)


def _writer(what: str, folder: Path | None) -> Callable[[Path], Told]:
    if what in ("dbt", "superset"):
        if folder is None:
            raise SettingsError(
                f"Say which folder to write to: dcycle-pipeline export {what} DIR. Nothing was written."
            )
        return lambda published: _written_for(what, published, folder)
    if folder is not None:
        raise SettingsError(
            f"A folder goes with dbt or superset, not with {what}: leave {folder} out. Nothing was written."
        )
    return lambda published: _written_workbook(published, Path(what))


def _written_workbook(published: Path, output: Path) -> Told:
    from dcycle_pipeline.export.workbook import write_workbook

    written = write_workbook(published, output)
    line = f"Workbook: {written.file.absolute()} ({written.size_bytes // 1024} kB)"
    more = {"workbook": written.file.absolute(), "workbook_bytes": written.size_bytes, "sheets": written.rows}
    return written.run_id, line, more


def _written_for(tool: str, published: Path, folder: Path) -> Told:
    from dcycle_pipeline.export.tools import write_for_tool

    written = write_for_tool(tool, published, folder)
    line = f"{written.title}: {folder.absolute()} ({counted(len(written.files), 'file')}). {written.next_step}"
    return written.run_id, line, {"folder": folder.absolute(), "files": written.files}
