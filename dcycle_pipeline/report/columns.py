"""Columns that several figures show, each under one heading."""

from dcycle_pipeline.report.cells import CHANGE, COUNT, EXACT, SHARE, TONNES, VOLUME
from dcycle_pipeline.report.figures import Shown

PENDING = "pending"

ORGANIZATION = Shown("organization", "Organisation")
FACILITY = Shown("facility", "Facility")
EMITTED_TONNES = Shown("co2e_kg", "t CO₂e", TONNES, PENDING)
EMITTED_KILOGRAMS = Shown("co2e_kg", "kg CO₂e", EXACT, PENDING)
BIOGENIC = Shown("co2e_biomass_kg", "biogenic kg, separate", EXACT)
WATER = Shown("water_in_m3", "water in, m³", VOLUME)
YEAR_ON_YEAR = Shown("year_on_year", "on the year before", CHANGE, missing_from="year_on_year_reason")
SHARE_OF_ALL = Shown("share", "share", SHARE)
FACILITY_COUNT = Shown("facility_count", "facilities", COUNT)
PENDING_RECORDS = Shown("pending_record_count", "pending", COUNT)
DAYS_COVERED = Shown("covered_days", "days covered", COUNT, of="due_days")
