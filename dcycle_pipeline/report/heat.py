"""The calendar heat map: rows by facility and month as a table of days, which screen readers and printers understand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from dcycle_pipeline.report.figures import Answer, Row

_FULL = 4


@dataclass(frozen=True)
class HeatCell:
    """One month of one facility: the place of its row in the query, and how full it is, from 0 (no day) to 4 (all of it)."""

    place: int
    row: Row

    @property
    def step(self) -> int:
        covered, due = self.row["covered_days"], self.row["due_days"]
        return _FULL if covered >= due else int(1 + (_FULL - 1) * covered // due) if covered else 0


@dataclass(frozen=True)
class HeatMap:
    """Months, grouped by year with how many each has, and for each facility its first row and a cell, or none, a month."""

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
