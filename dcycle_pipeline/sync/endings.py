"""How the last runs ended, also those that published nothing, as `endings.json` in the data folder says. Snapshots cannot know that.

Beside it stand what a notification rests on: since when something is wrong, and what each address was told last. Deciding and
sending belong to `notify`.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from dcycle_pipeline.data_folder import DataFolder, write_whole

KEPT = 30
WRONG, WELL = "wrong", "well"


@dataclass(frozen=True)
class Ending:
    """How a run ended: `reason` says why it failed, and is empty if it published. The id is empty if no run could begin.

    `pending_only` says that it asked only for lists with pending records.
    """

    run_id: str
    started_at: datetime
    ended_at: datetime
    reason: str = ""
    pending_only: bool = False


@dataclass
class Endings:
    """The last endings, oldest first; since when something is wrong (None if nothing is); what each address was told last, by its
    digest; and how old data may get before it is stale (None if nobody said).
    """

    runs: list[Ending] = field(default_factory=list)
    wrong_since: datetime | None = None
    told: dict[str, str] = field(default_factory=dict)
    max_age_seconds: float | None = None

    def add(self, ending: Ending) -> None:
        """Add one ending, and forget the oldest of its kind: runs over pending records are many.

        A run ends once: what its own process says replaces what others said of it.
        """
        others = [one for one in self.runs if one.run_id != ending.run_id or not one.run_id]
        alike = [one for one in others if one.pending_only == ending.pending_only]
        forgotten = alike[: len(alike) + 1 - KEPT] if len(alike) >= KEPT else []
        self.runs = [*(one for one in others if one not in forgotten), ending]

    @property
    def failures(self) -> list[Ending]:
        """Those that nothing made up for. A sync that is well reads what pending records ask for too; the other way round, it is not so."""
        found: dict[bool, Ending] = {}
        for one in self.runs:
            if not one.reason and not one.pending_only:
                found.clear()
            found[one.pending_only] = one
        return [one for one in found.values() if one.reason]


def read_endings(folder: DataFolder) -> Endings:
    """What is noted. Nothing, if no run has ended yet, the caller may not look into the working folder, or the file is damaged."""
    try:
        noted = json.loads(folder.endings.read_bytes())
        since = noted["wrong_since"]
        return Endings(
            [_ending(one) for one in noted["runs"]],
            since and datetime.fromisoformat(since),
            {str(digest): str(word) for digest, word in noted["told"].items()},
            noted["max_age_seconds"] and float(noted["max_age_seconds"]),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # the next ending writes it whole
        return Endings()


def _ending(one: dict[str, Any]) -> Ending:
    began, ended = (datetime.fromisoformat(one[name]) for name in ("started_at", "ended_at"))
    return Ending(str(one["run_id"]), began, ended, str(one["reason"]), bool(one.get("pending_only")))


def write_endings(folder: DataFolder, endings: Endings) -> None:
    """Note it all. Raises UnavailableError if the disk refuses."""
    write_whole(folder.endings, json.dumps(asdict(endings), default=datetime.isoformat).encode())
