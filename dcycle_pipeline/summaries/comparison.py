"""Declares the comparison with the totals that Dcycle gives. It only informs: it never blocks a publication."""

from dcycle_pipeline.endpoints.total_impacts import NEVER_OVER
from dcycle_pipeline.schema import KILOGRAMS_CO2E, QUANTITY, Column
from dcycle_pipeline.summaries.declaration import (
    COUNTED,
    LISTS,
    QUARANTINE,
    WWT,
    Summary,
    count,
    days,
    difference,
    organization_id,
    records,
    share,
    total,
    year,
)
from dcycle_pipeline.summaries.years import EMISSIONS_BY_ORGANIZATION_YEAR

_OURS = EMISSIONS_BY_ORGANIZATION_YEAR.qualified
_THEIRS = "dcycle.total_impacts"

TOTAL_IMPACTS_COMPARISON = Summary(
    "summaries",
    "total_impacts_comparison",
    "One row per organisation and calendar year in which it has, or once had, active waste-water records: what they add up to "
    "(ours), Dcycle's total from all sources (theirs), of which they are a part, and every known reason for a difference",
    ("organization_id", "year"),
    (
        organization_id(_OURS),
        year(),
        total(
            "ours_co2e_kg",
            "Emissions of the organisation's active calculated records; null if all are pending",
            f"{_OURS}: co2e_kg",
            KILOGRAMS_CO2E,
        ),
        Column(
            "theirs_co2e_kg",
            QUANTITY,
            "Emissions of the organisation from all sources, as Dcycle totals them; null if the total is not known",
            f"{_THEIRS}: co2e_kg",
            KILOGRAMS_CO2E,
            example="1250000.500000000",
            additivity="none",
            never_over=NEVER_OVER,
        ),
        difference(
            "difference_co2e_kg",
            "theirs_co2e_kg minus ours_co2e_kg: what other sources emit, if nothing else differs; look into it if it is negative",
            "1245479.200000000",
        ),
        Column(
            "theirs_scope_1_co2e_kg",
            QUANTITY,
            "The part of theirs in scope 1, to which waste water in own plants belongs",
            f"{_THEIRS}: scope_1_co2e_kg",
            KILOGRAMS_CO2E,
            example="225000.000000000",
            additivity="none",
            never_over=NEVER_OVER,
        ),
        *records(WWT, "year"),
        count(
            "not_active_record_count",
            "Records of the year of any other status, which do not count in ours",
            WWT,
            "1",
            "years",
        ),
        count("prorated_record_count", "Active records that also cover a day of another year", WWT, "2", "years"),
        total(
            "prorated_co2e_kg",
            "The part of ours that comes from them, by days",
            f"{WWT}: co2e_kg",
            KILOGRAMS_CO2E,
            "310.500000000",
        ),
        share(
            "prorated_share",
            "prorated_co2e_kg divided by ours_co2e_kg; null unless that is above zero",
            example="0.068674939",
        ),
        days("covered_days", "Days with at least one active record, summed over the facilities", _OURS, "2160"),
        days("due_days", "Days of which the facilities should have a record", _OURS, "2190"),
        count(
            "unproven_list_count",
            "Lists of the organisation that the last sweep left unproven",
            LISTS,
            "0",
            "years: it is that of all of them",
        ),
        count(
            "quarantined_count",
            "Items of the organisation that the last sweep quarantined",
            QUARANTINE,
            "0",
            "years: it is that of all of them",
        ),
        Column(
            "verdict",
            "VARCHAR",
            "within_total, exceeds_total, total_not_known, nothing_calculated or no_records",
            "derived",
            example="within_total",
        ),
        Column(
            "reasons",
            "VARCHAR",
            "Every known reason why the two may differ, or why theirs is not known; empty if there is none",
            f"derived, {LISTS}: reason, {QUARANTINE}: reason",
            example="their total covers every source, ours waste water alone; 1 of 12 records are pending and add nothing to ours",
        ),
    ),
    f"{_OURS} and {_THEIRS}",
    sources=(_OURS, COUNTED, _THEIRS, LISTS, QUARANTINE),
)
