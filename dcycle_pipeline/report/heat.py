"""The calendar heat map: rows by facility and month as an HTML table of days, which screen readers and printers understand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from dcycle_pipeline.report.answers import Answer
from dcycle_pipeline.report.figures import Row

_FULL = 4  # the step of a month with every day covered; see heat-0 to heat-4 in `palette`


@dataclass(frozen=True)
class HeatCell:
    """One month of one facility; `place` is that of its row in the query."""

    place: int
    row: Row

    @property
    def step(self) -> int:
        """How full the month is, from 0 (no day covered) to 4 (every day)."""
        covered, due = self.row["covered_days"], self.row["due_days"]
        return _FULL if covered >= due else int(1 + (_FULL - 1) * covered // due) if covered else 0


@dataclass(frozen=True)
class HeatMap:
    """The table: its months; each year with how many of them it has; and each facility's first cell with one cell (or None) per month."""

    months: Sequence[date]
    years: Sequence[tuple[int, int]]
    facilities: Sequence[tuple[HeatCell, Sequence[HeatCell | None]]]


def heat_map(answer: Answer) -> HeatMap:
    """Arrange the rows of a query by facility and month."""
    months = sorted({row["month"] for row in answer.rows})
    years = [(year, len(list(own))) for year, own in groupby(months, key=lambda month: month.year)]
    cells = [HeatCell(place, row) for place, row in enumerate(answer.rows)]
    facilities = []
    for _, own in groupby(cells, key=lambda cell: (cell.row["organization_id"], cell.row["facility_id"])):
        by_month = {cell.row["month"]: cell for cell in own}
        facilities.append((next(iter(by_month.values())), [by_month.get(month) for month in months]))
    return HeatMap(months, years, facilities)
