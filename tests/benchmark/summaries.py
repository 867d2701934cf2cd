"""All summaries over many records: first, again without a change, and after one in ten facilities, beside one plain sum over them.

Prints one JSON line.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from dcycle_pipeline import summaries
from dcycle_pipeline.endpoints import waste_water_treatments
from dcycle_pipeline.publish.catalog import everything
from dcycle_pipeline.sync.publication import RECORDING_MEMORY_MB
from dcycle_pipeline.warehouse.database import opened, transaction
from dcycle_pipeline.warehouse.history import versions

MEMORY_MB = RECORDING_MEMORY_MB
A_FACILITY = 1_000  # records
WWT = versions(waste_water_treatments.ENDPOINT).qualified
NOW = datetime(2026, 1, 1, tzinfo=UTC)
# The records of `pages`: 31 days from a day in 25 years, 1 in 25 pending.
RECORDS = f"""INSERT INTO {WWT} BY NAME SELECT
    '11111111-1111-4111-8111-' || lpad((n // 100000)::VARCHAR, 12, '0') AS organization_id,
    '33333333-3333-4333-8333-' || lpad((n // {A_FACILITY})::VARCHAR, 12, '0') AS facility_id,
    md5(n::VARCHAR)::UUID::VARCHAR AS waste_water_treatment_id, 'active' AS status,
    DATE '2000-01-01' + (n % 9000)::INTEGER AS start_date, start_date + 30 AS end_date,
    (12500.25 + n)::DECIMAL(28, 9) AS water_in_m3, (12000.125 + n)::DECIMAL(28, 9) AS water_out_m3,
    (850.0625 + n % 100)::DECIMAL(28, 9) AS sludge_kg, 0 AS co2e_biomass_kg,
    CASE WHEN n % 25 <> 3 THEN (4521.3 + n / 8.0)::DECIMAL(28, 9) END AS co2e_kg,
    CASE WHEN co2e_kg IS NULL THEN 'pending' ELSE 'calculated' END AS co2e_state, now() AS valid_from
FROM range(?) AS numbers (n)"""


def seconds(step: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of the processors."""
    started, worked = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - started, time.process_time() - worked


def refreshed(connection: duckdb.DuckDBPyConnection, moment: datetime) -> None:
    with transaction(connection):
        summaries.refresh(connection, moment)


def moved(connection: duckdb.DuckDBPyConnection, moment: datetime) -> tuple[float, float]:
    """After recalculated records in ten facilities."""
    few = f"valid_to IS NULL AND facility_id IN (SELECT DISTINCT facility_id FROM {WWT} ORDER BY 1 LIMIT 10)"
    connection.execute(f"UPDATE {WWT} SET co2e_kg = co2e_kg + 1.125, change = 'recalculated' WHERE {few}")
    return seconds(lambda: refreshed(connection, moment))


def main() -> None:
    folder, records = Path(sys.argv[1]), int(sys.argv[2])
    with opened(folder / "warehouse.duckdb", folder / "spill", everything(), MEMORY_MB) as connection:
        connection.execute(RECORDS, [records])
        measures = ", ".join(f"sum({name})" for name in ("co2e_kg", "water_in_m3", "water_out_m3", "sludge_kg"))
        plain = f"SELECT facility_id, date_trunc('month', start_date), {measures} FROM {WWT} GROUP BY ALL"
        found = {
            "plain": min(seconds(lambda: connection.execute(plain).fetchall()) for _ in range(3)),
            "first": seconds(lambda: refreshed(connection, NOW)),
            "again": seconds(lambda: refreshed(connection, NOW + timedelta(days=1))),
            "moved": moved(connection, NOW + timedelta(days=2)),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
