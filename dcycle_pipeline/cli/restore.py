"""The verbs that mend what was read before: replay, redate, rollback and resolve."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from dcycle_pipeline import settings, signals
from dcycle_pipeline.cli import console
from dcycle_pipeline.cli.app import AsJson, app, end
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.sync.outcome import GAPS, OK
from dcycle_pipeline.text import counted

if TYPE_CHECKING:
    from dcycle_pipeline.settings import NotificationSettings, Settings
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
            _mending(loaded, again.run_id),
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
        with (
            Run(str(uuid4()), loaded, wait_for_folder_seconds=0) as mending,
            _mending(loaded, mending.run_id),
        ):
            count, published = redate(mending, server_date)
        if published is None:
            console.as_json({"moments": 0, "exit_code": OK}) if json else console.show(
                "No moment lies ahead of the clock: nothing was changed."
            )
            return OK
        if not json:
            console.show(f"Put just before the clock, in their order: {counted(count, 'moment')} that lay ahead of it.")
        return _tell_published(loaded.data_dir, mending.run_id, json, moments=count)

    end(run, json)


@app.command(name="rollback")
def put_back(
    to: Annotated[str | None, typer.Argument(metavar="[SNAPSHOT]")] = None,
    only_list: Annotated[
        bool, typer.Option("--list", help="Show the snapshots that are kept, change nothing.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Show readers an earlier published snapshot again: the one before, or the one named.

    SNAPSHOT is the start of its name or of its run id: `rollback --list` shows both.
    """

    def run() -> int:
        from dcycle_pipeline.data_folder import DataFolder
        from dcycle_pipeline.sync import rollback

        folder = DataFolder(settings.data_dir())
        if only_list:
            return _show_snapshots(rollback.kept(folder), json)
        with _mending(settings.load_notification()):
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


@contextmanager
def _mending(notified: "Settings | NotificationSettings", run_id: str = "") -> Iterator[None]:
    """What is mended here notifies if it fails, and if it makes all well. It asks no API, so it makes up for no sync that failed."""
    from dcycle_pipeline.data_folder import DataFolder
    from dcycle_pipeline.notify.endings import noted
    from dcycle_pipeline.sync.outcome import Outcome

    outcome = Outcome(was_read=False)
    with (
        DataFolder(notified.data_dir).writing("dcycle-pipeline", wait_seconds=0),
        noted(notified, run_id, outcome),
        signals.at_stake(signals.MENDED),
    ):
        yield
        outcome.published = True


def _show_snapshots(kept: "Sequence[Snapshot]", json: bool) -> int:
    problems = [snapshot.problem for snapshot in kept if snapshot.problem]
    code = GAPS if problems else OK
    if json:
        console.as_json({"snapshots": [vars(snapshot) for snapshot in kept], "exit_code": code})
        return code
    if not kept:
        console.show("No snapshot is kept: nothing was published yet. Next: `dcycle-pipeline sync`")
        return code
    _tell_snapshots(kept)
    for problem in problems:
        console.show(problem)
    if len(kept) > 1:
        console.show("`dcycle-pipeline rollback SNAPSHOT` shows readers one of them again.")
    return code


def _tell_snapshots(kept: "Sequence[Snapshot]") -> None:
    from datetime import UTC, datetime

    from dcycle_pipeline.cli import tables
    from dcycle_pipeline.sync.clock import ago

    now = datetime.now(UTC)
    rows = [
        {
            "snapshot": one.name,
            "published": ago(one.published_at, now) if one.published_at else "damaged",
            "shown": one.shown,
            "run id": one.run_id,
        }
        for one in kept
    ]
    tables.table("Snapshots, the oldest first", rows)


@app.command(name="resolve")
def decide(
    *,
    organization: Annotated[
        str, typer.Option(help="Organisation of the row, by name, id or the start of either.")
    ] = "",
    endpoint: Annotated[str, typer.Option(help="facilities or waste_water_treatments.")] = "",
    item: Annotated[str, typer.Option("--id", help="Id of the row, or its start.")] = "",
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
        with (
            Run(str(uuid4()), loaded, wait_for_folder_seconds=0) as deciding,
            _mending(loaded, deciding.run_id),
        ):
            resolve.resolve(deciding, organization, endpoint, Decision(item, decision, by, reason))
        return _tell_published(loaded.data_dir, deciding.run_id, json)

    end(run, json)


def _show_doubtful(json: bool) -> int:
    from dcycle_pipeline.data_folder import DataFolder
    from dcycle_pipeline.readers import lookup
    from dcycle_pipeline.readers.published_file import Published
    from dcycle_pipeline.warehouse import last_sweeps

    with Published(DataFolder(settings.data_dir()).readable) as published:
        rows = published.rows(last_sweeps.DOUBTFUL)
        names = lookup.names(published) if rows else {}
    code = GAPS if rows else OK
    if json:
        console.as_json({"doubtful_rows": rows, "exit_code": code})
    elif rows:
        _tell_doubtful(rows, names)
    else:
        console.show("No row is in doubt.")
    return code


def _tell_doubtful(rows: list[dict[str, Any]], names: dict[str, str]) -> None:
    from dcycle_pipeline.cli import tables

    shown = [
        {
            "organisation": names.get(row["organization_id"], ""),
            "facility": names.get(row["facility_id"] or row["item_id"], ""),
            "endpoint": row["endpoint"],
            "since": row["doubtful_since"].date(),
            "reason": row["reason"],
            "id": row["item_id"],
            "organisation id": row["organization_id"],
        }
        for row in rows
    ]
    tables.table("Rows in doubt", shown, whole_ids=True)
    console.show("If you know what became of one: `dcycle-pipeline resolve --help` says how to decide it.")


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
