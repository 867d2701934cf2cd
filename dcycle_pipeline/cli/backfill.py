"""The verb `backfill`: what may be asked for, and that somebody is there to say yes. What it does belongs to `backfilling`."""

from typing import Annotated

import typer

from dcycle_pipeline import settings
from dcycle_pipeline.cli import console
from dcycle_pipeline.cli.app import AsJson, app, end
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.signals import LANDED
from dcycle_pipeline.sync.period import period_of


@app.command(name="backfill")
def read_again(
    *,
    first: Annotated[str, typer.Option("--from", help="First day of the period, e.g. 2023-01-01.")],
    last: Annotated[str, typer.Option("--to", help="Last day of the period, inclusive.")],
    organization: Annotated[
        list[str] | None,
        typer.Option(
            "--organization", help="Only this organisation, by name, id or the start of either; may be repeated."
        ),
    ] = None,
    facility: Annotated[
        list[str] | None,
        typer.Option("--facility", help="Only this facility, by name, id or the start of either; may be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Stop after the plan.")] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Stop after the comparison; publish nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Publish without a question.")] = False,
    since_snapshot: Annotated[
        str | None,
        typer.Option("--since-snapshot", help="Compare with the publication whose snapshot, run or time begins so."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; noted in sync.runs.")] = "",
    by: Annotated[str, typer.Option(help="Who asks for it; noted in sync.runs.")] = "",
    json: AsJson = False,
) -> None:
    """Read the records of a period again: say what that takes, compare with what is published, then publish."""

    def run() -> int:
        given = {"--dry-run": dry_run, "--preview": preview, "--yes": yes}
        _refuse_contradictions([name for name, is_given in given.items() if is_given], json)
        days = period_of({"--from": first, "--to": last})
        from dcycle_pipeline.cli.backfilling import Asked, backfill_and_tell
        from dcycle_pipeline.landing.lists import Backfill

        stops_after = "plan" if dry_run else "preview" if preview else ""
        asked = Asked(Backfill(*days, reason, by), organization or [], facility or [], since_snapshot, stops_after, yes)
        return backfill_and_tell(settings.load(), asked, json)

    end(run, json, "" if dry_run else LANDED)


def _refuse_contradictions(given: list[str], json: bool) -> None:
    """Raises SettingsError if two of the three are given; or if none is, and nobody could answer the question."""
    if len(given) > 1:
        raise SettingsError(f"{' and '.join(given)} cannot go together: give one of them. Nothing was done.")
    if not given and (json or not console.somebody_is_there()):
        why = "--json leaves no room for the question" if json else "there is no terminal to ask on"
        raise SettingsError(
            f"A backfill asks before it publishes, and {why}: give --yes to publish, --preview or --dry-run. Nothing was done."
        )
