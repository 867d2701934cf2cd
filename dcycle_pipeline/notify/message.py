"""What a notification says: what is wrong, in which organisation, since when, and the next command."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from dcycle_pipeline.sync.trouble import NOTHING_TO_DO, Trouble, next_command
from dcycle_pipeline.text import plain

MOST_TROUBLES = 10


class Message(NamedTuple):
    """A notification: one line as its title, and lines of text."""

    title: str
    text: str


def wrong(group: str, found: Sequence[Trouble], since: datetime, facts: Sequence[str]) -> Message:
    """Something is wrong now: the troubles, since when, and what to do. `group` is the name of the root organisation, if it is known."""
    more = [f"… and {len(found) - MOST_TROUBLES} more: `dcycle-pipeline status`"] if len(found) > MOST_TROUBLES else []
    lines = [*(f"Wrong: {each}" for each in found[:MOST_TROUBLES]), *more, f"Since: {_moment(since)}", *facts]
    return _message("something is wrong", group, [*lines, f"Next: `{next_command(found)}`"])


def well(group: str, since: datetime | None, facts: Sequence[str]) -> Message:
    """All is well again; something was wrong `since` then."""
    was = [f"Something was wrong since {_moment(since)}."] if since else []
    return _message("all is well again", group, ["The last run ended without a gap.", *was, *facts, f"Next: {NOTHING_TO_DO}"])  # fmt: skip


def trial() -> Message:
    """What `doctor` sends if it is asked to."""
    return _message("this is a trial", "", ["A person asked for it with `dcycle-pipeline doctor --notify`. Nothing has happened."])  # fmt: skip


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _message(what: str, group: str, lines: Sequence[str]) -> Message:
    return Message(plain(f"dcycle_pipeline{f', {group}' if group else ''}: {what}"), "\n".join(map(plain, lines)))
