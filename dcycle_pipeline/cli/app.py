"""The command line's frame: the application, its help, and how every verb ends."""

import logging
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from dcycle_pipeline import settings, signals
from dcycle_pipeline.cli import console, heartbeat
from dcycle_pipeline.errors import DcycleError
from dcycle_pipeline.sync.outcome import NOTHING_PUBLISHED, exit_code_of
from dcycle_pipeline.telemetry import log_lines

if TYPE_CHECKING:
    from click import Command, Context, HelpFormatter

# As a newcomer meets them. A verb that is not here comes last.
_MOST_USED_FIRST = (
    "demo",
    "sync",
    "status",
    "report",
    "facilities",
    "ui",
    "explain",
    "doctor",
    "export",
    "backfill",
    "rollback",
    "resolve",
)


class Verbs(TyperGroup):
    """The verbs in the order of their use, each with the first sentence of its help, which is never cut."""

    def list_commands(self, ctx: "Context") -> list[str]:
        there = super().list_commands(ctx)
        return sorted(there, key=lambda verb: _MOST_USED_FIRST.index(verb) if verb in _MOST_USED_FIRST else len(there))

    def resolve_command(self, ctx: "Context", args: list[str]) -> "tuple[str | None, Command | None, list[str]]":
        """The verb that is called. One that is none is told once: typer and click would both say what it may mean."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from difflib import get_close_matches

            close = get_close_matches(args[0], self.list_commands(ctx))
            hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        verbs = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section("Commands, the most used first"):
            formatter.write_dl([(name, _first_sentence(verb.help or "")) for name, verb in verbs.items() if verb])


def _first_sentence(text: str) -> str:
    return f"{' '.join(text.split()).partition('. ')[0].rstrip('.')}."


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
AsJson = Annotated[bool, typer.Option("--json", help="Print one machine-readable result on stdout.")]


def _show_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        console.show(f"dcycle_pipeline {version('dcycle_pipeline')}")
        raise typer.Exit


@app.callback()
def _every_verb(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Every record of a Dcycle account, proven complete, in a DuckDB file that is always readable."""


def end(run: Callable[[], int], as_json: bool, at_stake: str = "") -> None:
    """Exit with what `run` returns; a known error becomes its message and its exit code.

    `at_stake` is what a signal on the way means for data; nothing for a verb that only looks.
    """
    log_lines.show_warnings()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        log_lines.choose(settings.log_format())
        with heartbeat.beating(), signals.at_stake(at_stake) if at_stake else nullcontext():
            code = run()
    except DcycleError as error:
        code = exit_code_of(error)
        console.say(f"Error: {error}", "error")
        if as_json:
            console.as_json({"exit_code": code, "error": str(error)})
    except KeyboardInterrupt:
        code = NOTHING_PUBLISHED
        console.say("Stopped. The last published file stays as it was.")
    raise typer.Exit(code)


def main() -> None:
    """Entry point of `dcycle-pipeline` and `python -m dcycle_pipeline`."""
    app()
