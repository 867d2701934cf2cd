"""The verbs that read an API: sync, demo against the sandbox, and the sandbox itself."""

from typing import Annotated

import typer

from dcycle_pipeline import settings
from dcycle_pipeline.cli import console, heartbeat
from dcycle_pipeline.cli.app import AsJson, app, end
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.signals import LANDED
from dcycle_pipeline.sync.outcome import GAPS, OK

Organizations = Annotated[
    list[str] | None,
    typer.Option(
        "--organization", help="Sync only this organisation, by name, id or the start of either; may be repeated."
    ),
]
AcceptedDrops = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-drop", help="Let any number of rows of this organisation vanish, once confirmed; may be repeated."
    ),
]
Pending = Annotated[
    bool,
    typer.Option(
        "--pending", help="Ask only for lists with pending records, and publish only if something changed in them."
    ),
]
OnlyFailed = Annotated[
    bool, typer.Option("--failed", help="Sync only the organisations that the last run left unread or gave up.")
]


@app.command()
def demo(json: AsJson = False) -> None:
    """Sync a sandbox, let a month pass there, sync again, show the result. Honours DCYCLE_DATA_DIR."""

    def run() -> int:
        from dcycle_pipeline.cli.first_look import tell_first_look
        from dcycle_pipeline.cli.results import tell
        from dcycle_pipeline.cli.syncing import sync_and_tell, synced
        from dcycle_pipeline.data_folder import DataFolder
        from dcycle_pipeline.sandbox import Sandbox, a_month_later, demo_world

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

            def load() -> settings.Settings:
                return settings.load(**ours | {"data_dir": settings.data_dir()})

            # A folder that holds the demo already has seen the first month: shown again, all that changed since would change back.
            if not DataFolder(settings.data_dir()).readable.exists():
                first = synced(load, [], with_report=False)
                if not json:
                    tell(first)
                console.say("A month later: Dcycle and its users have changed what is behind the API. Syncing again.")
            a_month_later(world)
            code = sync_and_tell(load, [], json)
        if code in (OK, GAPS) and not json:
            tell_first_look(settings.data_dir())
        return code

    end(run, json, LANDED)


@app.command()
def sync(
    *,
    organization: Organizations = None,
    failed: OnlyFailed = False,
    accept_drop: AcceptedDrops = None,
    pending: Pending = False,
    json: AsJson = False,
) -> None:
    """Read every organisation completely (or those named), derive the summaries, publish."""

    def run() -> int:
        if failed and (organization or pending):
            raise SettingsError(
                "--failed says itself which organisations to read: leave out --organization and --pending."
            )
        if pending:
            from dcycle_pipeline.cli.pending import settle_and_tell

            return settle_and_tell(settings.load, organization or [], json, accept_drop or [])
        from dcycle_pipeline.cli.syncing import sync_and_tell

        return sync_and_tell(settings.load, organization or [], json, accept_drop or [], only_failed=failed)

    end(run, json, LANDED)


@app.command()
def sandbox(
    port: Annotated[str, typer.Option(metavar="NUMBER", help="Port on 127.0.0.1; 0 takes a free one.")] = "8484",
    seed: Annotated[str, typer.Option(metavar="NUMBER", help="Seed of the invented data.")] = "7",
    behave: Annotated[
        list[str] | None, typer.Option(help="A switch as name=value, e.g. past_end=404; may be repeated.")
    ] = None,
    switches: Annotated[bool, typer.Option("--switches", help="List the switches of --behave and end.")] = False,
) -> None:
    """Serve the sandbox, a Dcycle API with invented data, until Ctrl-C."""

    def run() -> int:
        from dcycle_pipeline.cli.values import LARGEST_PORT, LARGEST_SEED, whole_number
        from dcycle_pipeline.sandbox import API_KEY, demo_world, parse_behaviour, serve

        if switches:
            from dcycle_pipeline.cli.switches import tell_switches

            tell_switches()
            return OK

        try:
            behaviour = parse_behaviour(behave or [])
        except ValueError as error:
            raise SettingsError(str(error)) from None
        listens_on = whole_number("--port", port, 0, LARGEST_PORT)
        world = demo_world(whole_number("--seed", seed, 0, LARGEST_SEED))

        def ready(base_url: str) -> None:
            console.show(f"DCYCLE_BASE_URL={base_url}")
            console.show(f"DCYCLE_API_KEY={API_KEY}")
            console.show(f"DCYCLE_ORGANIZATION_ID={world.root_id}")

        try:
            with heartbeat.silenced():
                serve(world, behaviour, host="127.0.0.1", port=listens_on, on_ready=ready)
        except OSError as error:
            raise SettingsError(f"Port {port} cannot be used: {error.strerror}. Choose another with --port.") from None
        return OK

    end(run, False)
