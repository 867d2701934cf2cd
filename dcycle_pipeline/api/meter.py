"""Counts what the read of one list uses, and says which budget is used up: a list that never ends must end.

What the budgets are belongs to `budgets`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from dcycle_pipeline.settings.budgets import Budgets

_MB, _MINUTE = 1_000_000, 60


@dataclass(frozen=True)
class Limits:
    """The budgets of a run. `clock` counts seconds; it says `run_ends_at` when the run may read no more."""

    budgets: Budgets = field(default_factory=Budgets)
    clock: Callable[[], float] = time.monotonic
    run_ends_at: float = inf

    def run_is_over(self) -> str:
        """Why the run reads no further list; empty as long as it may."""
        if self.clock() < self.run_ends_at:
            return ""
        return (
            f"DCYCLE_RUN_HOURS ({self.budgets.run_hours:g}) is used up, so this run reads no further: sync again. "
            "If the rest is missing each time, raise it"
        )


class Meter:
    """What the read of one list has used: `pages` received and `landed` bytes, all passes together, and the time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
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
                    f"{name} ({budget:g}) is used up after {self.pages} pages with {rows} different rows, and the list "
                    f"goes on. If it is that long, raise {name}"
                )
        return self._limits.run_is_over()

    def _minutes(self) -> float:
        return (self._limits.clock() - self._began) / _MINUTE
