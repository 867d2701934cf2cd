"""The verbs that read an API: sync, demo against the sandbox, and the sandbox itself."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated
from uuid import uuid4

import typer

from dcycle_pipeline import settings
from dcycle_pipeline.cli import console
from dcycle_pipeline.cli.app import AsJson, app, end
from dcycle_pipeline.cli.results import result_of, show_tables, tell
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import DcycleError, SettingsError
from dcycle_pipeline.publish import destinations
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.organizations import organizations_to_sync
from dcycle_pipeline.sync.outcome import GAPS, OK, WRONG_SETTINGS, Outcome
from dcycle_pipeline.sync.progress import Progress
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.whole import sync_whole

Organizations = Annotated[
    list[str] | None, typer.Option("--organization", help="Sync only this organisation; may be repeated.")
]
AcceptedDrops = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-drop", help="Let any number of rows of this organisation vanish, once confirmed; may be repeated."
    ),
]


@app.command()
def demo(json: AsJson = False) -> None:
    """Start the sandbox, sync it, publish, show the tables, stop everything. Honours DCYCLE_DATA_DIR."""

    def run() -> int:
        from dcycle_pipeline.sandbox import Sandbox, demo_world  # noqa: PLC0415 - a web server that a sync has no use for

        world = demo_world()
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
            show_tables(settings.data_dir())
        return code

    end(run, json)


@app.command()
def sync(organization: Organizations = None, accept_drop: AcceptedDrops = None, json: AsJson = False) -> None:
    """Read every organisation completely (or those named), derive the summaries, publish."""
    end(lambda: _sync(settings.load, organization or [], json, accept_drop or []), json)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8484,
    seed: Annotated[int, typer.Option(help="Seed of the invented data.")] = 7,
    behave: Annotated[list[str] | None, typer.Option(help="A switch as name=value; may be repeated.")] = None,
) -> None:
    """Serve the sandbox, a Dcycle API with invented data, until Ctrl-C."""

    def run() -> int:
        from dcycle_pipeline.sandbox import API_KEY, demo_world, parse_behaviour, serve  # noqa: PLC0415 - as above

        try:
            behaviour = parse_behaviour(behave or [])
        except ValueError as error:
            raise SettingsError(str(error)) from None
        world = demo_world(seed)

        def ready(base_url: str) -> None:
            console.show(f"DCYCLE_BASE_URL={base_url}")
            console.show(f"DCYCLE_API_KEY={API_KEY}")
            console.show(f"DCYCLE_ORGANIZATION_ID={world.root_id}")

        try:
            serve(world, behaviour, host="127.0.0.1", port=port, on_ready=ready)
        except OSError as error:
            raise SettingsError(f"Port {port} cannot be used: {error.strerror}. Choose another with --port.") from None
        return OK

    end(run, False)


def _sync(
    load: Callable[[], Settings], organizations: list[str], as_json: bool, accepted_drops: Sequence[str] = ()
) -> int:
    started = time.monotonic()
    loaded = load()
    destinations.chosen(loaded)
    folder = DataFolder(loaded.data_dir)
    with folder.writing("dcycle-pipeline", wait_seconds=0), console.progress() as progress:
        run = _run_in_dagster if settings.dagster_home() else _run_here
        outcomes = run(loaded, progress, organizations, accepted_drops)
    for failed in (outcome for outcome in outcomes.values() if outcome.failure and not outcome.published):
        if failed.defect is not None:
            raise failed.defect
        raise SettingsError(failed.failure) if failed.exit_code == WRONG_SETTINGS else DcycleError(failed.failure)
    runs = [result_of(folder.published, run_id, organizations) for run_id in outcomes]
    worst = max(runs, key=lambda run: run["exit_code"])
    for failed in (outcome for outcome in outcomes.values() if outcome.failure):
        console.say(f"Published, but the report was not written: {failed.failure}")
        worst["exit_code"] = GAPS
    worst["duration_seconds"] = round(time.monotonic() - started, 3)
    if as_json:
        console.as_json(worst if len(runs) == 1 else {**worst, "runs": runs})
    else:
        tell(worst)
    return int(worst["exit_code"])


def _run_in_dagster(
    loaded: Settings, progress: Progress, organizations: list[str], accepted_drops: Sequence[str]
) -> Mapping[str, Outcome]:
    """The Dagster job, so that its runs and checks show in the UI of DAGSTER_HOME."""
    # Dagster takes a second of processor time to load: only a run that somebody will look at pays for that.
    from dcycle_pipeline.orchestration.in_process import run_job  # noqa: PLC0415
    from dcycle_pipeline.orchestration.step import Environment  # noqa: PLC0415

    environment = Environment(lambda: loaded, progress, wait_for_folder_seconds=0)
    return run_job(environment, organizations, accepted_drops)


def _run_here(
    loaded: Settings, progress: Progress, organizations: list[str], accepted_drops: Sequence[str]
) -> Mapping[str, Outcome]:
    """The same steps without Dagster, which nobody could look at without a DAGSTER_HOME."""
    from dcycle_pipeline.report.writing import write_report  # noqa: PLC0415 - as above

    organizations_to_sync(loaded, [*organizations, *accepted_drops])
    outcomes = {}
    for named in [[each] for each in organizations] or [[]]:
        accepted = frozenset(accepted_drops)
        with Run(str(uuid4()), loaded, progress, wait_for_folder_seconds=0, accepted_drops=accepted) as run:
            outcome = outcomes[run.run_id] = Outcome()
            try:
                sync_whole(run, named)
                outcome.published = True
                write_report(run.folder.published, run.folder.report)
            except Exception as error:
                outcome.fail(error)
    return outcomes
