"""Declares the summaries about days: which days records cover, which have no record or several, and which are owed."""

from dcycle_pipeline.schema import Column
from dcycle_pipeline.summaries.declaration import (
    COUNTED,
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
    "One row per facility and stretch of days without an active record (gap) or with more than one (overlap), between its first and "
    "last covered day; a stretch is as long as possible. Nothing is repaired: the days of an overlap count twice in every total",
    ("organization_id", "facility_id", "first_date"),
    (
        organization_id(WWT),
        facility_id(WWT),
        Column("kind", "VARCHAR", "gap (no record) or overlap (more than one record)", "derived", example="overlap"),
        Column("first_date", "DATE", "First day of the stretch", "derived", example="2025-03-30"),
        Column("last_date", "DATE", "Last day of the stretch, inclusive", "derived", example="2025-03-31"),
        Column(
            "days",
            "BIGINT",
            "Length of the stretch",
            "derived",
            "d",
            example="2",
            additivity="none",
            never_over="kinds: a gap is no overlap",
        ),
        count(
            "record_count",
            "Active records that touch the stretch, 0 for a gap; one that touches several counts in each",
            WWT,
            "2",
            "stretches",
        ),
        Column(
            "record_ids",
            "VARCHAR[]",
            "Ids of those records by start_date, at most the first 20; empty for a gap",
            f"{WWT}: waste_water_treatment_id",
            example="[44444444-4444-4444-8444-444444444444, 55555555-5555-4555-8555-555555555555]",
        ),
    ),
    WWT,
    sources=(COUNTED,),
    of_facility=(COUNTED,),
)

COVERAGE_BY_FACILITY_MONTH = Summary(
    "summaries",
    "coverage_by_facility_month",
    "One row per facility and calendar month for which records are expected: all months of the calendar years in which its "
    "organisation has a covered day, from its own first covered year to its own last. Of an active facility they are expected up to "
    "the last year in which a record of its organisation begins",
    ("organization_id", "facility_id", "month"),
    (
        organization_id(WWT),
        facility_id(WWT),
        month(),
        days("covered_days", "Days of the month with at least one active record", example="29"),
        days("overlap_days", "Those of them with more than one", "summaries.coverage_gaps", "2"),
        days("due_days", "Days of the month, all of which should have a record", example="31"),
    ),
    "summaries.emissions_by_facility_month",
    sources=(COUNTED, FACILITIES, "summaries.emissions_by_facility_month", "summaries.coverage_gaps"),
    conserves=(Conserved("summaries.emissions_by_facility_month", ("covered_days",)),),
    # Not the months and records: which years a facility owes also depends on those of its whole organisation, see `moved.calendar`.
    of_facility=("summaries.coverage_gaps",),
)
