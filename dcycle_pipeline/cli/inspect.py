"""The verbs that look at what is there: status, report, explain and doctor."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dcycle_pipeline import settings
from dcycle_pipeline.cli import console, doctor
from dcycle_pipeline.cli.app import AsJson, app, end
from dcycle_pipeline.cli.results import renaming, result_of, tell, tell_explanation
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.readers import explain, published_file
from dcycle_pipeline.sync.outcome import OK


@app.command()
def status(json: AsJson = False) -> None:
    """What is published, how fresh it is, and which lists are unproven."""

    def run() -> int:
        folder = DataFolder(settings.data_dir())
        file = folder.readable
        result = result_of(file, published_file.rows(file, published_file.LAST_RUN)[0]["run_id"], [])
        result["organizations"] = published_file.rows(file, published_file.BY_ORGANIZATION)
        result["missing_members"] = published_file.rows(file, published_file.MISSING_MEMBERS)
        if json:
            console.as_json(result)
        else:
            console.table("Organisations", result["organizations"])
            for row in result["missing_members"]:
                console.show(
                    f"Incomplete: figures of {row['organization_id']} lack {row['member_organization_id']}: {row['reason']}"
                )
            tell(result)
            if said := renaming(folder):
                console.show(said)
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
        # Drawing loads a JavaScript engine: only this verb pays for it.
        from dcycle_pipeline.report.writing import write_report  # noqa: PLC0415

        folder = DataFolder(settings.data_dir())
        written = write_report(folder.readable, output or folder.report)
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
def check_up(json: AsJson = False) -> None:
    """Check settings, folder, disk, file, versions, proxy, certificates, network, clock and credentials; say what to do about each."""

    def run() -> int:
        findings = doctor.examine()
        if json:
            console.as_json(
                {"findings": [vars(finding) for finding in findings], "exit_code": doctor.exit_code(findings)}
            )
        else:
            for finding in findings:
                console.show(
                    f"{finding.level:<5} {finding.subject}: {finding.what}"
                    + (f" → {finding.advice}" if finding.advice else "")
                )
        return doctor.exit_code(findings)

    end(run, json)


@app.command(name="explain")
def where_from(
    facility: Annotated[str, typer.Argument(help="Id of the facility.")],
    month: Annotated[datetime, typer.Argument(help="Calendar month, e.g. 2025-03.", formats=["%Y-%m"])],
    as_of: Annotated[
        datetime | None, typer.Option(help="As published at this moment (UTC), e.g. 2026-01-31T12:00:00.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Show where the figure of a facility and month comes from: records, shares, versions, runs, pages, raw items."""

    def run() -> int:
        moment = as_of.replace(tzinfo=UTC) if as_of else None
        found = explain.explain(DataFolder(settings.data_dir()), facility, month.date(), moment)
        if json:
            console.as_json({**vars(found), "exit_code": OK})
        else:
            tell_explanation(facility, month.date(), found)
        return OK

    end(run, json)
