"""Declares the chapters on emissions: totals and months. Their queries are in `queries/`, by the figure's name."""

from dcycle_pipeline.report import charts
from dcycle_pipeline.report.cells import CHANGE, COUNT, COUNTRY, MONTH, PHRASE, WORDS
from dcycle_pipeline.report.columns import (
    BIOGENIC,
    DAYS_COVERED,
    EMITTED_KILOGRAMS,
    EMITTED_TONNES,
    EXACT_NUMBERS,
    FACILITY_COUNT,
    KILOGRAMS_BEFORE,
    MONTHS_HELD,
    ORGANIZATION,
    PENDING_RECORDS,
    SHARE_OF_ALL,
    TONNES_BEFORE,
    WATER,
    YEAR_ON_YEAR,
    YEAR_SHOWN,
)
from dcycle_pipeline.report.figures import Figure, Section, Shown
from dcycle_pipeline.report.marks import BAR_LEGEND, OPEN_YEAR

TOTALS = Section(
    "totals",
    "Totals",
    "Active records, spread over calendar months by days, first and last day included. "
    "Biogenic emissions are shown separately and never added. The change on the year before is given only if both years are "
    "covered completely, nothing in them is pending and no organisation is missing; otherwise the reason is given instead.",
    (
        Figure(
            "years",
            "Emissions by year",
            (
                YEAR_SHOWN,
                MONTHS_HELD,
                EMITTED_TONNES,
                YEAR_ON_YEAR,
                BIOGENIC,
                WATER,
                Shown("missing_member_count", "organisations missing or incomplete", COUNT),
                PENDING_RECORDS,
                DAYS_COVERED,
                *EXACT_NUMBERS,
            ),
            legend=(*BAR_LEGEND, OPEN_YEAR),
            charts=charts.years,
            of_group=True,
        ),
        Figure(
            "like_for_like",
            "Same facilities, same days",
            (
                Shown("organization", "Organisation", PHRASE),
                TONNES_BEFORE,
                EMITTED_TONNES,
                Shown("change", "change", CHANGE),
                FACILITY_COUNT,
                Shown("compared_days", "days compared", COUNT),
                KILOGRAMS_BEFORE,
                EMITTED_KILOGRAMS,
            ),
            note="Calendar months that a facility covers completely in both years, each day once, with nothing pending. So facilities "
            "and days that only one of the years has change nothing here.",
            empty="No facility covers a calendar month completely in both years.",
            limited="rows",
            of_group=True,
        ),
        Figure(
            "organizations",
            "By organisation",
            (
                ORGANIZATION,
                EMITTED_TONNES,
                SHARE_OF_ALL,
                TONNES_BEFORE,
                YEAR_ON_YEAR,
                BIOGENIC,
                WATER,
                FACILITY_COUNT,
                PENDING_RECORDS,
                DAYS_COVERED,
                *EXACT_NUMBERS,
            ),
            note="Each organisation's own facilities, without its subsidiaries, so that the rows add up to the group.",
            limited="organisations",
            of_group=True,
        ),
        Figure(
            "countries",
            "By country",
            (
                Shown("country", "Country", COUNTRY),
                EMITTED_TONNES,
                TONNES_BEFORE,
                YEAR_ON_YEAR,
                WATER,
                FACILITY_COUNT,
                PENDING_RECORDS,
                DAYS_COVERED,
                EMITTED_KILOGRAMS,
            ),
            of_group=True,
        ),
        Figure(
            "scopes",
            "By scope",
            (
                Shown("scope_name", "Scope", WORDS),
                EMITTED_TONNES,
                BIOGENIC,
                WATER,
                FACILITY_COUNT,
                PENDING_RECORDS,
                *EXACT_NUMBERS,
            ),
            note="Scopes of the GHG Protocol, by the mapping in summaries.scope_mapping. Facilities that no line maps are unmapped.",
            of_group=True,
        ),
    ),
)

MONTHS = Section(
    "months",
    "Month by month",
    "Each organisation's own emissions in tonnes of CO₂e a month, all panels on one scale.",
    (
        Figure(
            "months",
            "Monthly emissions by organisation",
            (
                ORGANIZATION,
                Shown("month", "Month", MONTH),
                EMITTED_TONNES,
                BIOGENIC,
                PENDING_RECORDS,
                DAYS_COVERED,
                *EXACT_NUMBERS,
            ),
            empty="No month has a record.",
            limited="organisations",
            limited_by=("organization_id",),
            folded=True,
            layout="panels",
            legend=(
                ("complete", "complete month"),
                ("hollow", "incomplete month: records are pending, days have no record, or data was not received"),
                OPEN_YEAR,
            ),
            charts=charts.months,
            of_group=True,
        ),
    ),
)
