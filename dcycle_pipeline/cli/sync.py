"""The verbs that read an API: sync, demo against the sandbox, and the sandbox itself."""

from typing import Annotated

import typer

from dcycle_pipeline import settings
from dcycle_pipeline.cli import console
from dcycle_pipeline.cli.app import AsJson, app, end
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.sync.outcome import GAPS, OK

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
        from dcycle_pipeline.cli.syncing import show_tables, sync_and_tell
        from dcycle_pipeline.sandbox import Sandbox, demo_world

        world = demo_world()
        with Sandbox(world) as sandbox:
            console.say(
                f"Sandbox at {sandbox.base_url} with {len(world.organization_ids())} organisations of invented data"
            )
            ours = {
                name: field.get_default()
                for name, field in settings.Settings.model_fields.items()
                if not field.is_required()
            }
            ours |= {"api_key": sandbox.api_key, "organization_id": world.root_id, "base_url": sandbox.base_url}
            code = sync_and_tell(lambda: settings.load(**ours | {"data_dir": settings.data_dir()}), [], json)
        if code in (OK, GAPS) and not json:
            show_tables(settings.data_dir())
        return code

    end(run, json)


@app.command()
def sync(organization: Organizations = None, accept_drop: AcceptedDrops = None, json: AsJson = False) -> None:
    """Read every organisation completely (or those named), derive the summaries, publish."""

    def run() -> int:
        from dcycle_pipeline.cli.syncing import sync_and_tell

        return sync_and_tell(settings.load, organization or [], json, accept_drop or [])

    end(run, json)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 8484,
    seed: Annotated[int, typer.Option(help="Seed of the invented data.")] = 7,
    behave: Annotated[list[str] | None, typer.Option(help="A switch as name=value; may be repeated.")] = None,
) -> None:
    """Serve the sandbox, a Dcycle API with invented data, until Ctrl-C."""

    def run() -> int:
        from dcycle_pipeline.sandbox import API_KEY, demo_world, parse_behaviour, serve

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
