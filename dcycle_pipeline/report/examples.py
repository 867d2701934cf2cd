"""One example per column, for the dictionary. A name means the same in every table, so it has one example, by name.

If a table means something else by the name, `table.column` goes first. A column's own `example` goes before both.
"""

from dcycle_pipeline.schema import Column, Table

_MOMENT = "2026-01-15 03:00:04+00"
_RUN = "5f2f1f0e-1c1f-4f55-8e0d-6f6a2f0a9c11"
_RECORD = "0d9f8a52-6f1b-4a0e-9d0c-5b8f6a7c1e22"
_ROOT = "6513270e-269e-4d37-b2a7-4de452e6b438"

EXAMPLES = {
    "address": "Ctra. de Castellón, km 4, Zaragoza",
    "categories": "[electricity, water]",
    "category": "electricity",
    "change": "recalculated",
    "co2e_biomass_kg": "310.75",
    "co2e_kg": "42850.123456789",
    "co2e_state": "calculated",
    "content_changed": "true",
    "content_hash": "9f2c4d7e1a6b…",
    "counter": "130",
    "country_code": "ES",
    "created_at": "2024-03-01 09:30:00+00",
    "cups_code": "ES0021000001234567AB",
    "cups_codes": "[ES0021000001234567AB]",
    "deleted_count": "0",
    "depth": "1",
    "distinct_ids_count": "130",
    "drift": "[waste_water_treatments.new_field]",
    "end_date": "2025-03-31",
    "endpoint": "waste_water_treatments",
    "external_facility_id": "ES-050-01",
    "facilities.co2e_kg": "5534454.882",
    "facility_id": "ba31c85c-da55-49ee-9082-e049e3cbf940",
    "facility_purpose_type": "facilities",
    "facility_type": "factory",
    "finished_at": _MOMENT,
    "first_seen_at": _MOMENT,
    "fuel_id": "7d4b8a10-3a63-4f0e-8d8f-1b7e5c2a9f30",
    "fuel_ids": "[7d4b8a10-3a63-4f0e-8d8f-1b7e5c2a9f30]",
    "has_supercharger": "false",
    "hub_category": "dedicated",
    "invoices_count": "312",
    "item": '{"id": "0d9f8a52", "status": "active"}',
    "item_id": _RECORD,
    "landed_file": f"{_RUN}/fb8d621f/facilities.ndjson.zst",
    "last_changed_at": _MOMENT,
    "last_seen_at": _MOMENT,
    "logistic_factor": "0.25",
    "name": "EDAR La Cartuja Dorada",
    "organization_id": "fb8d621f-f9fc-4969-981f-02898d76b2b3",
    "organizations.name": "Áurea Ibérica de Aguas, S.A.",
    "organizations_count": "7",
    "outcome": "proven",
    "page": "2",
    "pages_count": "4",
    "parent_organization_id": _ROOT,
    "passes_count": "2",
    "percentage": "1",
    "pipeline_version": "0.1.0",
    "position": "17",
    "project": "p-2025-reuse",
    "projects": "[p-2025-reuse]",
    "published_at": _MOMENT,
    "quarantine.reason": "end_date 2025-02-01 is before start_date 2025-03-01",
    "quarantined_at": _MOMENT,
    "quarantined_count": "0",
    "reason": "the counter moved from 130 to 131 during the read on each of 7 attempts",
    "record_label": "EDAR-2025-03",
    "requests_count": "75",
    "root_organization_id": _ROOT,
    "rows_count": "1924",
    "run_id": _RUN,
    "runs.outcome": "published",
    "lists_unproven_count": "0",
    "lists_proven_count": "47",
    "merged_at": _MOMENT,
    "sludge_kg": "28450",
    "start_date": "2025-03-01",
    "started_at": _MOMENT,
    "status": "active",
    "unit_name": "cubic_meter_(m3)",
    "updated_at": "2025-11-20 16:45:12+00",
    "uploaded_by_user_id": "3b0c6e0e-77b7-4b7b-9f38-0d2f5c2f8a41",
    "valid_from": _MOMENT,
    "valid_to": "2026-01-22 03:00:04+00",
    "waste_water_treatment_id": _RECORD,
    "water_in_m3": "116250.5",
    "water_out_m3": "113900.25",
    "year": "2025",
}


def example_of(table: Table, column: Column) -> str:
    """The example of a column; empty if none is given, which a test forbids."""
    return column.example or EXAMPLES.get(f"{table.name}.{column.name}", EXAMPLES.get(column.name, ""))
