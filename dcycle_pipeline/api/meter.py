"""Counts what the read of one list uses, and says which budget is used up: a list that never ends must end, and so must many slow ones.

What the budgets are belongs to `budgets`; how long an organisation was asked, to `stopwatch`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from math import inf

from dcycle_pipeline.api.stopwatch import Stopwatch
from dcycle_pipeline.settings.budgets import Budgets
from dcycle_pipeline.text import counted

_MB, _MINUTE = 1_000_000, 60


@dataclass(frozen=True)
class Limits:
    """The budgets of a run. `clock` counts seconds; it says `run_ends_at` when the run may read no more."""

    budgets: Budgets = field(default_factory=Budgets)
    clock: Callable[[], float] = time.monotonic
    run_ends_at: float = inf

    @cached_property
    def stopwatch(self) -> Stopwatch:
        """How long each organisation was asked in this run."""
        return Stopwatch(self.clock)

    def time_is_up(self, organization_id: str) -> str:
        """Why the run reads nothing more of an organisation; empty as long as it may."""
        if self.clock() >= self.run_ends_at:
            return (
                f"DCYCLE_RUN_HOURS ({self.budgets.run_hours:g}) is used up, so this run reads no further: sync again. "
                "If the rest is missing each time, raise it"
            )
        minutes, setting = self.budgets.time_of(organization_id)
        if self.stopwatch.seconds(organization_id) < minutes * _MINUTE:
            return ""
        return (
            f"{setting} ({minutes:g}) is used up, so this run reads nothing more of this organisation: sync again, which "
            f"begins with what is missing. If something is missing each time, raise {setting}"
        )


class Meter:
    """What the read of one list has used: `pages` received and `landed` bytes, all passes together, and the time."""

    def __init__(self, limits: Limits, organization_id: str = "") -> None:
        self._limits = limits
        self._organization_id = organization_id
        self._began = limits.clock()
        self.pages = 0
        self.landed = 0

    @property
    def pages_left(self) -> int:
        return self._limits.budgets.list_pages - self.pages

    def used_up(self, rows: int) -> str:
        """Which budget is used up by a list of which so many different rows are known; empty if none is."""
        budgets = self._limits.budgets
        used = (
            ("DCYCLE_LIST_PAGES", budgets.list_pages, self.pages_left <= 0),
            ("DCYCLE_LIST_ROWS", budgets.list_rows, rows > budgets.list_rows),
            ("DCYCLE_LIST_MB", budgets.list_mb, self.landed > budgets.list_mb * _MB),
            ("DCYCLE_LIST_MINUTES", budgets.list_minutes, self._minutes() >= budgets.list_minutes),
        )
        for name, budget, is_used_up in used:
            if is_used_up:
                return (
                    f"{name} ({budget:g}) is used up after {counted(self.pages, 'page')} with {counted(rows, 'different row')}, and the list "
                    f"goes on. If it is that long, raise {name}"
                )
        return self._limits.time_is_up(self._organization_id)

    def _minutes(self) -> float:
        return (self._limits.clock() - self._began) / _MINUTE
