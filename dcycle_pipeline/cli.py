"""The command line: thin verbs over the Dagster job, the published file and the sandbox.

Exit codes: 0 everything asked for is published; 1 published, but something is open or quarantined; 2 wrong settings or
usage, nothing done; 3 nothing could be published.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from dcycle_pipeline import books, console, doctor, published, settings
from dcycle_pipeline.errors import DcycleError, SettingsError
from dcycle_pipeline.folder import DataFolder
from dcycle_pipeline.sandbox import API_KEY, Behaviour, Sandbox, World, serve
from dcycle_pipeline.settings import Settings

OK, GAPS, WRONG_SETTINGS, NOTHING_PUBLISHED = 0, 1, 2, 3

app = typer.Typer(
    help="Every record of a Dcycle account, proven complete, in a DuckDB file that is always readable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
AsJson = Annotated[bool, typer.Option("--json", help="Print one machine-readable result on stdout.")]
Organizations = Annotated[
    list[str] | None, typer.Option("--organization", help="Sync only this organisation; may be repeated.")
]


@app.command()
def demo(json: AsJson = False) -> None:
    """Start the sandbox, sync it, publish, show the tables, stop everything. Honours DCYCLE_DATA_DIR."""

    def run() -> int:
        world = World.generate()
        with Sandbox(world) as sandbox:
            console.say(
                f"Sandbox at {sandbox.base_url} with {len(world.organization_ids())} organisations of invented data"
            )
            ours = {
                name: field.get_default() for name, field in Settings.model_fields.items() if not field.is_required()
            }
            ours |= {"api_key": sandbox.api_key, "organization_id": world.root_id, "base_url": sandbox.base_url}
            code = _sync(lambda: settings.load(**ours | {"data_dir": settings.data_dir()}), [], json)
        if code in (OK, GAPS) and not json:
            _show_tables(settings.data_dir())
        return code

    _end(run, json)


@app.command()
def sync(organization: Organizations = None, json: AsJson = False) -> None:
    """Read every organisation completely (or those named), derive the summaries, publish."""
    _end(lambda: _sync(settings.load, organization or [], json), json)


@app.command()
def status(json: AsJson = False) -> None:
    """What is published, how fresh it is, and what is open."""

    def run() -> int:
        file = DataFolder(settings.data_dir()).published
        result = _result(file, published.rows(file, published.LAST_RUN)[0]["run_id"], [])
        result["organizations"] = published.rows(file, published.BY_ORGANIZATION)
        if json:
            console.as_json(result)
        else:
            console.table("Organisations", result["organizations"])
            _tell(result)
        return int(result["exit_code"])

    _end(run, json)


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
        written = write_report(folder.published, output or folder.report)
        result = _result(folder.published, written.run_id, [])
        if json:
            console.as_json(result | {"report": written.file.absolute(), "report_bytes": written.size_bytes})
        else:
            console.show(f"Report: {written.file.absolute()} ({written.size_bytes // 1024} kB)")
            _tell(result)
        return int(result["exit_code"])

    _end(run, json)


@app.command(name="doctor")
def check_up(json: AsJson = False) -> None:
    """Check settings, folder, disk, file, versions, reachability, clock and credentials; say what to do about each."""

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

    _end(run, json)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8484,
    seed: Annotated[int, typer.Option(help="Seed of the invented data.")] = 7,
    behave: Annotated[list[str] | None, typer.Option(help="A switch as name=value; may be repeated.")] = None,
) -> None:
    """Serve the sandbox, a Dcycle API with invented data, until Ctrl-C."""

    def run() -> int:
        try:
            behaviour = Behaviour.parse(behave or [])
        except ValueError as error:
            raise SettingsError(str(error)) from None
        world = World.generate(seed)

        def ready(base_url: str) -> None:
            console.show(f"DCYCLE_BASE_URL={base_url}")
            console.show(f"DCYCLE_API_KEY={API_KEY}")
            console.show(f"DCYCLE_ORGANIZATION_ID={world.root_id}")

        try:
            serve(world, behaviour, host="127.0.0.1", port=port, on_ready=ready)
        except OSError as error:
            raise SettingsError(f"Port {port} cannot be used: {error.strerror}. Choose another with --port.") from None
        return OK

    _end(run, False)


def _sync(load: Callable[[], Settings], organizations: list[str], as_json: bool) -> int:
    # Dagster takes more than a second to import: only the verbs that run it pay for that.
    from dcycle_pipeline.orchestration.context import Environment  # noqa: PLC0415
    from dcycle_pipeline.orchestration.in_process import run_job  # noqa: PLC0415

    started = time.monotonic()
    loaded = load()
    folder = DataFolder(loaded.data_dir)
    with folder.writing("dcycle-pipeline", wait_seconds=0), console.progress() as progress:
        results = run_job(Environment(lambda: loaded, progress, wait_for_folder_seconds=0), organizations)
    for failed in (result for result in results if result.exit_code and not result.published):
        raise SettingsError(failed.failure) if failed.exit_code == WRONG_SETTINGS else DcycleError(failed.failure)
    runs = [_result(folder.published, result.run_id, organizations) for result in results]
    worst = max(runs, key=lambda run: run["exit_code"])
    for failed in (result for result in results if result.exit_code and result.published):
        console.say(f"Published, but the report was not written: {failed.failure}")
        worst["exit_code"] = GAPS
    worst["duration_seconds"] = round(time.monotonic() - started, 3)
    if as_json:
        console.as_json(worst if len(runs) == 1 else {**worst, "runs": runs})
    else:
        _tell(worst)
    return int(worst["exit_code"])


def _asked(row: dict[str, Any], organizations: list[str]) -> bool:
    return not organizations or row["organization_id"] in organizations


def _result(file: Path, run_id: str, organizations: list[str]) -> dict[str, Any]:
    """What one run published, and what is open or quarantined of the organisations asked for (all, where none is named)."""
    facts = published.rows(file, published.RUN, [run_id])[0]
    open_scopes = [row for row in published.rows(file, books.OPEN_SCOPES) if _asked(row, organizations)]
    quarantined = [row for row in published.rows(file, books.QUARANTINED) if _asked(row, organizations)]
    code = GAPS if open_scopes or quarantined else OK
    return {"exit_code": code, "file": file.absolute(), **facts, "open_scopes": open_scopes, "quarantined": quarantined}


def _tell(result: dict[str, Any]) -> None:
    for field in result["drift"] if result["drift"] is not None else ():
        console.show(f"New in the API and not read: {field}")
    for item in result["quarantined"]:
        where = f"organisation {item['organization_id']}, {item['endpoint']}, facility {item['facility_id'] or '-'}"
        console.show(f"Quarantined: {where}, item {item['item_id'] or 'without id'}: {item['reason']}")
    for scope in result["open_scopes"]:
        where = f"organisation {scope['organization_id']}, {scope['endpoint']}, facility {scope['facility_id'] or '-'}"
        console.show(f"Open: {where}: {scope['outcome']}: {scope['reason']}")
    changed = "changed" if result["content_changed"] else "unchanged"
    counts = f"{result['rows_count']} rows in {result['scopes_proven_count']} proven lists, {result['requests_count']} requests, content {changed}"
    console.show(f"Published {result['file']} at {result['published_at']:%Y-%m-%d %H:%M:%S} UTC: {counts}.")
    if result["exit_code"] == GAPS:
        scopes = "; ".join(
            f"{s['endpoint']} of {s['facility_id'] or s['organization_id']} {s['outcome']}"
            for s in result["open_scopes"][:5]
        )
        more = f" and {len(result['open_scopes']) - 5} more" if len(result["open_scopes"]) > 5 else ""
        console.show(
            f"With gaps: {len(result['open_scopes'])} open ({scopes}{more}), {len(result['quarantined'])} items quarantined; their last rows stay."
        )


def _show_tables(data_dir: Path) -> None:
    file = DataFolder(data_dir).published
    console.table("Tables", published.rows(file, published.TABLES))
    console.table("Organisations", published.rows(file, published.BY_ORGANIZATION))
    console.show(f"Open it read-only with any DuckDB from 1.4 on: {file.absolute()}")


def _end(run: Callable[[], int], as_json: bool) -> None:
    """Exit with what `run` returns; a known error becomes its message and its exit code."""
    logging.getLogger("stamina").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        code = run()
    except DcycleError as error:
        code = WRONG_SETTINGS if isinstance(error, SettingsError) else NOTHING_PUBLISHED
        console.say(f"Error: {error}")
        if as_json:
            console.as_json({"exit_code": code, "error": str(error)})
    except KeyboardInterrupt:
        code = NOTHING_PUBLISHED
        console.say("Stopped. The last published file stays as it was.")
    raise typer.Exit(code)


def main() -> None:
    """Entry point of `dcycle-pipeline` and `python -m dcycle_pipeline`."""
    app()
