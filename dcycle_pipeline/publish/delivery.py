"""What a destination beside the file gets: a snapshot that is in place, and what to say of it. Which destinations there are: `destinations`."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dcycle_pipeline.settings import Settings


@dataclass(frozen=True)
class Delivery:
    """A publication on its way to a destination. Nothing changes the snapshot; destinations open it read-only."""

    snapshot: Path
    settings: Settings
    run_id: str
    published_at: datetime
    content_hash: str
