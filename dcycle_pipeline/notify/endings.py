"""The end of a run: it is noted, and whoever DCYCLE_NOTIFY names is told if that turns things from well to wrong, or back.

Each address is told once a turn. What it was told is noted after it took the message: a kill between the two, a moment, costs a
second message; the other order would cost the alarm. An address that did not take it is told at the next ending.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from dcycle_pipeline import settings
from dcycle_pipeline.api.secrets import Secrets
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import BusyError, DcycleError, SettingsError, UnavailableError
from dcycle_pipeline.notify import message, sending
from dcycle_pipeline.notify.message import Message
from dcycle_pipeline.settings import NotificationSettings, Settings
from dcycle_pipeline.sync.endings import WELL, WRONG, Ending, Endings, read_endings, write_endings
from dcycle_pipeline.sync.outcome import Outcome
from dcycle_pipeline.sync.standing import failures, standing
from dcycle_pipeline.sync.trouble import Trouble
from dcycle_pipeline.telemetry import open_telemetry

Notified = Settings | NotificationSettings
_WAIT_SECONDS = 60
_log = logging.getLogger(__name__)


def note_ending(
    notified: Notified, run_id: str, started_at: datetime, outcome: Outcome, *, pending_only: bool = False
) -> None:
    """Note how a run ended, and notify whom that concerns. Whatever fails here is a line in the log.

    `pending_only` says that the run asked only for lists with pending records.
    """

    def note(folder: DataFolder) -> None:
        endings = read_endings(folder)
        if outcome.failure or outcome.was_read:
            reason = _masked(outcome.failure, notified)
            endings.add(Ending(run_id, started_at, datetime.now(UTC), reason, pending_only))
        _turn(folder, notified, endings)

    # A run over pending records that found nothing new leaves nothing behind, unless it makes up for one that failed.
    makes_up = pending_only and outcome.was_read and _has_failed_over_pending_records(notified)
    if outcome.may_be_noted and (outcome.failure or outcome.published or makes_up):
        _safely(notified, note)


def _has_failed_over_pending_records(notified: Notified) -> bool:
    return any(one.pending_only for one in read_endings(DataFolder(notified.data_dir)).failures)


@contextmanager
def noted(notified: Notified, run_id: str, outcome: Outcome, *, pending_only: bool = False) -> Iterator[None]:
    """A run, or what stands for one: what is raised in the block is its failure, if `outcome` has none. It ends with the block.

    `pending_only` is as for `note_ending`.
    """
    began = datetime.now(UTC)
    try:
        with traced(run_id, outcome):
            yield
    except Exception as error:
        if pending_only and isinstance(error, BusyError):  # whoever writes there is well, and nobody need be told
            outcome.was_read = False
        else:
            outcome.fail(error)
        raise
    finally:
        note_ending(notified, run_id, began, outcome, pending_only=pending_only)


@contextmanager
def traced(run_id: str, outcome: Outcome) -> Iterator[None]:
    """A run as one trace and in log lines, whether or not its end is noted."""
    open_telemetry.start(settings.open_telemetry())
    try:
        with open_telemetry.span("run", run_id=run_id or None):
            yield
            open_telemetry.tell(published=outcome.published)
    finally:
        open_telemetry.send()


def note_failure(error: DcycleError, notified: Notified | None, started_at: datetime) -> None:
    """Note that a run ended before it could begin; without `notified`, because the settings are wrong."""
    outcome = Outcome()
    outcome.fail(error)
    try:
        note_ending(notified or settings.load_notification(), "", started_at, outcome)
    except SettingsError as wrong:
        _log.warning("Nobody could be notified: %s", wrong)


def note_death(notified: Notified | None, run_id: str, started_at: datetime, reason: str) -> None:
    """Note that a run ended, and its process could not say so; unless it did. Without `notified`, the settings are wrong."""

    def note(folder: DataFolder) -> None:
        endings = read_endings(folder)
        if run_id not in [one.run_id for one in endings.runs]:
            endings.add(Ending(run_id, started_at, datetime.now(UTC), _masked(reason, whom)))
            _turn(folder, whom, endings)

    whom = notified or settings.load_notification()
    _safely(whom, note)


def note_age(notified: Notified, max_age: timedelta) -> None:
    """Notify if what is published has turned older than `max_age`, or is not any more. Later endings keep to that age too."""

    def note(folder: DataFolder) -> None:
        endings = read_endings(folder)
        endings.max_age_seconds = max_age.total_seconds()
        _turn(folder, notified, endings)

    _safely(notified, note)


def _safely(notified: Notified, note: Callable[[DataFolder], None]) -> None:
    folder = DataFolder(notified.data_dir)
    try:
        if not folder.about():  # nothing was ever read: whoever sets it up is there
            return
        folder.prepare()  # which refuses what a run would refuse
        with folder.noting_an_ending(_WAIT_SECONDS):
            note(folder)
    except Exception as error:  # what was published stays so
        said = _masked(str(error), notified)
        _log.warning("The end of this run could not be noted, and nobody was notified: %s", said)


def _turn(folder: DataFolder, notified: Notified, endings: Endings) -> None:
    """Decide whether things are well or wrong, note it, and tell each address that was told otherwise."""
    if not notified.notify_urls:
        endings.wrong_since, endings.told = None, {}
        _write(folder, endings)
        return
    now = datetime.now(UTC)
    max_age = None if endings.max_age_seconds is None else timedelta(seconds=endings.max_age_seconds)
    stands = _stands(folder, now, max_age, endings)
    found = [Trouble(**one) for one in stands["troubles"]] if stands else failures(endings, [])
    was_wrong_since, endings.wrong_since = endings.wrong_since, (endings.wrong_since or now) if found else None
    _write(folder, endings)
    group, facts = _name_of(stands, stands.get("root_organization_id", "")), _facts(stands)
    is_wrong = endings.wrong_since is not None
    said = message.wrong(group, found, endings.wrong_since or now, facts) if is_wrong else message.well(group, was_wrong_since, facts)  # fmt: skip
    _tell(folder, notified, endings, said)


def _stands(folder: DataFolder, now: datetime, max_age: timedelta | None, endings: Endings) -> dict[str, Any]:
    try:
        return standing(folder, now, max_age, endings)
    except UnavailableError:  # nothing is published yet
        return {}


def _name_of(stands: dict[str, Any], organization_id: str) -> str:
    rows = stands.get("organizations", ())
    return next((row["name"] or "" for row in rows if row["organization_id"] == organization_id), "")


def _facts(stands: dict[str, Any]) -> list[str]:
    if not stands:
        return ["Nothing is published yet."]
    return [f"Published: {stands['published_at']:%Y-%m-%d %H:%M} UTC, {stands['freshness']}."]


def _tell(folder: DataFolder, notified: Notified, endings: Endings, said: Message) -> None:
    word = WRONG if endings.wrong_since else WELL
    told = {_digest(url): endings.told.get(_digest(url), WELL) for url in notified.notify_urls}
    for url in notified.notify_urls:
        if told[_digest(url)] != word and _is_sent(notified, url, said):
            told[_digest(url)] = word
            _write(folder, replace(endings, told=told))
    if told != endings.told:
        endings.told = told
        _write(folder, endings)


def _is_sent(notified: Notified, url: str, said: Message) -> bool:
    if reason := sending.send(url, _masked(said.title, notified), _masked(said.text, notified)):
        _log.warning("A notification could not be sent; the next run tries again: %s", _masked(reason, notified))
    return not reason


def _write(folder: DataFolder, endings: Endings) -> None:
    """Note it. An alarm goes out also if the disk is what fails: then it may go out again."""
    try:
        write_endings(folder, endings)
    except UnavailableError as error:
        _log.warning("%s", error)


def _digest(url: str) -> str:
    """What stands for an address in the data folder: its URL is a secret."""
    return sha256(url.encode()).hexdigest()[:32]


def _masked(text: str, notified: Notified) -> str:
    known = notified.secrets if isinstance(notified, Settings) else []
    return Secrets([*settings.secrets_in_reach(), *notified.notify_secrets, *known]).mask(text)
