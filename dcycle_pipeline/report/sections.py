"""The chapters of the report and their figures: what is asked, shown and said. A new figure is one SQL file and an entry here."""

from dcycle_pipeline.report import charts
from dcycle_pipeline.report.cells import (
    CHANGE,
    COUNT,
    DAY,
    EXACT,
    FLAG,
    MOMENT,
    MONTH,
    RATIO,
    SHARE,
    TONNES,
    VOLUME,
    YEAR,
)
from dcycle_pipeline.report.figures import Figure, Section, Shown

PENDING = "pending"

_ORGANIZATION = Shown("organization", "Organisation")
_FACILITY = Shown("facility", "Facility")
_TONNES = Shown("co2e_kg", "t CO₂e", TONNES, PENDING)
_KILOGRAMS = Shown("co2e_kg", "kg CO₂e", EXACT, PENDING)
_BIOMASS = Shown("co2e_biomass_kg", "biogenic kg, apart", EXACT)
_WATER = Shown("water_in_m3", "water in, m³", VOLUME)
_CHANGE = Shown("year_on_year", "on the year before", CHANGE, missing_from="year_on_year_reason")
_SHARE = Shown("share", "share", SHARE)
_FACILITIES = Shown("facility_count", "facilities", COUNT)
_PENDING = Shown("pending_record_count", "pending", COUNT)
_COVERED = Shown("covered_days", "days covered", COUNT, of="due_days")

REPORTING_YEAR = Figure("reporting_year", "Year of the report", (Shown("year", "Year", YEAR),))
PUBLICATION = Figure(
    "publication",
    "What this report rests on",
    (
        Shown("group_name", "Group"),
        Shown("published_at", "Published", MOMENT),
        Shown("organizations_count", "Organisations", COUNT),
        Shown("rows_count", "Rows read", COUNT),
        Shown("scopes_proven_count", "Lists proven complete", COUNT),
        Shown("scopes_open_count", "Lists open", COUNT),
        Shown("quarantined_count", "Items rejected", COUNT),
        Shown("pipeline_version", "Pipeline version"),
        Shown("run_id", "Run"),
        Shown("content_hash", "Content hash"),
    ),
)
HEADLINE = Figure(
    "headline",
    "The year at a glance",
    (
        _TONNES,
        _CHANGE,
        Shown("water_in_m3", "water treated", VOLUME),
        Shown("co2e_kg_per_m3_in", "kg CO₂e per m³ treated", RATIO),
        Shown("co2e_biomass_kg", "t biogenic CO₂e, apart", TONNES),
        _FACILITIES,
        Shown("pending_record_count", "records pending", COUNT, of="record_count"),
        _COVERED,
        Shown("covered_share", "days with a record", SHARE),
    ),
    empty="No waste-water record has been published yet.",
    layout="cards",
)

TOTALS = Section(
    "totals",
    "Totals",
    "Active records, spread over calendar months by days, both ends included. Kilograms are exact to the ninth place; "
    "biogenic emissions stand apart and are never added. The change on the year before is given only where both years are "
    "covered completely and nothing in them is pending; elsewhere the reason stands in its place.",
    (
        Figure(
            "years",
            "Emissions by year",
            (
                Shown("year", "Year", YEAR),
                _TONNES,
                _CHANGE,
                _KILOGRAMS,
                _BIOMASS,
                _WATER,
                _PENDING,
                _COVERED,
            ),
            note="Pale bars are not final: days without a record, or records whose emissions are pending, would add to them.",
            charts=charts.years,
        ),
        Figure(
            "organizations",
            "By organisation",
            (_ORGANIZATION, _TONNES, _SHARE, _CHANGE, _KILOGRAMS, _BIOMASS, _WATER, _FACILITIES, _PENDING, _COVERED),
            note="Each organisation's own facilities, without its subsidiaries, so that the rows add up to the group.",
            limited="organisations",
        ),
        Figure(
            "countries",
            "By country",
            (Shown("country", "Country"), _TONNES, _CHANGE, _KILOGRAMS, _WATER, _FACILITIES, _PENDING, _COVERED),
            folded=True,
        ),
        Figure(
            "scopes",
            "By scope",
            (Shown("scope_name", "Scope"), _TONNES, _KILOGRAMS, _BIOMASS, _WATER, _FACILITIES, _PENDING),
            note="As the mapping in summaries.scope_mapping says; what it does not know stands as unmapped.",
            folded=True,
        ),
    ),
)

