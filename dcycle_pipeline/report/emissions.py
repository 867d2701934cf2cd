"""Declares the chapters on emissions: totals, months, facilities. Their queries are in `queries/`, by the figure's name."""

from dcycle_pipeline.report import charts
from dcycle_pipeline.report.cells import COUNT, EXACT, MONTH, RATIO, YEAR
from dcycle_pipeline.report.columns import (
    BIOGENIC,
    DAYS_COVERED,
    EMITTED_KILOGRAMS,
    EMITTED_TONNES,
    FACILITY,
    FACILITY_COUNT,
    ORGANIZATION,
    PENDING,
    PENDING_RECORDS,
    SHARE_OF_ALL,
    WATER,
    YEAR_ON_YEAR,
)
from dcycle_pipeline.report.figures import Figure, Section, Shown

TOTALS = Section(
    "totals",
    "Totals",
    "Active records, spread over calendar months by days, first and last day included. Kilograms are exact to the ninth place. "
    "Biogenic emissions are shown separately and never added. The change on the year before is given only if both years are "
    "covered completely and nothing in them is pending; otherwise the reason is given instead.",
    (
        Figure(
            "years",
            "Emissions by year",
            (
                Shown("year", "Year", YEAR),
                EMITTED_TONNES,
                YEAR_ON_YEAR,
                EMITTED_KILOGRAMS,
                BIOGENIC,
                WATER,
                Shown("missing_member_count", "organisations incomplete", COUNT),
                PENDING_RECORDS,
                DAYS_COVERED,
            ),
            note="Pale bars are incomplete years: days without a record, or records whose emissions are pending, would add to them.",
            charts=charts.years,
        ),
        Figure(
            "organizations",
            "By organisation",
            (
                ORGANIZATION,
                EMITTED_TONNES,
                SHARE_OF_ALL,
                YEAR_ON_YEAR,
                EMITTED_KILOGRAMS,
                BIOGENIC,
                WATER,
                FACILITY_COUNT,
                PENDING_RECORDS,
                DAYS_COVERED,
            ),
            note="Each organisation's own facilities, without its subsidiaries, so that the rows add up to the group.",
            limited="organisations",
        ),
        Figure(
            "countries",
            "By country",
            (
                Shown("country", "Country"),
                EMITTED_TONNES,
                YEAR_ON_YEAR,
                EMITTED_KILOGRAMS,
                WATER,
                FACILITY_COUNT,
                PENDING_RECORDS,
                DAYS_COVERED,
            ),
        ),
        Figure(
            "scopes",
            "By scope",
            (
                Shown("scope_name", "Scope"),
                EMITTED_TONNES,
                EMITTED_KILOGRAMS,
                BIOGENIC,
                WATER,
                FACILITY_COUNT,
                PENDING_RECORDS,
            ),
            note="By the mapping in summaries.scope_mapping; facilities that no line maps are shown as unmapped.",
        ),
    ),
)

MONTHS = Section(
    "months",
    "Month by month",
    "Each organisation's own emissions in tonnes of CO₂e, all panels on one scale. A hollow point is an incomplete month: "
    "records are pending or days have no record.",
    (
        Figure(
            "months",
            "Monthly emissions by organisation",
            (
                ORGANIZATION,
                Shown("month", "Month", MONTH),
                EMITTED_TONNES,
                EMITTED_KILOGRAMS,
                BIOGENIC,
                PENDING_RECORDS,
                DAYS_COVERED,
            ),
            empty="No month has a record.",
            limited="organisations",
            limited_by=("organization_id",),
            folded=True,
            layout="panels",
            charts=charts.months,
        ),
    ),
)

FACILITIES = Section(
    "facilities",
    "Facilities",
    "Where the emissions arise. These figures cover waste-water records alone. The total that Dcycle reports for a facility covers "
    "all its invoices: never add the two.",
    (
        Figure(
            "facilities",
            "Facilities by emissions",
            (
                Shown("place", "#", COUNT),
                FACILITY,
                ORGANIZATION,
                Shown("country_code", "Country"),
                EMITTED_TONNES,
                SHARE_OF_ALL,
                EMITTED_KILOGRAMS,
                BIOGENIC,
                WATER,
                PENDING_RECORDS,
                DAYS_COVERED,
            ),
            note="Pale bars are incomplete years: days without a record, or pending records, would add to them.",
            limited="facilities",
            folded=True,
            charts=charts.facilities,
        ),
        Figure(
            "intensity",
            "Intensity",
            (
                FACILITY,
                ORGANIZATION,
                Shown("co2e_kg_per_m3_in", "kg CO₂e per m³ in", RATIO),
                YEAR_ON_YEAR,
                Shown("co2e_kg_per_m3_out", "per m³ out", RATIO),
                Shown("sludge_kg_per_m3_in", "kg sludge per m³ in", RATIO),
                Shown("calculated_months_co2e_kg", "kg CO₂e", EXACT),
                Shown("calculated_months_water_in_m3", "m³ in", EXACT),
            ),
            note="Kilograms of CO₂e per cubic metre of water in: ratios of the year's sums, over the months in which nothing "
            "is pending. The facilities that treat most water, most intense first.",
            limited="facilities",
            folded=True,
            charts=charts.intensity,
        ),
        Figure(
            "reconciliation",
            "Compared with the reported totals",
            (
                FACILITY,
                ORGANIZATION,
                Shown("facility_co2e_kg", "kg CO₂e as reported", EXACT, "not known"),
                Shown("wwt_co2e_kg", "of waste water", EXACT, PENDING),
                Shown("remainder_co2e_kg", "remainder", EXACT),
                PENDING_RECORDS,
                Shown("explanation", "What it means"),
            ),
            note="Waste-water records are a part of what a facility reports and must not exceed it.",
            empty="No facility's waste-water records exceed what is reported for it.",
            limited="facilities",
        ),
    ),
)
