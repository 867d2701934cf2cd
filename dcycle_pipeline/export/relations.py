"""What tools draw from that the published file does not hold: queries over the star of `bi`, declared like its views.

They are not in the file, because each tool can hold them: Superset as a dataset, dbt as a model.
"""

from dataclasses import replace
from pathlib import Path

from dcycle_pipeline.data_folder import PUBLISHED
from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.schema import Column, Table, View
from dcycle_pipeline.summaries.bi import BI, BI_DATES, BI_EMISSIONS, BI_ORGANIZATIONS
from dcycle_pipeline.warehouse.run_tables import RUNS

CATALOG = Path(PUBLISHED).stem  # as DuckDB names it
BI_TABLES = {table.qualified: table for table in BI}
_FACTS = {column.name: column for column in BI_EMISSIONS.columns}
_COMPARED = f"""(SELECT month, facility_key, organization_key, co2e_kg, due_days,
    bool_and(covered_days = due_days AND pending_months = 0) OVER (PARTITION BY facility_key, year(month)) AS is_complete
    FROM {BI_EMISSIONS.qualified})"""


def _before(name: str) -> Column:
    return replace(
        _FACTS[name],
        name=f"{name}_year_before",
        meaning=f"{name} of the same month of the year before",
        source="bi.emissions",
    )


# A facility owes whole calendar years. So a month whose year is complete may be compared, and any choice of facilities too.
YEAR_ON_YEAR = View(
    "bi",
    "emissions_year_on_year",
    "One row per facility and calendar month that it owes, or owed in the year before: its emissions beside those of the same month "
    "of the year before",
    ("facility_key", "month"),
    (
        replace(_FACTS["month"], references=""),
        Column("year", "INTEGER", "Calendar year", "derived", example="2025", additivity="none"),
        _FACTS["facility_key"],
        _FACTS["organization_key"],
        _FACTS["co2e_kg"],
        _before("co2e_kg"),
        _FACTS["due_days"],
        _before("due_days"),
        Column(
            "both_years_complete",
            "BOOLEAN",
            "Whether what the facility owes of this year and of the year before is complete: every day is covered, nothing is pending. "
            "False for all facilities if an organisation is missing or incomplete, because nobody knows what it would add",
            "bi.emissions, bi.organizations",
            example="true",
        ),
    ),
    "bi.emissions",
    f"""SELECT coalesce(this.month, (before.month + INTERVAL 1 YEAR)::DATE) AS month,
    year(coalesce(this.month, (before.month + INTERVAL 1 YEAR)::DATE))::INTEGER AS year,
    coalesce(this.facility_key, before.facility_key) AS facility_key,
    coalesce(this.organization_key, before.organization_key) AS organization_key,
    this.co2e_kg, before.co2e_kg AS co2e_kg_year_before,
    coalesce(this.due_days, 0) AS due_days, coalesce(before.due_days, 0) AS due_days_year_before,
    coalesce(this.is_complete, true) AND coalesce(before.is_complete, true)
        AND NOT EXISTS (SELECT 1 FROM {BI_ORGANIZATIONS.qualified} AS named WHERE named.missing_member_count > 0) AS both_years_complete
FROM {_COMPARED} AS this
FULL JOIN {_COMPARED} AS before
    ON before.facility_key = this.facility_key AND (before.month + INTERVAL 1 YEAR)::DATE = this.month
WHERE coalesce(this.month, (before.month + INTERVAL 1 YEAR)::DATE) <= (SELECT max(month) FROM {BI_EMISSIONS.qualified})""",
)


def drawn_tables() -> tuple[Table, ...]:
    """The tables and views of the published file that people draw from."""
    return (*(table for table in all_tables() if table.schema in ("bi", "summaries")), RUNS)


# Beside the row of one facility it would be taken for a word on that facility.
_OF_ALL_FACILITIES = {(BI_DATES.qualified, "is_complete")}


def with_names(table: Table, name: str) -> View:
    """The rows of a table of facts, with everything beside that they may be grouped by: for tools that do not join."""
    columns = {column.name: (f"fact.{column.name}", column) for column in table.columns}
    joins = []
    for column in table.columns:
        if column.references:
            joined, _, key = column.references.rpartition(".")
            alias = joined.rpartition(".")[2]
            joins.append(f"JOIN {joined} AS {alias} ON {alias}.{key} = fact.{column.name}")
            for each in BI_TABLES[joined].columns:
                if (joined, each.name) not in _OF_ALL_FACILITIES:
                    columns.setdefault(each.name, (f"{alias}.{each.name}", each))
    rows = f"({table.query})" if table not in BI and isinstance(table, View) else table.qualified
    selected = ", ".join(path for path, _ in columns.values())
    query = f"SELECT {selected}\nFROM {rows} AS fact\n" + "\n".join(joins)
    grain = f"{table.grain}. With the names of facilities and organisations beside"
    return View(
        table.schema, name, grain, table.key, tuple(column for _, column in columns.values()), table.source, query
    )


EMISSIONS_WITH_NAMES = with_names(BI_EMISSIONS, "emissions_with_names")
YEAR_ON_YEAR_WITH_NAMES = with_names(YEAR_ON_YEAR, YEAR_ON_YEAR.name)
