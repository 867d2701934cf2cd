"""File sizes after many syncs with few changes each, against files of the same content written at once.

`python -m tests.benchmark.growth [syncs] [records]`; pages are landed without HTTP, all else is what a sync does.
"""

import json
import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from dcycle_pipeline.api.types import Page, Proof
from dcycle_pipeline.endpoints import facilities, waste_water_treatments
from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.endpoints.organizations import Organization
from dcycle_pipeline.landing.files import Landing, Trailer
from dcycle_pipeline.landing.lists import ListKey, ListResult
from dcycle_pipeline.landing.manifest import SweepManifest, TreeManifest, write_sweep, write_tree
from dcycle_pipeline.settings import Settings, load
from dcycle_pipeline.sync.publication import publish
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB, STORAGE_VERSION
from dcycle_pipeline.warehouse.load import merge_landed, merge_tree
from tests.benchmark.pages import PAGE, ROWS_A_FACILITY, item

ORGANIZATION = "11111111-1111-4111-8111-111111111111"
Items = dict[str, list[dict[str, object]]]


def world(records: int) -> Items:
    return {
        f"facility-{number:05d}": [item(number, n) for n in range(ROWS_A_FACILITY)]
        for number in range(records // ROWS_A_FACILITY)
    }


def change(items: Items, chance: random.Random) -> None:
    """One record in a hundred: recalculated, edited, or replaced by another one."""
    for facility, rows in items.items():
        for index in chance.sample(range(len(rows)), len(rows) // 100):
            kind = chance.random()
            if kind < 0.8:
                rows[index] |= {"co2e": chance.randint(1, 10**6) / 8}
            elif kind < 0.95:
                rows[index] |= {"quantity": chance.randint(1, 10**6) / 8}
            else:
                rows[index] = rows[index] | {"id": f"{facility}-{chance.getrandbits(64):016x}"}


def land(
    run: Run, endpoint: Endpoint, lists: dict[str | None, list[dict[str, object]]], deleted: dict[str, str | None]
) -> SweepManifest:
    landing, now, landed = Landing(run.folder.landing, run.run_id), datetime.now(UTC), []
    for facility, rows in lists.items():
        key = ListKey(ORGANIZATION, endpoint.name, facility)
        with landing.write(key) as file:
            for number in range(0, len(rows), PAGE):
                payload = json.dumps(rows[number : number + PAGE]).encode()
                file.keep(Page(number // PAGE + 1, (), {}, payload))
            proof = Proof(True, "", len(rows), len(rows), len(rows), 1, -(-len(rows) // PAGE))
            file.finish(Trailer(proof, now, now))
        landed.append(ListResult(key, "proven", "", now, now, run.run_id, proof, landing.file(key)))
    return SweepManifest(run.run_id, now, now, ORGANIZATION, endpoint.name, landed, deleted)


def sync(settings: Settings, number: int, items: Items, gone: dict[str, str | None]) -> None:
    run = Run(f"{number:08d}-run", settings)
    run.folder.prepare()
    run.folder.claim(ORGANIZATION)
    sites: list[dict[str, object]] = [{"id": name, "status": "active", "name": name, "country": "ES"} for name in items]
    with run, run.working_file(LOADING_MEMORY_MB) as connection:
        moment = run_log.moment(connection, run.now())
        tree = TreeManifest(
            run.run_id, moment, moment, ORGANIZATION, [Organization(ORGANIZATION, "Water", None, 0)], []
        )
        write_tree(run.folder.landing, tree)
        merge_tree(connection, tree)
        steps = ((facilities.V1, {None: sites}, {}), (waste_water_treatments.ENDPOINT, dict(items), gone))
        for endpoint, lists, deleted in steps:
            sweep = land(run, endpoint, lists, deleted)
            sweep = SweepManifest(
                **vars(sweep) | {"merged_at": run_log.moment(connection, run.now() + timedelta(microseconds=1))}
            )
            write_sweep(run.folder.landing, sweep)
            merge_landed(connection, sweep, run.folder.landing, settings.memory_limit_mb)
        publish(run)


def fresh_bytes(file: Path, beside: Path) -> int:
    """The size of a file with the same rows, written at once by DuckDB alone."""
    beside.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{file}' AS old (READ_ONLY)")
        connection.execute(f"ATTACH '{beside}' AS new (STORAGE_VERSION '{STORAGE_VERSION}')")
        tables = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'old'"
        ).fetchall()
        for schema, table in tables:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS new.{schema}")
            connection.execute(f"CREATE TABLE new.{schema}.{table} AS SELECT * FROM old.{schema}.{table}")
        connection.execute("CHECKPOINT new")
    return beside.stat().st_size


def main() -> None:
    syncs, records = (int(word) for word in (sys.argv[1:] + ["300", "100000"][len(sys.argv) - 1 :]))
    chance, items = random.Random(1), world(records)
    with tempfile.TemporaryDirectory() as name:
        settings = load(api_key="k", organization_id=ORGANIZATION, data_dir=Path(name) / "data")
        started, worst = time.perf_counter(), 0.0
        for number in range(syncs + 1):
            before = {str(row["id"]): facility for facility, rows in items.items() for row in rows}
            if number:
                change(items, chance)
            now = {str(row["id"]) for rows in items.values() for row in rows}
            gone: dict[str, str | None] = {
                identifier: facility for identifier, facility in before.items() if identifier not in now
            }
            sync(settings, number, items, gone)
            if number % 5 == 0 or number == syncs:
                working = settings.data_dir / "working" / "warehouse.duckdb"
                published = (settings.data_dir / "dcycle_warehouse.duckdb").resolve()
                fresh = fresh_bytes(published, Path(name) / "fresh.duckdb")
                sizes = [path.stat().st_size / fresh for path in (working, published)]
                worst = max(worst, *sizes)
                if number % 25 and number != syncs:
                    continue
                print(
                    f"{number} syncs: fresh {fresh / 2**20:.1f} MB, working {sizes[0]:.2f} ×, published {sizes[1]:.2f} ×, "
                    f"worst seen {worst:.2f} ×, {time.perf_counter() - started:.0f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
