"""What the data folder notes of the last sending to each destination. Sending belongs to `destinations`."""

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from dcycle_pipeline.data_folder import DataFolder, write_whole
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.warehouse.deliveries import UNFINISHED, Sending

_log = logging.getLogger(__name__)


def note(folder: DataFolder, published_at: datetime, sendings: Iterable[Sending]) -> None:
    """Note what the sending of a publication to each destination has come to."""
    noted = [asdict(sending) | {"published_at": published_at} for sending in sendings]
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
