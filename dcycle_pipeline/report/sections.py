"""What the report consists of: the figures at its head, and the chapters. A new figure is one SQL file and one declaration."""

from dcycle_pipeline.report.cells import COUNT, MOMENT, RATIO, SHARE, TONNES, TONNES_CHANGE, VOLUME
from dcycle_pipeline.report.columns import (
    CALCULATED_TONNES,
    CALCULATED_WATER,
    DAYS_COVERED,
    EMITTED_TONNES,
    FACILITY_COUNT,
    MONTHS_HELD,
    YEAR_ON_YEAR,
    YEAR_SHOWN,
)
from dcycle_pipeline.report.context import BASIS, COMPARISON
from dcycle_pipeline.report.emissions import MONTHS, TOTALS
from dcycle_pipeline.report.facilities import FACILITIES
from dcycle_pipeline.report.figures import Figure, Shown
from dcycle_pipeline.report.reliability import COVERAGE, FRESHNESS, RESTATEMENTS, TRUST

REPORTING_YEAR = Figure("reporting_year", "Year of the report", (YEAR_SHOWN, MONTHS_HELD))

PUBLICATION = Figure(
    "publication",
    "What this report rests on",
    (
        Shown("group_name", "Group"),
        Shown("published_at", "Published", MOMENT),
        Shown("organizations_count", "Organisations", COUNT),
        Shown("rows_count", "Rows read", COUNT),
        Shown("lists_proven_count", "Lists complete", COUNT),
        Shown("lists_unproven_count", "Lists incomplete", COUNT),
        Shown("quarantined_count", "Unusable items", COUNT),
        Shown("pipeline_version", "Pipeline version"),
        Shown("run_id", "Run"),
        Shown("content_hash", "Content hash"),
    ),
)

HEADLINE = Figure(
    "headline",
    "The year at a glance",
    (
        EMITTED_TONNES,
        YEAR_ON_YEAR,
        Shown("water_in_m3", "water treated", VOLUME),
        Shown("co2e_kg_per_m3_in", "kg CO₂e per m³ treated", RATIO),
        CALCULATED_TONNES,
        CALCULATED_WATER,
        Shown("co2e_biomass_kg", "t biogenic CO₂e, separate", TONNES),
        FACILITY_COUNT,
        Shown("missing_member_count", "organisations missing or incomplete", COUNT),
        Shown("pending_record_count", "records pending", COUNT, of="record_count"),
        DAYS_COVERED,
        Shown("overlap_days", "days counted twice", COUNT),
        Shown("overlap_month_count", "months with days counted twice", COUNT),
        Shown("covered_share", "days with a record", SHARE),
    ),
    empty="No waste-water record has been published yet.",
    layout="cards",
)

RESTATED = Figure(
    "restated",
    "Restated since the first publication",
    (
        Shown("co2e_kg", "t CO₂e changed", TONNES_CHANGE),
        Shown("publication_count", "publications", COUNT),
        FACILITY_COUNT,
    ),
    needs="summaries.restatements",
    layout="cards",
)

SECTIONS = (TOTALS, COMPARISON, MONTHS, FACILITIES, COVERAGE, TRUST, RESTATEMENTS, BASIS, FRESHNESS)
FIGURES = (
    REPORTING_YEAR,
    PUBLICATION,
    HEADLINE,
    RESTATED,
    *(figure for section in SECTIONS for figure in section.figures),
)
