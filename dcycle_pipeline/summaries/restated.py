"""Declares the restatements: by how much each publication changed what the one before said, and why."""

from dcycle_pipeline.schema import KILOGRAMS_CO2E, TOTAL, Column
from dcycle_pipeline.summaries.declaration import Summary, count
from dcycle_pipeline.warehouse.history import CHANGES

_VERSIONS = "history.waste_water_treatments"

RESTATEMENTS = Summary(
    "summaries",
    "restatements",
    "One row per publication after the first, facility, month and cause: by how many kg the figure changed since the publication "
    "before. The rows between two publications add up exactly to the difference between what these two said",
    ("published_at", "organization_id", "facility_id", "month", "cause"),
    (
        Column(
            "published_at",
            "TIMESTAMPTZ",
            "Publication that said so first",
            "sync.runs",
            stamp="origin",
            example="2026-02-01 03:04:05+00",
        ),
        Column(
            "run_id",
            "VARCHAR",
            "Run that published it",
            "sync.runs",
            stamp="origin",
            example="0a1b2c3d-1111-4111-8111-111111111111",
        ),
        Column("organization_id", "VARCHAR", "Organisation", _VERSIONS, example="11111111-1111-4111-8111-111111111111"),
        Column("facility_id", "VARCHAR", "Facility", _VERSIONS, example="33333333-3333-4333-8333-333333333333"),
        Column("month", "DATE", "First day of the calendar month", "derived", example="2025-03-01"),
        Column(
            "cause",
            "VARCHAR",
            f"Kind of change of the records: {', '.join(CHANGES)}; or counted_otherwise, if they did not change, but count in another "
            "organisation that lists them too, or by another rule",
            f"{_VERSIONS}: change",
            example="recalculated",
        ),
        Column(
            "co2e_kg",
            TOTAL,
            "Emissions that were added; negative if they were taken away",
            f"{_VERSIONS}: co2e_kg",
            KILOGRAMS_CO2E,
            example="-12.500000000",
            additivity="sum",
        ),
        Column(
            "co2e_biomass_kg",
            TOTAL,
            "Biogenic emissions that were added or taken away; never add them to co2e_kg",
            f"{_VERSIONS}: co2e_biomass_kg",
            KILOGRAMS_CO2E,
            example="0.000000000",
            additivity="sum",
        ),
        count(
            "record_count",
            "Records that changed; one that covers several months counts in each",
            _VERSIONS,
            "2",
            "months, causes or publications",
        ),
    ),
    _VERSIONS,
    sources=(_VERSIONS, "sync.runs", "history.emissions_by_facility_month"),
)
