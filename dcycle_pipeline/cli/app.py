"""The command line's frame: the application, and how every verb ends."""

import logging
from collections.abc import Callable
from typing import Annotated

import typer

from dcycle_pipeline import log_lines, settings
from dcycle_pipeline.cli import console
from dcycle_pipeline.errors import DcycleError
from dcycle_pipeline.sync.outcome import NOTHING_PUBLISHED, exit_code_of

app = typer.Typer(
    help="Every record of a Dcycle account, proven complete, in a DuckDB file that is always readable.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
AsJson = Annotated[bool, typer.Option("--json", help="Print one machine-readable result on stdout.")]


def end(run: Callable[[], int], as_json: bool) -> None:
    """Exit with what `run` returns; a known error becomes its message and its exit code."""
    log_lines.show_warnings()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        log_lines.choose(settings.log_format())
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
