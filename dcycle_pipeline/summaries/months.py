"""Declares the summaries by calendar month: by facility, from the records; by organisation, from its facilities."""

from dcycle_pipeline.schema import Column
from dcycle_pipeline.summaries.coverage import COVERAGE_BY_FACILITY_MONTH
from dcycle_pipeline.summaries.declaration import (
    COUNTED,
    DAYS,
    FACILITIES,
    MEASURES,
    ORGANIZATIONS,
    RECORDS,
    WWT,
    Conserved,
    Summary,
    country_code,
    coverage,
    days,
    facility_id,
    measures,
    member_organization_id,
    month,
    organization_id,
    records,
)

COVERAGE = COVERAGE_BY_FACILITY_MONTH.qualified

EMISSIONS_BY_FACILITY_MONTH = Summary(
    "summaries",
    "emissions_by_facility_month",
    "One row per facility and calendar month in which an active waste-water record covers a day; each record is spread over its "
    "months by days, and the parts add up to it exactly",
    ("organization_id", "facility_id", "month"),
    (
        organization_id(WWT),
        facility_id(WWT),
        country_code(FACILITIES),
        month(),
        *measures(WWT),
        *records(WWT, "month"),
        days("covered_days", "Days of the month with at least one active record", example="29"),
        days("days_in_month", "Days of the month", example="31"),
    ),
    WWT,
    sources=(COUNTED, FACILITIES, "summaries.coverage_gaps"),
    conserves=(Conserved(COUNTED, where="is_counted(status, start_date, end_date)"),),
    of_facility=(COUNTED, "summaries.coverage_gaps"),
)

FACILITY_MONTH = EMISSIONS_BY_FACILITY_MONTH.qualified

ORGANIZATION_TREE = Summary(
    "summaries",
    "organization_tree",
    "One row per organisation and member of its tree, which is itself and every organisation below it: the figures of "
    "trees sum over these members",
    ("organization_id", "member_organization_id"),
    (
        organization_id(ORGANIZATIONS),
        member_organization_id(f"{ORGANIZATIONS}: parent_organization_id"),
        Column(
            "steps_below",
            "INTEGER",
            "Steps below organization_id; 0 for itself",
            ORGANIZATIONS,
            "1",
            example="1",
            additivity="none",
        ),
    ),
    ORGANIZATIONS,
    sources=(ORGANIZATIONS, COVERAGE),
)

TREE = ORGANIZATION_TREE.qualified

EMISSIONS_BY_ORGANIZATION_MONTH = Summary(
    "summaries",
    "emissions_by_organization_month",
    "One row per organisation and calendar month for which records of it are expected: its own figures, without organisations below it",
    ("organization_id", "month"),
    (
        organization_id(FACILITY_MONTH),
        month(),
        *measures(FACILITY_MONTH),
        *records(FACILITY_MONTH, "month"),
        *coverage(COVERAGE, "month"),
    ),
    FACILITY_MONTH,
    sources=(FACILITY_MONTH, COVERAGE),
    conserves=(Conserved(FACILITY_MONTH, (*MEASURES, *RECORDS)), Conserved(COVERAGE, DAYS)),
)