MONTHS = Section(
    "months",
    "Month by month",
    "Each organisation's own emissions in tonnes of CO₂e, all panels on one scale. A hollow point is not final: records "
    "are pending or days have no record.",
    (
        Figure(
            "months",
            "Monthly emissions by organisation",
            (_ORGANIZATION, Shown("month", "Month", MONTH), _TONNES, _KILOGRAMS, _BIOMASS, _PENDING, _COVERED),
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
    "Where the emissions arise. These are waste-water records alone; the total that Dcycle reports for a facility covers all "
    "its invoices, and the two are never added.",
    (
        Figure(
            "facilities",
            "Facilities by emissions",
            (
                Shown("place", "#", COUNT),
                _FACILITY,
                _ORGANIZATION,
                Shown("country_code", "Country"),
                _TONNES,
                _SHARE,
                _KILOGRAMS,
                _BIOMASS,
                _WATER,
                _PENDING,
                _COVERED,
            ),
            note="Pale bars are not final: days without a record, or pending records, would add to them.",
            limited="facilities",
            folded=True,
            charts=charts.facilities,
        ),
        Figure(
            "intensity",
            "Intensity",
            (
                _FACILITY,
                _ORGANIZATION,
                Shown("co2e_kg_per_m3_in", "kg CO₂e per m³ in", RATIO),
                _CHANGE,
                Shown("co2e_kg_per_m3_out", "per m³ out", RATIO),
                Shown("sludge_kg_per_m3_in", "kg sludge per m³ in", RATIO),
                Shown("settled_co2e_kg", "kg CO₂e", EXACT),
                Shown("settled_water_in_m3", "m³ in", EXACT),
            ),
            note="Kilograms of CO₂e per cubic metre of water in: ratios of the year's sums, over the months in which nothing "
            "is pending. The facilities that treat most water, most intense first.",
            limited="facilities",
            folded=True,
            charts=charts.intensity,
        ),
        Figure(
            "reconciliation",
            "Set against the reported totals",
            (
                _FACILITY,
                _ORGANIZATION,
                Shown("facility_co2e_kg", "kg CO₂e as reported", EXACT, "not known"),
                Shown("wwt_co2e_kg", "of waste water", EXACT, PENDING),
                Shown("remainder_co2e_kg", "remainder", EXACT),
                _PENDING,
                Shown("explanation", "What it means"),
            ),
            note="Waste-water records are a part of what a facility reports and must not exceed it.",
            empty="No facility's waste-water records exceed what is reported for it.",
            limited="facilities",
        ),
    ),
)

COVERAGE = Section(
    "coverage",
    "Coverage",
    "Days with at least one active record. What is missing is shown and never estimated; an overlap counts twice in every total.",
    (
        Figure(
            "coverage",
            "Days covered by facility and month",
            (
                _FACILITY,
                Shown("month", "Month", MONTH),
                _COVERED,
                Shown("overlap_days", "days twice", COUNT),
                Shown("missing_days", "days missing in all", COUNT),
            ),
            note="Each cell is the number of days covered; a mark says that some of them are covered twice. Facilities that miss most days come first.",
            limited="facilities",
            limited_by=("organization_id", "facility_id"),
            layout="heat",
        ),
        Figure(
            "gaps",
            "Gaps and overlaps",
            (
                _FACILITY,
                _ORGANIZATION,
                Shown("kind", "Kind"),
                Shown("first_date", "First day", DAY),
                Shown("last_date", "Last day", DAY),
                Shown("days", "days", COUNT),
                Shown("record_count", "records", COUNT),
            ),
            empty="Between first and last record of each facility every day is covered once.",
            limited="stretches",
            folded=True,
        ),
    ),
)

TRUST = Section(
    "trust",
    "Pending and unproven",
    "Pending records are counted and never taken for zero. A list is proven when every row of it was seen and the "
    "API's own counter agrees; one that is open keeps its last rows.",
    (
        Figure(
            "quality",
            "Records by organisation",
            (
                _ORGANIZATION,
                Shown("active_record_count", "active", COUNT),
                Shown("pending_record_count", "of them pending", COUNT),
                Shown("pending_share", "share pending", SHARE),
                Shown("uploaded_record_count", "uploaded", COUNT),
                Shown("loading_record_count", "loading", COUNT),
                Shown("error_record_count", "in error", COUNT),
                Shown("proven_scope_count", "lists proven", COUNT),
                Shown("open_scope_count", "lists open", COUNT),
                Shown("quarantined_count", "items rejected", COUNT),
                Shown("oldest_proof_at", "oldest proof", MOMENT, "never"),
            ),
            limited="organisations",
        ),
        Figure(
            "pending",
            "Records whose emissions are pending",
            (
                _FACILITY,
                _ORGANIZATION,
                Shown("record_label", "Label"),
                Shown("start_date", "First day", DAY),
                Shown("end_date", "Last day", DAY),
                Shown("water_in_m3", "water in, m³", EXACT),
                Shown("first_seen_at", "first seen", MOMENT),
            ),
            empty="No active record is pending.",
            limited="records",
            folded=True,
        ),
        Figure(
            "unproven",
            "Lists that could not be proven",
            (
                _ORGANIZATION,
                Shown("endpoint", "List"),
                _FACILITY,
                Shown("outcome", "Outcome"),
                Shown("reason", "Why, and what to do"),
                Shown("finished_at", "asked", MOMENT),
            ),
            empty="Every list is proven complete.",
            limited="lists",
        ),
        Figure(
            "rejected",
            "Items that were rejected",
            (
                _ORGANIZATION,
                Shown("endpoint", "List"),
                _FACILITY,
                Shown("item_id", "Item"),
                Shown("reason", "Why"),
                Shown("quarantined_at", "when", MOMENT),
            ),
            empty="No item was rejected.",
            limited="items",
        ),
    ),
)

RESTATEMENTS = Section(
    "restatements",
    "Restatements",
    "Numbers that had been published before and have moved since, by cause. The first publication moves nothing.",
    (
        Figure(
            "restatements",
            "What publications moved",
            (
                Shown("published_at", "Published", MOMENT),
                _ORGANIZATION,
                Shown("cause", "Cause"),
                Shown("first_month", "First month", MONTH),
                Shown("last_month", "Last month", MONTH),
                _FACILITIES,
                Shown("co2e_kg", "kg CO₂e moved", EXACT),
                Shown("co2e_biomass_kg", "biogenic, apart", EXACT),
            ),
            empty="Nothing that was published before has changed.",
            limited="restatements",
            needs="summaries.restatements",
        ),
    ),
)

FRESHNESS = Section(
    "freshness",
    "Freshness",
    "When the numbers were read and put in place.",
    (
        Figure(
            "runs",
            "Last publications",
            (
                Shown("published_at", "Published", MOMENT),
                Shown("outcome", "Outcome"),
                Shown("organizations_count", "organisations", COUNT),
                Shown("rows_count", "rows", COUNT),
                Shown("scopes_proven_count", "lists proven", COUNT),
                Shown("scopes_open_count", "lists open", COUNT),
                Shown("quarantined_count", "items rejected", COUNT),
                Shown("content_changed", "changed", FLAG),
            ),
            limited="publications",
        ),
    ),
)

SECTIONS = (TOTALS, MONTHS, FACILITIES, COVERAGE, TRUST, RESTATEMENTS, FRESHNESS)
FIGURES = (REPORTING_YEAR, PUBLICATION, HEADLINE, *(figure for section in SECTIONS for figure in section.figures))
