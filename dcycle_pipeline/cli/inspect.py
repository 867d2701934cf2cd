"""The verbs that look at what is there: status, facilities, report, explain and doctor."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dcycle_pipeline import settings
from dcycle_pipeline.cli import console
from dcycle_pipeline.cli.app import AsJson, app, end
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.sync.outcome import OK


@app.command()
def status(
    max_age: Annotated[
        str | None,
        typer.Option(help="Exit with 0 if every list was proven within this time (90m, 26h, 2d), else with 1."),
    ] = None,
    notify: Annotated[
        bool,
        typer.Option(
            "--notify", help="With --max-age: tell DCYCLE_NOTIFY once if it turned older, and once it is well again."
        ),
    ] = False,
    json: AsJson = False,
) -> None:
    """What is published, how fresh it is, what is wrong since when, the last runs, and what to do next."""

    def run() -> int:
        from dcycle_pipeline.cli.standing import tell_standing
        from dcycle_pipeline.cli.values import duration
        from dcycle_pipeline.data_folder import DataFolder
        from dcycle_pipeline.sync.standing import standing

        wanted = None if max_age is None else duration("--max-age", max_age)
        if notify and wanted is None:
            raise SettingsError("--notify needs --max-age too: it says how old data may get, as in 26h.")
        folder = DataFolder(settings.data_dir())
        result = standing(folder, datetime.now(UTC), wanted)
        if notify and wanted is not None:
            from dcycle_pipeline.notify.endings import note_age

            note_age(settings.load_notification(), wanted)
        if json:
            console.as_json(result)
        else:
            tell_standing(folder, result)
        return int(result["exit_code"])

    end(run, json)


@app.command()
def report(
    output: Annotated[
        Path | None, typer.Option("--output", help="File to write; report.html in DCYCLE_DATA_DIR by default.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Write the emissions report over the published file: one HTML page that works offline."""

    def run() -> int:
        from dcycle_pipeline.cli.results import tell
        from dcycle_pipeline.data_folder import DataFolder
        from dcycle_pipeline.report.writing import write_report
        from dcycle_pipeline.sync.result import result_of

        folder = DataFolder(settings.data_dir())
        written = write_report(folder.readable, output or folder.report, settings.report_look())
        result = result_of(folder.readable, written.run_id, [])
        if written.undrawn_count:
            console.say(
                f"Charts that could not be drawn: {written.undrawn_count}. The page says why, and has their numbers."
            )
        if json:
            console.as_json(result | {"report": written.file.absolute(), "report_bytes": written.size_bytes})
        else:
            console.show(f"Report: {written.file.absolute()} ({written.size_bytes // 1024} kB)")
            tell(result)
        return int(result["exit_code"])

    end(run, json)


@app.command(name="doctor")
def check_up(
    notify: Annotated[
        bool, typer.Option("--notify", help="Send a trial message to each address of DCYCLE_NOTIFY.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Check settings, folder, disk, file, versions, proxy, certificates, network, clock and credentials; say what to do about each.

    The last line says whether a sync can run.
    """

    def run() -> int:
        from dcycle_pipeline.cli import doctor
        from dcycle_pipeline.cli.doctor_told import tell_findings

        findings = list(doctor.examine(notify)) if json else tell_findings(doctor.examine(notify))
        code = doctor.exit_code(findings)
        if json:
            console.as_json({"findings": [vars(finding) for finding in findings], "exit_code": code})
        return code

    end(run, json)


@app.command(name="facilities")
def list_facilities(
    organization: Annotated[
        str | None, typer.Option(help="Only of this organisation: its name, its id or the start of either.")
    ] = None,
    json: AsJson = False,
) -> None:
    """List the facilities with their records and emissions. `explain` takes their names, or the start of their ids."""

    def run() -> int:
        from dcycle_pipeline.cli.figures import tell_facilities
        from dcycle_pipeline.data_folder import DataFolder
        from dcycle_pipeline.readers import lookup
        from dcycle_pipeline.readers.published_file import FACILITIES, Published

        with Published(DataFolder(settings.data_dir()).readable) as published:
            wanted = organization and lookup.organization(published, organization).identifier
            rows = published.rows(FACILITIES, {"organization_id": wanted})
        console.as_json({"facilities": rows, "exit_code": OK}) if json else tell_facilities(rows)
        return OK

    end(run, json)


@app.command(name="explain")
def where_from(
    facility: Annotated[str, typer.Argument(metavar="FACILITY")],
    month: Annotated[str, typer.Argument(metavar="MONTH")],
    as_of: Annotated[
        str | None,
        typer.Option(metavar="MOMENT", help="As published at this moment (UTC), e.g. 2026-01-31T12:00:00."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Show where the figure of a facility and month comes from: records, shares, versions, runs, pages, raw items.

    FACILITY is its name, its id, or the start of either: `dcycle-pipeline facilities` lists them.

    MONTH is a calendar month, for example 2025-03.
    """

    def run() -> int:
        from dcycle_pipeline.cli import values
        from dcycle_pipeline.cli.explanation import tell_explanation
        from dcycle_pipeline.data_folder import DataFolder
        from dcycle_pipeline.readers import lookup
        from dcycle_pipeline.readers.explain import explain
        from dcycle_pipeline.readers.published_file import Published

        wanted = values.month("MONTH", month)
        moment = None if as_of is None else values.moment("--as-of", as_of)
        folder = DataFolder(settings.data_dir())
        with Published(folder.readable) as published:
            asked = lookup.facility(published, facility)
        found = explain(folder, asked.identifier, wanted, moment)
        if json:
            console.as_json({**vars(found), "exit_code": OK})
        else:
            tell_explanation(str(asked), wanted, found)
        return OK

    end(run, json)
