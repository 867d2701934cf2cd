"""Declares the summaries that say how far the figures can be trusted: totals compared with each other, and how the sweep went."""

from dcycle_pipeline.schema import KILOGRAMS_CO2E, QUANTITY, Column
from dcycle_pipeline.summaries.declaration import (
    COUNTED,
    DOUBTFUL_ROWS,
    FACILITIES,
    LISTS,
    ORGANIZATIONS,
    QUARANTINE,
    WWT,
    Conserved,
    Summary,
    count,
    difference,
    facility_id,
    organization_id,
    share,
    total,
)
from dcycle_pipeline.summaries.missing import MISSING, missing_member_count
from dcycle_pipeline.summaries.pending import PENDING_RECORDS
from dcycle_pipeline.summaries.twice import LISTED_TWICE
from dcycle_pipeline.summaries.years import FACILITY_YEAR

FACILITY_RECONCILIATION = Summary(
    "summaries",
    "facility_reconciliation",
    "One row per facility: its total as reported, which covers all its invoices, compared with its waste-water records, which "
    "are a part of it. The records must not exceed the total; the remainder comes from other sources",
    ("organization_id", "facility_id"),
    (
        organization_id(FACILITIES),
        facility_id(FACILITIES),
        Column(
            "facility_co2e_kg",
            QUANTITY,
            "Emissions of the facility as reported, over all its invoices; of which period is not documented",
            f"{FACILITIES}: co2e_kg",
            KILOGRAMS_CO2E,
            example="125000.500000000",
            additivity="sum",
        ),
        total("wwt_co2e_kg", "Emissions of its active calculated records", FACILITY_YEAR, KILOGRAMS_CO2E),
        difference(
            "remainder_co2e_kg",
            "facility_co2e_kg minus wwt_co2e_kg: what other sources emit; if it is negative, something is wrong",
            "120479.200000000",
        ),
        count("record_count", "Active records of the facility", WWT),
        count("pending_record_count", "Those of them without calculated emissions", f"{WWT}: co2e_state", "0"),
        Column(
            "verdict",
            "VARCHAR",
            "within_total, exceeds_total, total_not_known, nothing_calculated or no_records",
            "derived",
            example="within_total",
        ),
        Column(
            "explanation",
            "VARCHAR",
            "The verdict in a sentence",
            "derived",
            example="The waste-water records are part of the reported total.",
        ),
    ),
    FACILITIES,
    sources=(FACILITIES, COUNTED, FACILITY_YEAR, LISTED_TWICE.qualified),
    conserves=(Conserved(FACILITY_YEAR, ("wwt_co2e_kg",), theirs=("co2e_kg",)),),
)


# Here an organisation has what it lists, whether it counts there or not.
_TWICE = "organisations: what several of them list is in each"


def _moment(name: str, meaning: str) -> Column:
    return Column(name, "TIMESTAMPTZ", meaning, LISTS, example="2025-11-21 03:00:12+00")


DATA_QUALITY = Summary(
    "summaries",
    "data_quality",
    "One row per organisation: how many records of which status it has, how many are pending, and how much the last sweep proved, "
    "left unproven or quarantined",
    ("organization_id",),
    (
        organization_id(ORGANIZATIONS),
        count("facility_count", "Facilities, archived ones included", FACILITIES, "9", _TWICE),
        count("record_count", "Waste-water records of every status", WWT, "140", _TWICE),
        count(
            "active_record_count",
            "Those of status active: only they count in summaries",
            f"{WWT}: status",
            "120",
            _TWICE,
        ),
        count("uploaded_record_count", "Those of status uploaded", f"{WWT}: status", "10", _TWICE),
        count("loading_record_count", "Those of status loading", f"{WWT}: status", "6", _TWICE),
        count("error_record_count", "Those of status error", f"{WWT}: status", "4", _TWICE),
        count("pending_record_count", "Active records without calculated emissions", f"{WWT}: co2e_state", "6", _TWICE),
        share("pending_share", "pending_record_count divided by active_record_count; null if there are none"),
        count("gap_count", "Stretches of days without a record, see coverage_gaps", "summaries.coverage_gaps", "2"),
        count("overlap_count", "Stretches of days with several records", "summaries.coverage_gaps", "1"),
        count("proven_list_count", "Lists that the last sweep proved", LISTS, "10"),
        count("unproven_list_count", "Lists that the last sweep left unproven: their last rows stay", LISTS, "0"),
        count("quarantined_count", "Items that the last sweep quarantined", QUARANTINE, "0"),
        count("doubtful_row_count", "Rows in doubt that nobody has decided", DOUBTFUL_ROWS, "0"),
        count(
            "twice_listed_facility_count",
            "Facilities that another organisation lists too: each counts once, see listed_twice",
            LISTED_TWICE.qualified,
            "0",
            _TWICE,
        ),
        count(
            "twice_listed_record_count",
            "Records that another organisation lists too",
            LISTED_TWICE.qualified,
            "0",
            _TWICE,
        ),
        missing_member_count(),
        count(
            "unlisted_facility_count",
            "Facilities that the API shows by their id only",
            "history.facilities",
            "0",
            _TWICE,
        ),
        _moment(
            "oldest_proof_at",
            "When the list with the oldest proof was proven; null if a list never was",
        ),
        _moment("newest_proof_at", "When a list was last proven"),
        count("pending_facility_count", "Facilities with pending records", PENDING_RECORDS.qualified, "2", _TWICE),
        Column(
            "oldest_pending_since",
            "TIMESTAMPTZ",
            "Since when the record is pending that is so longest; null if none is",
            PENDING_RECORDS.qualified,
            example="2025-11-21 03:00:12+00",
        ),
        Column(
            "oldest_pending_days",
            "BIGINT",
            "Whole days from oldest_pending_since to newest_proof_at; null if nothing is pending",
            "derived",
            "d",
            example="9",
            additivity="none",
        ),
    ),
    "sync.lists, sync.quarantine and dcycle",
    sources=(
        ORGANIZATIONS,
        FACILITIES,
        WWT,
        "summaries.coverage_gaps",
        LISTS,
        QUARANTINE,
        DOUBTFUL_ROWS,
        PENDING_RECORDS.qualified,
        "history.facilities",
        MISSING,
        LISTED_TWICE.qualified,
    ),
    conserves=(Conserved(WWT, ("record_count",), theirs=("1",)),),
)
