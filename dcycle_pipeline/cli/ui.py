"""The verb that opens Dagster's UI, on the configured API or on the sandbox. What it shows belongs to `orchestration`."""

from pathlib import Path
from typing import Annotated

import typer

from dcycle_pipeline import settings
from dcycle_pipeline.cli import console
from dcycle_pipeline.cli.app import app, end
from dcycle_pipeline.settings.sources import PREFIX, for_program, names_an_account
from dcycle_pipeline.sync.outcome import OK

HOME = Path(".dagster")
SANDBOX_HOME = HOME / "sandbox"


@app.command()
def ui(
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Show the sandbox, also if an API is configured.")] = False,
    port: Annotated[str, typer.Option(metavar="NUMBER", help="Port of the UI on 127.0.0.1.")] = "3000",
) -> None:
    """Open Dagster's UI on the configured API, or on the sandbox if none is configured, until Ctrl-C."""

    def run() -> int:
        from dcycle_pipeline.cli.values import LARGEST_PORT, whole_number

        listens_on = whole_number("--port", port, 1, LARGEST_PORT)
        if sandbox or not names_an_account():
            _on_sandbox(listens_on)
        else:
            _on_configured(listens_on)
        console.show("Dagster's services have ended.")
        return OK

    end(run, False)


def _on_configured(port: int) -> None:
    loaded = settings.load()
    console.show(f"Organisation {loaded.organization_id} at {loaded.base_url}, data folder {loaded.data_dir}")
    _serve(HOME, port, {}, Path.cwd())


def _on_sandbox(port: int) -> None:
    from dcycle_pipeline.sandbox import Sandbox, demo_world

    world, data_dir = demo_world(), settings.data_dir()
    with Sandbox(world) as api:
        console.show(f"Sandbox at {api.base_url} with invented data, data folder {data_dir}")
        ours = {"api_key": api.api_key, "organization_id": world.root_id, "base_url": api.base_url}
        given = {f"{PREFIX}{name.upper()}": text for name, text in {**ours, "data_dir": str(data_dir)}.items()}
        _serve(SANDBOX_HOME, port, given, None)


def _serve(home: Path, port: int, given: dict[str, str], folder: Path | None) -> None:
    """Run the services on a home for their runs, that of DAGSTER_HOME if it is set. Without a `folder` they start in the home, where
    no `.env` is, and with no variable of ours but those that are given.
    """
    from dcycle_pipeline.cli.dagster_services import serve
    from dcycle_pipeline.deployment.dagster_home import prepare

    home = Path(settings.dagster_home() or home).absolute()
    prepare(home)
    console.say(f"Dagster's services are starting, which takes some seconds; their runs are kept in {home}")

    def ready(address: str) -> None:
        console.show(f"Dagster's UI: {address} (Ctrl-C ends it)")
        console.show(
            f"To read everything: {address}/locations/dcycle_pipeline/jobs/sync, then Materialize all, All, Launch backfill"
        )

    environment = for_program({**given, "DAGSTER_HOME": str(home)}, with_ours=folder is not None)
    serve(port, environment, folder or home, ready)
