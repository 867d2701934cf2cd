"""From page bodies to committed tables: rows a second and peak memory, beside the bare download of the same pages.

    python -m tests.benchmark.rows [records] [facilities]

Prints one JSON line. Each measurement runs in a process of its own, so that peak memory is that of the part alone.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

PAGE = 100
ORGANIZATION = "11111111-1111-4111-8111-111111111111"


def body(facility: int, number: int, rows: int, total: int) -> bytes:
    """One page as the API would send it; 1 row in 1,200 is bad, 1 in 25 pending, 1 in 10 has ten decimal places."""
    items = [item(facility, (number - 1) * PAGE + index) for index in range(rows)]
    envelope = {"total": total, "total2": 0, "total_general": total, "page": number, "size": PAGE}
    return json.dumps({"items": items, **envelope}).encode()


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
        "facility_id": f"facility-{facility}",
        "quantity": 12500.25 + n,
        "base_quantity": 12000.125 + n,
        "m3_water_out": 12000.125 + n,
        "kg_sludge": 850.0625 + n % 100,
        "percentage": 1,
        "co2e": None if n % 25 == 3 else 4521.3 + n / (1024 if n % 10 == 0 else 8),
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


def pages(records: int, facilities: int) -> Iterator[tuple[int, int, bytes]]:
    each = records // facilities
    for facility in range(facilities):
        for number in range(1, -(-each // PAGE) + 1):
            yield facility, number, body(facility, number, min(PAGE, each - (number - 1) * PAGE), each)


def committed_tables(source: Path, folder: Path) -> dict[str, object]:
    """Clean, land, read back, validate, stage and merge the page bodies of `source`; the bodies are read beforehand."""
    from dcycle_pipeline.api.paging import Page, Proof
    from dcycle_pipeline.endpoints import waste_water_treatments
    from dcycle_pipeline.folder import DataFolder
    from dcycle_pipeline.landing import Landing
    from dcycle_pipeline.merge import Staging
    from dcycle_pipeline.page_body import read_page
    from dcycle_pipeline.personal_data import Policy, Pseudonyms
    from dcycle_pipeline.run import all_tables
    from dcycle_pipeline.sweep import Scope, Swept
    from dcycle_pipeline.warehouse import opened, transaction

    endpoint = waste_water_treatments.ENDPOINT
    data = DataFolder(folder)
    data.prepare()
    landing = Landing(data.landing, "run")
    policy = Policy(endpoint, "drop", Pseudonyms(b"key"))
    now = datetime.now(UTC)
    read_seconds, rows, swept = 0.0, 0, []
    started, cpu_started = time.perf_counter(), time.process_time()
    for path in sorted(source.iterdir()):
        reading = time.perf_counter()
        bodies = path.read_bytes().split(b"\n")
        read_seconds += time.perf_counter() - reading
        scope = Scope(ORGANIZATION, endpoint.name, path.name)
        with landing.write(ORGANIZATION, endpoint.name, path.name) as file:
            count = 0
            for number, text in enumerate(bodies, start=1):
                page = read_page(text, policy, "benchmark")
                file.keep(Page(number, page.identities, page.envelope, page.payload))
                count += len(page.identities)
            proof = Proof(True, "", count, count, count, 1, len(bodies))
            swept.append(Swept(scope, "proven", "", proof, file.finish(proof), now, now))
        rows += count
    landed = time.perf_counter()
    with opened(data, all_tables(), int(__import__("os").environ.get("MB","512"))) as connection:
        staging = Staging(connection, endpoint, ORGANIZATION)
        staging.load(swept)
        loaded = time.perf_counter()
        with transaction(connection):
            staging.merge([], now)
        count = connection.execute("SELECT count(*) FROM dcycle.waste_water_treatments").fetchall()[0][0]
    seconds = time.perf_counter() - started - read_seconds
    cpu_seconds = time.process_time() - cpu_started
    assert count + len(staging.bad) == rows, (count, len(staging.bad), rows)
    parts = {"land_s": landed - started - read_seconds, "load_s": loaded - landed, "merge_s": seconds - (loaded - started - read_seconds)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rows": rows, "bad": len(staging.bad), "rows_per_second": round(rows / seconds), "cpu_s": round(cpu_seconds, 2), "peak_mb": round(peak), **{k: round(v, 2) for k, v in parts.items()}}


def main() -> None:
    if sys.argv[1] == "tables":
        print(json.dumps(committed_tables(Path(sys.argv[2]), Path(sys.argv[3]))))
        return
    records = int(sys.argv[1])
    facilities = int(sys.argv[2]) if len(sys.argv) > 2 else max(1, records // 10_000)
    with tempfile.TemporaryDirectory() as name:
        source = Path(name, "bodies")
        source.mkdir()
        current: dict[int, list[bytes]] = {}
        for facility, _, text in pages(records, facilities):
            current.setdefault(facility, []).append(text)
            if facility - 1 in current:
                Path(source, f"facility-{facility - 1}").write_bytes(b"\n".join(current.pop(facility - 1)))
        for facility, texts in current.items():
            Path(source, f"facility-{facility}").write_bytes(b"\n".join(texts))
        subprocess.run([sys.executable, "-m", "tests.benchmark.rows", "tables", str(source), str(Path(name, "data"))], check=True)


if __name__ == "__main__":
    main()
