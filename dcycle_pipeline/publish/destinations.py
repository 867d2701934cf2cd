"""The destinations beside the published file: which there are, which are set, and sending to each.

A further destination is a module of its own in this room and one line below; nothing else names it but its settings.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import duckdb

from dcycle_pipeline.api.secrets import Secrets
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import DcycleError, SettingsError, after
from dcycle_pipeline.publish import parquet, postgres
from dcycle_pipeline.publish.delivery import Delivery
from dcycle_pipeline.publish.sendings import note
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
        note(folder, delivery.published_at, sendings.values())
        sendings[name] = replace(sendings[name], started_at=now())
        reason = _why_not_sent(name, destination, delivery)
        outcome = FAILED if reason else DELIVERED
        sendings[name] = replace(sendings[name], outcome=outcome, reason=reason, finished_at=now())
    note(folder, delivery.published_at, sendings.values())
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
