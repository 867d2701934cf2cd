"""Declarations about days: which are covered by records, which by none or by several, and which are owed."""

from dcycle_pipeline.schema import Column
from dcycle_pipeline.summaries.declaration import (
    FACILITIES,
    WWT,
    Conserved,
    Summary,
    count,
    days,
    facility_id,
    month,
    organization_id,
)

COVERAGE_GAPS = Summary(
    "summaries",
    "coverage_gaps",
    "One row per facility and longest stretch of days, between its first and last covered day, on which no active record "
    "lies (gap) or more than one (overlap). They are shown, not mended: an overlap counts twice in every total",
    ("organization_id", "facility_id", "first_date"),
    (
        organization_id(WWT),
        facility_id(WWT),
        Column("kind", "VARCHAR", "gap (no record) or overlap (more than one record)", "derived", example="overlap"),
        Column("first_date", "DATE", "First day of the stretch", "derived", example="2025-03-30"),
        Column("last_date", "DATE", "Last day of the stretch, inclusive", "derived", example="2025-03-31"),
        days("days", "Length of the stretch", example="2"),
        count("record_count", "Active records that touch the stretch, 0 for a gap", WWT, "2"),
        Column(
            "record_ids",
            "VARCHAR[]",
            "Ids of those records by start_date, at most the first 20; empty for a gap",
            f"{WWT}: waste_water_treatment_id",
            example="[44444444-4444-4444-8444-444444444444, 55555555-5555-4555-8555-555555555555]",
        ),
    ),
    WWT,
    sources=(WWT,),
)

COVERAGE_BY_FACILITY_MONTH = Summary(
    "summaries",
    "coverage_by_facility_month",
    "One row per facility and calendar month that it owes. A facility owes every month of each calendar year in which its "
    "organisation has a covered day, from the first year in which it is covered itself to the last; an active facility to "
    "the last in which a record of its organisation begins",
    ("organization_id", "facility_id", "month"),
    (
        organization_id(WWT),
        facility_id(WWT),
        month(),
        days("covered_days", "Days of the month with at least one active record", example="29"),
        days("overlap_days", "Those among them with more than one", "summaries.coverage_gaps", "2"),
        days("due_days", "Days of the month, all of them owed", example="31"),
    ),
    "summaries.emissions_by_facility_month",
    sources=(WWT, FACILITIES, "summaries.emissions_by_facility_month", "summaries.coverage_gaps"),
    conserves=(Conserved("summaries.emissions_by_facility_month", ("covered_days",)),),
)
