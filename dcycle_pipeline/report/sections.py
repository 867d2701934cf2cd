"""What the report consists of: the figures at its head, and the chapters. A new figure is one SQL file and one declaration."""

from dcycle_pipeline.report.cells import COUNT, MOMENT, RATIO, SHARE, TONNES, VOLUME, YEAR
from dcycle_pipeline.report.columns import DAYS_COVERED, EMITTED_TONNES, FACILITY_COUNT, YEAR_ON_YEAR
from dcycle_pipeline.report.emissions import FACILITIES, MONTHS, TOTALS
from dcycle_pipeline.report.figures import Figure, Shown
from dcycle_pipeline.report.reliability import COVERAGE, FRESHNESS, RESTATEMENTS, TRUST

REPORTING_YEAR = Figure("reporting_year", "Year of the report", (Shown("year", "Year", YEAR),))

PUBLICATION = Figure(
    "publication",
    "What this report rests on",
    (
        Shown("group_name", "Group"),
        Shown("published_at", "Published", MOMENT),
        Shown("organizations_count", "Organisations", COUNT),
        Shown("rows_count", "Rows read", COUNT),
        Shown("lists_proven_count", "Lists proven", COUNT),
        Shown("lists_unproven_count", "Lists unproven", COUNT),
        Shown("quarantined_count", "Items quarantined", COUNT),
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
        Shown("co2e_biomass_kg", "t biogenic CO₂e, separate", TONNES),
        FACILITY_COUNT,
        Shown("missing_member_count", "organisations incomplete", COUNT),
        Shown("pending_record_count", "records pending", COUNT, of="record_count"),
        DAYS_COVERED,
        Shown("covered_share", "days with a record", SHARE),
    ),
    empty="No waste-water record has been published yet.",
    layout="cards",
)

SECTIONS = (TOTALS, MONTHS, FACILITIES, COVERAGE, TRUST, RESTATEMENTS, FRESHNESS)
FIGURES = (REPORTING_YEAR, PUBLICATION, HEADLINE, *(figure for section in SECTIONS for figure in section.figures))
