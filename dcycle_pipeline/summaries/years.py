"""Declares the summaries by calendar year: by facility, from its months; by organisation and country, from the facilities."""

from dcycle_pipeline.schema import CUBIC_METRES, KILOGRAMS, KILOGRAMS_CO2E, Column
from dcycle_pipeline.summaries.declaration import (
    COUNTED,
    DAYS,
    FACILITIES,
    MEASURES,
    RECORDS,
    WWT,
    Conserved,
    Summary,
    country_code,
    coverage,
    days,
    facility_id,
    measures,
    organization_id,
    records,
    share,
    total,
    year,
    year_on_year,
)
from dcycle_pipeline.summaries.missing import MISSING
from dcycle_pipeline.summaries.months import COVERAGE, FACILITY_MONTH

_CALCULATED_MONTHS = "in the months of the year in which nothing is pending"


def _intensity(name: str, numerator: str, denominator: str, unit: str, example: str) -> Column:
    return share(name, f"{numerator} divided by {denominator}; null unless that is above zero", unit, example)


WWT_INTENSITY_BY_FACILITY_YEAR = Summary(
    "summaries",
    "wwt_intensity_by_facility_year",
    "One row per facility and calendar year for which records are expected: emissions and sludge per cubic metre, as ratios of the year's sums, not as "
    "means of monthly ratios. For the CO2e ratios both sums leave out the months in which something is pending",
    ("organization_id", "facility_id", "year"),
    (
        organization_id(COVERAGE),
        facility_id(COVERAGE),
        country_code(FACILITIES),
        year(),
        *measures(FACILITY_MONTH),
        *records(WWT, "year"),
        days("covered_days", "Days of the year with at least one active record", COVERAGE, "363"),
        days("due_days", "Days of the year, all of which should have a record", COVERAGE),
        total("calculated_months_co2e_kg", f"Emissions {_CALCULATED_MONTHS}", FACILITY_MONTH, KILOGRAMS_CO2E),
        total(
            "calculated_months_water_in_m3",
            f"Water entering the plant {_CALCULATED_MONTHS}",
            FACILITY_MONTH,
            CUBIC_METRES,
            "12500.250000000",
        ),
        total(
            "calculated_months_water_out_m3",
            f"Water leaving the plant {_CALCULATED_MONTHS}",
            FACILITY_MONTH,
            CUBIC_METRES,
            "12000.125000000",
        ),
        _intensity(
            "co2e_kg_per_m3_in",
            "calculated_months_co2e_kg",
            "calculated_months_water_in_m3",
            f"{KILOGRAMS_CO2E}/{CUBIC_METRES}",
            "0.361696766",
        ),
        _intensity(
            "co2e_kg_per_m3_out",
            "calculated_months_co2e_kg",
            "calculated_months_water_out_m3",
            f"{KILOGRAMS_CO2E}/{CUBIC_METRES}",
            "0.376771075",
        ),
        _intensity("sludge_kg_per_m3_in", "sludge_kg", "water_in_m3", f"{KILOGRAMS}/{CUBIC_METRES}", "0.068003640"),
        *year_on_year("co2e_kg_per_m3_in"),
    ),
    FACILITY_MONTH,
    sources=(COUNTED, FACILITIES, FACILITY_MONTH, COVERAGE),
    conserves=(Conserved(FACILITY_MONTH), Conserved(COVERAGE, DAYS)),
    of_facility=(COUNTED, FACILITY_MONTH, COVERAGE),
)

FACILITY_YEAR = WWT_INTENSITY_BY_FACILITY_YEAR.qualified

EMISSIONS_BY_ORGANIZATION_YEAR = Summary(
    "summaries",
    "emissions_by_organization_year",
    "One row per organisation and calendar year for which records of it are expected: its own figures, without organisations below it",
    ("organization_id", "year"),
    (
        organization_id(FACILITY_YEAR),
        year(),
        *measures(FACILITY_YEAR),
        *records(FACILITY_YEAR, "year"),
        *coverage(FACILITY_YEAR, "year"),
        *year_on_year("co2e_kg", "the organisation was received completely"),
    ),
    FACILITY_YEAR,
    sources=(FACILITY_YEAR, MISSING),
    conserves=(Conserved(FACILITY_YEAR, (*MEASURES, *RECORDS, *DAYS)),),
)

EMISSIONS_BY_COUNTRY_YEAR = Summary(
    "summaries",
    "emissions_by_country_year",
    "One row per country and calendar year for which records of a facility in it are expected, over all organisations; facilities of which the "
    "country is not known are in the rows without a country",
    ("country_code", "year"),
    (
        country_code(FACILITY_YEAR),
        year(),
        *measures(FACILITY_YEAR),
        *records(FACILITY_YEAR, "year"),
        *coverage(FACILITY_YEAR, "year"),
        *year_on_year("co2e_kg", "no organisation is missing"),
    ),
    FACILITY_YEAR,
    sources=(FACILITY_YEAR, MISSING),
    conserves=(Conserved(FACILITY_YEAR, (*MEASURES, *RECORDS, *DAYS)),),
)
