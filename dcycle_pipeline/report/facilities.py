"""Declares the chapter on facilities: their emissions, their intensity, and their reported totals."""

from dcycle_pipeline.report import charts, rankings
from dcycle_pipeline.report.cells import COUNT, COUNTRY, EXACT, RATIO, TONNES, WORDS
from dcycle_pipeline.report.columns import (
    BIOGENIC,
    CALCULATED_KILOGRAMS,
    CALCULATED_TONNES,
    CALCULATED_WATER,
    CALCULATED_WATER_EXACT,
    DAYS_COVERED,
    EMITTED_TONNES,
    EXACT_NUMBERS,
    FACILITY,
    FACILITY_COUNT,
    MONTHS_HELD,
    ORGANIZATION,
    PENDING,
    PENDING_RECORDS,
    SHARE_OF_ALL,
    WATER,
    YEAR_ON_YEAR,
    YEAR_SHOWN,
)
from dcycle_pipeline.report.figures import Figure, Section, Shown
from dcycle_pipeline.report.marks import BAR_LEGEND, INTENSITY_LEGEND, OPEN_YEAR

FACILITIES = Section(
    "facilities",
    "Facilities",
    "Where the emissions arise. These figures cover waste-water records alone. The total that Dcycle reports for a facility covers "
    "all its invoices: never add the two.",
    (
        Figure(
            "intensity_by_year",
            "Intensity by year",
            (
                YEAR_SHOWN,
                MONTHS_HELD,
                Shown("co2e_kg_per_m3_in", "kg CO₂e per m³ in", RATIO),
                CALCULATED_TONNES,
                CALCULATED_WATER,
                FACILITY_COUNT,
                CALCULATED_KILOGRAMS,
                CALCULATED_WATER_EXACT,
            ),
            note="Tonnes of CO₂e times a thousand, divided by cubic metres of water in, over the months of each facility in which "
            "nothing is pending.",
            legend=(*INTENSITY_LEGEND, OPEN_YEAR),
            charts=charts.intensity_by_year,
            of_group=True,
        ),
        Figure(
            "facilities",
            "Facilities by emissions",
            (
                Shown("place", "#", COUNT),
                FACILITY,
                ORGANIZATION,
                Shown("country_code", "Country", COUNTRY),
                EMITTED_TONNES,
                SHARE_OF_ALL,
                BIOGENIC,
                WATER,
                PENDING_RECORDS,
                DAYS_COVERED,
                *EXACT_NUMBERS,
            ),
            limited="facilities",
            folded=True,
            legend=BAR_LEGEND,
            charts=rankings.facilities,
            of_group=True,
        ),
        Figure(
            "intensity",
            "Intensity",
            (
                FACILITY,
                ORGANIZATION,
                Shown("co2e_kg_per_m3_in", "kg CO₂e per m³ in", RATIO),
                CALCULATED_TONNES,
                CALCULATED_WATER,
                Shown("before_co2e_kg_per_m3_in", "per m³ in, the year before", RATIO),
                YEAR_ON_YEAR,
                Shown("co2e_kg_per_m3_out", "per m³ out", RATIO),
                Shown("sludge_kg_per_m3_in", "kg sludge per m³ in", RATIO),
                CALCULATED_KILOGRAMS,
                CALCULATED_WATER_EXACT,
            ),
            note="Kilograms of CO₂e per cubic metre of water in: ratios of the year's sums, over the months in which nothing "
            "is pending. The table begins with the facilities that treat most water; the chart has the first of them, most intense first.",
            limited="facilities",
            folded=True,
            charts=rankings.intensity,
            of_group=True,
        ),
        Figure(
            "reconciliation",
            "Compared with the reported totals",
            (
                FACILITY,
                ORGANIZATION,
                Shown("facility_co2e_kg", "t CO₂e as reported", TONNES, "not known"),
                Shown("wwt_co2e_kg", "of waste water", TONNES, PENDING),
                Shown("remainder_co2e_kg", "remainder", TONNES),
                PENDING_RECORDS,
                Shown("explanation", "What it means", WORDS),
                Shown("facility_co2e_kg", "kg CO₂e as reported", EXACT, "not known"),
                Shown("wwt_co2e_kg", "kg of waste water", EXACT, PENDING),
                Shown("remainder_co2e_kg", "kg remainder", EXACT),
            ),
            note="Waste-water records are a part of what a facility reports and must not exceed it.",
            empty="No facility's waste-water records exceed what is reported for it.",
            limited="facilities",
        ),
    ),
)
