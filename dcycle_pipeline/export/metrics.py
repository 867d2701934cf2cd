"""Declares the figures that tools calculate by themselves, each with its rule, so that no choice of rows gives a wrong one.

What a figure is stands here once; how dbt and Superset want it written belongs to `dbt` and `superset`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dcycle_pipeline.export.relations import CATALOG
from dcycle_pipeline.schema import CUBIC_METRES, KILOGRAMS, KILOGRAMS_CO2E, Column, Table
from dcycle_pipeline.summaries.bi import BI_EMISSIONS

Aggregation = Literal["sum", "min", "max"]
_ROWS = "1"


@dataclass(frozen=True)
class Measure:
    """What is taken of many rows: `value`, an SQL expression over one row, aggregated."""

    name: str
    meaning: str
    value: str
    unit: str = _ROWS
    aggregation: Aggregation = "sum"

    @property
    def sql(self) -> str:
        """The aggregate in SQL."""
        return f"{self.aggregation}({self.value})"


@dataclass(frozen=True)
class Metric:
    """A figure made of measures. `formula` is SQL that names them in braces; it is null wherever the rule of the figure is not met."""

    name: str
    meaning: str
    formula: str
    measures: tuple[Measure, ...]
    unit: str = _ROWS
    is_share: bool = False

    @property
    def sql(self) -> str:
        """The figure in SQL, over any rows of its table."""
        return self.formula.format(**{measure.name: measure.sql for measure in self.measures})


def sum_of(table: Table, column: Column) -> Measure:
    """The sum of a column that adds up."""
    said = f"{column.meaning}. {table.adds_up(column)}"
    return Measure(f"sum_{column.name}", said, column.name, column.unit or _ROWS)


def sums_of(table: Table) -> tuple[Measure, ...]:
    """The sums of a table that are right, whichever rows are taken. What does not add up has none."""
    return tuple(sum_of(table, column) for column in table.columns if column.additivity == "sum")


def _ratio(numerator: Measure, denominator: Measure) -> str:
    # `ratio` is a rule in the published file: nine places, and null unless the denominator is above zero.
    return f"{CATALOG}.ratio({{{numerator.name}}}, {{{denominator.name}}})"


def _in_calculated_months(name: str, meaning: str, unit: str) -> Measure:
    value = f"CASE WHEN pending_months = 0 THEN {name} END"
    return Measure(
        f"calculated_months_{name}", f"{meaning} in the months of facilities in which nothing is pending", value, unit
    )


_CO2E = _in_calculated_months("co2e_kg", "Emissions", KILOGRAMS_CO2E)
_WATER_IN = _in_calculated_months("water_in_m3", "Water entering the plants", CUBIC_METRES)
_WATER_OUT = _in_calculated_months("water_out_m3", "Water leaving the plants", CUBIC_METRES)
_SUMS = {measure.value: measure for measure in sums_of(BI_EMISSIONS)}
_SLUDGE, _ALL_WATER = _SUMS["sludge_kg"], _SUMS["water_in_m3"]
_COVERED, _DUE = _SUMS["covered_days"], _SUMS["due_days"]
_SETTLED = (
    "A ratio of sums, over the months of facilities in which nothing is pending. Null unless the water is above zero"
)

# For rows of bi.emissions, alone or with names beside.
OF_EMISSIONS = (
    Metric(
        "co2e_kg_per_m3_in",
        f"Emissions per cubic metre that enters. {_SETTLED}",
        _ratio(_CO2E, _WATER_IN),
        (_CO2E, _WATER_IN),
        f"{KILOGRAMS_CO2E}/{CUBIC_METRES}",
    ),
    Metric(
        "co2e_kg_per_m3_out",
        f"Emissions per cubic metre that leaves. {_SETTLED}",
        _ratio(_CO2E, _WATER_OUT),
        (_CO2E, _WATER_OUT),
        f"{KILOGRAMS_CO2E}/{CUBIC_METRES}",
    ),
    Metric(
        "sludge_kg_per_m3_in",
        "Sludge per cubic metre that enters, a ratio of sums. Null unless the water is above zero",
        _ratio(_SLUDGE, _ALL_WATER),
        (_SLUDGE, _ALL_WATER),
        f"{KILOGRAMS}/{CUBIC_METRES}",
    ),
    Metric(
        "covered_share",
        "Share of the days owed with at least one active record",
        _ratio(_COVERED, _DUE),
        (_COVERED, _DUE),
        is_share=True,
    ),
)

_NOW = Measure("compared_co2e_kg", "Emissions, to be compared with the year before", "co2e_kg", KILOGRAMS_CO2E)
_BEFORE = Measure(
    "co2e_kg_before", "Emissions of the same months of the year before", "co2e_kg_year_before", KILOGRAMS_CO2E
)
_OWED_NOW = Measure("compared_due_days", "Days that are owed", "due_days", "d")
_OWED_BEFORE = Measure("due_days_before", "Days that were owed in the year before", "due_days_year_before", "d")
_INCOMPLETE = Measure(
    "incomplete_months",
    "Months of facilities of which the year, or the year before, is not complete",
    "CASE WHEN both_years_complete THEN 0 ELSE 1 END",
)
_FIRST = Measure("first_year", "The first year that is meant", "year", aggregation="min")
_LAST = Measure("last_year", "The last year that is meant", "year", aggregation="max")

# For rows of the comparison with the year before.
OF_YEAR_ON_YEAR = (
    Metric(
        "co2e_kg_year_on_year",
        "Change of the emissions to the year before, as a share of that year: 0.05 is 5 % more. Take one year, or one row for each. "
        "Null unless both years are complete for every facility that is meant (every day owed is covered, nothing is pending), no organisation "
        "is missing, and "
        "the figure of the year before is above zero",
        "CASE WHEN {first_year} = {last_year} AND {incomplete_months} = 0 AND {compared_due_days} > 0 "
        f"AND {{due_days_before}} > 0 THEN {CATALOG}.ratio({{compared_co2e_kg}} - {{co2e_kg_before}}, {{co2e_kg_before}}) END",
        (_FIRST, _LAST, _INCOMPLETE, _OWED_NOW, _OWED_BEFORE, _NOW, _BEFORE),
        is_share=True,
    ),
)


def measures_of(metrics: Iterable[Metric]) -> tuple[Measure, ...]:
    """What the metrics are made of, each once."""
    return tuple(dict.fromkeys(measure for metric in metrics for measure in metric.measures))
