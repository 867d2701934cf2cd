"""How fresh what is published is, by proven data time: since when every list that it rests on is proven. Success of a run is no proof."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dcycle_pipeline.readers.published_file import PROVEN_AT, Published
from dcycle_pipeline.sync.clock import in_words


@dataclass(frozen=True)
class Freshness:
    """Everything published was proven at `proven_at` or later; None if a list never was. `now` is the moment of the judgement."""

    proven_at: datetime | None
    now: datetime

    @property
    def age(self) -> timedelta | None:
        """How old the oldest proof is; None if there is none."""
        return None if self.proven_at is None else max(self.now - self.proven_at, timedelta(0))

    def is_within(self, max_age: timedelta) -> bool:
        """Whether every list was proven at most `max_age` ago."""
        return self.age is not None and self.age <= max_age

    def __str__(self) -> str:
        if self.proven_at is None or self.age is None:
            return "never proven as a whole: some list never was"
        return f"all of it proven since {self.proven_at:%Y-%m-%d %H:%M:%S} UTC, {in_words(self.age)} ago"

    def as_facts(self) -> dict[str, Any]:
        """The same for machines: `proven_at`, and `age_seconds` at the moment of the judgement."""
        return {"proven_at": self.proven_at, "age_seconds": None if self.age is None else self.age.total_seconds()}


def freshness(published: Published, now: datetime) -> Freshness:
    """How fresh a published file is, over all organisations that are synced."""
    return Freshness(published.rows(PROVEN_AT)[0]["proven_at"], now)
