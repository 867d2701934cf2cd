"""Page bodies as the API would send them: 1 row in 1,200 is bad, 1 in 25 pending, 1 in 13 has more than nine places."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

PAGE = 100
ROWS_A_FACILITY = 10_000


def write(folder: Path, records: int) -> None:
    """One file a facility below `folder`, one page body a line."""
    folder.mkdir(parents=True)
    for facility in range(records // ROWS_A_FACILITY):
        (folder / f"facility-{facility:05d}").write_bytes(b"\n".join(bodies(facility)))


def bodies(facility: int) -> Iterator[bytes]:
    counters = {"total": ROWS_A_FACILITY, "total2": 0, "total_general": ROWS_A_FACILITY, "size": PAGE}
    for number in range(1, ROWS_A_FACILITY // PAGE + 1):
        items = [item(facility, (number - 1) * PAGE + index) for index in range(PAGE)]
        yield json.dumps({"items": items, **counters, "page": number}).encode()


def item(facility: int, n: int) -> dict[str, object]:
    start = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=n % 9000)
    identifier = f"{facility:08d}-{n % 9999:04d}-4000-8000-{n:012d}"
    return {
        "id": identifier,
        "type": "waste_water_treatment",
        "status": "broken" if n % 1200 == 7 else "active",
        "invoice_id": f"WWT-{n:07d}",
        "start_date": f"{start:%Y-%m-%d}",
        "end_date": f"{start + timedelta(days=30):%Y-%m-%d}",
        "facility_id": f"facility-{facility:05d}",
        "quantity": 12500.25 + n,
        "base_quantity": 12000.125 + n,
        "m3_water_out": 12000.125 + n,
        "kg_sludge": 850.0625 + n % 100,
        "percentage": 1,
        "co2e": None if n % 25 == 3 else 4521.3 + n / (4096 if n % 10 == 0 else 8),
        "co2e_biomass": 0.0,
        "unit": {"id": "u1", "name": "cubic_meter_(m3)", "type": "volume"},
        "user": {"id": f"user-{n % 7}", "first_name": "Ana", "last_name": "García", "email": f"ana{n % 7}@example.org"},
        "uploaded_by": f"user-{n % 7}",
        "source_invoice_id": identifier,
        "file_url": f"https://files.example.org/{n}?signature=abcdef",
        "linked_projects": ["p-1"] if n % 20 == 0 else [],
        "facility_percentages": [],
        "created_at": "2025-02-01T10:30:00Z",
    }
