"""The verbs that mend what was read before: replay, redate, rollback and resolve."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from dcycle_pipeline import settings
from dcycle_pipeline.cli import console
from dcycle_pipeline.cli.app import AsJson, app, end
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.sync.outcome import GAPS, OK

if TYPE_CHECKING:
    from dcycle_pipeline.sync.rollback import Snapshot


@app.command(name="replay")
def put_through_again(json: AsJson = False) -> None:
    """Make tables, summaries and the published file again from landed pages, without the API; quarantined items too."""

    def run() -> int:
        from dcycle_pipeline.cli.screen import progress
        from dcycle_pipeline.sync.replay import replay
        from dcycle_pipeline.sync.run import Run

        loaded = settings.load_offline()
        with (
            progress() as shown,
            Run(str(uuid4()), loaded, shown, wait_for_folder_seconds=0) as again,
        ):
            replay(again)
        return _tell_published(loaded.data_dir, again.run_id, json)

    end(run, json)


@app.command(name="redate")
def put_moments_back(json: AsJson = False) -> None:
    """Put back to the present what was stamped while the clock was ahead, in its order, and publish."""

    def run() -> int:
        from dcycle_pipeline.sync.organizations import read_tree
        from dcycle_pipeline.sync.redate import redate
        from dcycle_pipeline.sync.run import Run

        loaded = settings.load()
        _, _, server_date = read_tree(loaded)
        with Run(str(uuid4()), loaded, wait_for_folder_seconds=0) as mending:
            count, published = redate(mending, server_date)
        if published is None:
            console.as_json({"moments": 0, "exit_code": OK}) if json else console.show(
                "No moment lies ahead of the clock: nothing was changed."
            )
            return OK
        if not json:
            console.show(f"{count} moments that lay ahead of the clock now lie just before it, in the same order.")
        return _tell_published(loaded.data_dir, mending.run_id, json, moments=count)

    end(run, json)


@app.command(name="rollback")
def put_back(
    to: Annotated[str | None, typer.Argument(help="Start of the snapshot's name or of its run id.")] = None,
    only_list: Annotated[
        bool, typer.Option("--list", help="Show the snapshots that are kept, change nothing.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Show readers an earlier published snapshot again: the one before, or the one named."""

    def run() -> int:
        from dcycle_pipeline.data_folder import DataFolder
        from dcycle_pipeline.sync import rollback

        folder = DataFolder(settings.data_dir())
        if only_list:
            return _show_snapshots(rollback.kept(folder), json)
        snapshot = rollback.roll_back(folder, to)
        if json:
            console.as_json({**vars(snapshot), "shown": True, "file": folder.published.absolute(), "exit_code": OK})
        else:
            console.show(
                f"{folder.published.absolute()} shows {snapshot.name} again, published at {snapshot.published_at:%Y-%m-%d %H:%M:%S} UTC."
            )
            console.show(
                "Nothing is lost: the working file keeps every version. The next sync reads everything and publishes what it finds "
                "over this; until you want that, stop the schedule."
            )
        return OK

    end(run, json)


def _show_snapshots(kept: "Sequence[Snapshot]", json: bool) -> int:
    from dcycle_pipeline.cli import screen

    problems = [snapshot.problem for snapshot in kept if snapshot.problem]
    code = GAPS if problems else OK
    rows = [vars(snapshot) for snapshot in kept]
    if json:
        console.as_json({"snapshots": rows, "exit_code": code})
    else:
        screen.table("Snapshots", rows)
        for problem in problems:
            console.show(problem)
    return code


@app.command(name="resolve")
def decide(
    *,
    organization: Annotated[str, typer.Option(help="Organisation of the row.")] = "",
    endpoint: Annotated[str, typer.Option(help="facilities or waste_water_treatments.")] = "",
    item: Annotated[str, typer.Option("--id", help="Id of the row.")] = "",
    decision: Annotated[str, typer.Option("--as", help="deleted (it is gone) or kept (it stays, and is no gap).")] = "",
    by: Annotated[str, typer.Option(help="Who decides.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    json: AsJson = False,
) -> None:
    """List the rows that are in doubt; or decide one of them, and publish."""

    def run() -> int:
        given = {"--organization": organization, "--endpoint": endpoint, "--id": item, "--as": decision, "--by": by}
        given["--reason"] = reason
        if not any(given.values()):
            return _show_doubtful(json)
        if lacking := [name for name, value in given.items() if not value.strip()]:
            raise SettingsError(f"A decision needs {', '.join(lacking)} too; without any option, the rows are listed.")
        from dcycle_pipeline.landing.lists import Decision
        from dcycle_pipeline.sync import resolve
        from dcycle_pipeline.sync.run import Run

        if decision not in (resolve.DELETED, resolve.KEPT):
            raise SettingsError(f"--as is {decision!r}; it must be {resolve.DELETED} or {resolve.KEPT}.")
        loaded = settings.load_offline()
        with Run(str(uuid4()), loaded, wait_for_folder_seconds=0) as deciding:
            resolve.resolve(deciding, organization, endpoint, Decision(item, decision, by, reason))
        return _tell_published(loaded.data_dir, deciding.run_id, json)

    end(run, json)


def _show_doubtful(json: bool) -> int:
    from dcycle_pipeline.cli import screen
    from dcycle_pipeline.data_folder import DataFolder
    from dcycle_pipeline.readers import published_file
    from dcycle_pipeline.warehouse import run_tables

    rows = published_file.rows(DataFolder(settings.data_dir()).readable, run_tables.DOUBTFUL)
    code = GAPS if rows else OK
    if json:
        console.as_json({"doubtful_rows": rows, "exit_code": code})
    else:
        screen.table("Doubtful rows", rows) if rows else console.show("No row is in doubt.")
    return code


def _tell_published(data_dir: Path, run_id: str, json: bool, **more: int) -> int:
    """What a run published, with `more` for machines. Returns the exit code."""
    from dcycle_pipeline.cli.results import tell
    from dcycle_pipeline.data_folder import DataFolder
    from dcycle_pipeline.sync.result import result_of

    result = result_of(DataFolder(data_dir).published, run_id, [])
    if json:
        console.as_json({**more, **result})
    else:
        tell(result)
    return int(result["exit_code"])
