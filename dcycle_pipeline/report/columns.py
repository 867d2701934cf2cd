"""Columns that several figures show, each under one heading."""

from dcycle_pipeline.report.cells import CHANGE, COUNT, EXACT, MONTH_NAME, SHARE, TONNES, VOLUME, YEAR
from dcycle_pipeline.report.figures import Shown

PENDING = "pending"

ORGANIZATION = Shown("organization", "Organisation")
FACILITY = Shown("facility", "Facility")
EMITTED_TONNES = Shown("co2e_kg", "t CO₂e", TONNES, PENDING)
EMITTED_KILOGRAMS = Shown("co2e_kg", "kg CO₂e", EXACT, PENDING)
BIOGENIC = Shown("co2e_biomass_kg", "t biogenic, separate", TONNES)
BIOGENIC_KILOGRAMS = Shown("co2e_biomass_kg", "kg biogenic", EXACT)
WATER = Shown("water_in_m3", "water in, m³", VOLUME)
YEAR_ON_YEAR = Shown("year_on_year", "on the year before", CHANGE, missing_from="year_on_year_reason")
TONNES_BEFORE = Shown("before_co2e_kg", "t CO₂e the year before", TONNES)
KILOGRAMS_BEFORE = Shown("before_co2e_kg", "kg CO₂e the year before", EXACT)
SHARE_OF_ALL = Shown("share", "share", SHARE)
FACILITY_COUNT = Shown("facility_count", "facilities", COUNT)
PENDING_RECORDS = Shown("pending_record_count", "pending", COUNT)
DAYS_COVERED = Shown("covered_days", "days covered", COUNT, of="due_days")
YEAR_SHOWN = Shown("year", "Year", YEAR)
MONTHS_HELD = Shown("first_month", "Months", MONTH_NAME, until="last_month")
CALCULATED_TONNES = Shown("calculated_months_co2e_kg", "t CO₂e", TONNES)
CALCULATED_KILOGRAMS = Shown("calculated_months_co2e_kg", "kg CO₂e", EXACT)
CALCULATED_WATER = Shown("calculated_months_water_in_m3", "water in, m³", VOLUME)
CALCULATED_WATER_EXACT = Shown("calculated_months_water_in_m3", "m³ in, exactly", EXACT)
EXACT_NUMBERS = (EMITTED_KILOGRAMS, BIOGENIC_KILOGRAMS)
