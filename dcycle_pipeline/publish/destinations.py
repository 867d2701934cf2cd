"""The destinations beside the published file: which there are, which are set, sending to each, and what the last sending came to.

A further destination is a module of its own in this room and one line below; nothing else names it but its settings.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import duckdb

from dcycle_pipeline.api.secrets import Secrets
from dcycle_pipeline.data_folder import DataFolder, write_whole
from dcycle_pipeline.errors import DcycleError, SettingsError, UnavailableError, after
from dcycle_pipeline.publish import parquet, postgres
from dcycle_pipeline.publish.delivery import Delivery
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.text import plain
from dcycle_pipeline.warehouse.deliveries import DELIVERED, FAILED, UNFINISHED, Sending

_log = logging.getLogger(__name__)
_UNDER_WAY = "a run began to send it, and is at work or died; the next sync sends again"


@dataclass(frozen=True)
class Destination:
    """How a publication gets there: `send` raises a DcycleError with a one-line reason if it does not.

    `needs` are the settings that it cannot do without. `attempt` tries whether one could be sent, without data, and says what it
    found; it raises what `send` does.
    """

    send: Callable[[Delivery], None]
    needs: tuple[str, ...]
    attempt: Callable[[Settings], str]


DESTINATIONS = {
    "parquet": Destination(parquet.send, ("parquet_dir",), parquet.attempt),
    "postgres": Destination(postgres.send, ("postgres_url",), postgres.attempt),
}


def chosen(settings: Settings) -> dict[str, Destination]:
    """The destinations that are set, by name. Raises SettingsError if one is not known or lacks a setting."""
    names = dict.fromkeys(name.strip() for name in settings.destinations.split(",") if name.strip())
    if unknown := [name for name in names if name not in DESTINATIONS]:
        raise SettingsError(
            f"DCYCLE_DESTINATIONS names {unknown[0]!r}, which is no destination: choose from {', '.join(DESTINATIONS)}. Nothing was done."
        )
    found = {name: DESTINATIONS[name] for name in names}
    for name, destination in found.items():
        if lacking := [need for need in destination.needs if not getattr(settings, need)]:
            raise SettingsError(
                f"DCYCLE_DESTINATIONS names {name}, which needs DCYCLE_{lacking[0].upper()}: set it. Nothing was done."
            )
    return found


def deliver(delivery: Delivery, folder: DataFolder, now: Callable[[], datetime]) -> list[Sending]:
    """Send a publication to each destination that is set. One that fails holds up no other.

    The data folder notes what each came to; what a kill left `unfinished` is sent again by the next publication, like all else.
    """
    destinations = chosen(delivery.settings)
    if not destinations:
        folder.destinations.unlink(missing_ok=True)
        return []
    sendings = {name: Sending(delivery.run_id, name, UNFINISHED, _UNDER_WAY, now(), None) for name in destinations}
    for name, destination in destinations.items():
        _note(folder, delivery, sendings)
        sendings[name] = replace(sendings[name], started_at=now())
        reason = _why_not_sent(name, destination, delivery)
        outcome = FAILED if reason else DELIVERED
        sendings[name] = replace(sendings[name], outcome=outcome, reason=reason, finished_at=now())
    _note(folder, delivery, sendings)
    return list(sendings.values())


def _why_not_sent(name: str, destination: Destination, delivery: Delivery) -> str:
    """Empty if the destination has the publication."""
    try:
        destination.send(delivery)
    except DcycleError as error:
        said = str(error)
    except OSError as error:
        said = f"{error.filename or name}: {error.strerror or error}. {after(error)}"
    except duckdb.Error as error:
        said = f"{str(error).splitlines()[0].rstrip('.')}. Sync again; what was published stays."
    except Exception as error:
        # The file is in place: a defect here takes neither the run nor the other destinations with it.
        said = f"a defect of dcycle_pipeline ({type(error).__name__}: {error}). Report it; what was published stays."
    else:
        return ""
    reason = plain(
        Secrets([*delivery.settings.secrets, *delivery.settings.postgres_secrets]).mask(" ".join(said.split()))
    )
    _log.warning("Destination %s: %s", name, reason)
    return reason


def _note(folder: DataFolder, delivery: Delivery, sendings: dict[str, Sending]) -> None:
    noted = [asdict(sending) | {"published_at": delivery.published_at} for sending in sendings.values()]
    try:
        write_whole(folder.destinations, json.dumps(noted, default=datetime.isoformat).encode())
    except UnavailableError as error:  # readers have the file, and the destinations may still get it
        _log.warning("%s", error)


def last_sendings(folder: DataFolder, published_at: datetime) -> list[dict[str, Any]]:
    """What the last sending to each destination came to: the columns of `sync.destinations`, and `published_at`.

    One that has only a publication from before the given moment is `unfinished`. Empty if no destination was set, or the caller may
    not look into the working folder.
    """
    try:
        found = [_noted(one) for one in json.loads(folder.destinations.read_bytes())]
        return [one | _behind(one["published_at"]) if one["published_at"] < published_at else one for one in found]
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
    ):  # damaged, or of another version: the next publication writes it whole
        return []


def _noted(one: dict[str, Any]) -> dict[str, Any]:
    texts = {name: str(one[name]) for name in ("run_id", "destination", "outcome", "reason")}
    moments = {name: one[name] for name in ("published_at", "started_at", "finished_at")}
    return texts | {name: noted and datetime.fromisoformat(noted) for name, noted in moments.items()}


def _behind(has: datetime) -> dict[str, str]:
    return {
        "outcome": UNFINISHED,
        "reason": f"what was sent last was published at {has:%Y-%m-%d %H:%M:%S} UTC; sync again",
    }
