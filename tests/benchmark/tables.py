"""Page bodies → cleaned, landed, read back, validated, staged and committed. Prints one JSON line."""

import json
import resource
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from dcycle_pipeline.api.types import Page, Proof
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.endpoints import waste_water_treatments
from dcycle_pipeline.landing.files import Landing, Trailer
from dcycle_pipeline.landing.lists import ListKey, ListResult
from dcycle_pipeline.landing.manifest import SweepManifest
from dcycle_pipeline.landing.page_body import read_page
from dcycle_pipeline.landing.personal_data import Policy, Pseudonyms
from dcycle_pipeline.publish.catalog import everything
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB, opened, transaction
from dcycle_pipeline.warehouse.merge import Staging

ORGANIZATION = "11111111-1111-4111-8111-111111111111"
ENDPOINT = waste_water_treatments.ENDPOINT


def land(landing: Landing, policy: Policy, facility: str, bodies: list[bytes]) -> ListResult:
    now, key = datetime.now(UTC), ListKey(ORGANIZATION, ENDPOINT.name, facility)
    with landing.write(key) as file:
        count = 0
        for number, body in enumerate(bodies, start=1):
            page = read_page(body, policy, "benchmark")
            file.keep(Page(number, page.identities, page.envelope, page.payload))
            count += len(page.identities)
        proof = Proof(True, "", count, count, count, 1, len(bodies))
        file.finish(Trailer(proof, now, now))
    return ListResult(key, "proven", "", now, now, "run", proof, landing.file(key))


def main() -> None:
    source, data = Path(sys.argv[1]), DataFolder(Path(sys.argv[2]))
    duckdb.connect().execute("SELECT ?", [1])  # imports pandas, once a process and whatever the number of rows
    data.prepare()
    landing, policy = Landing(data.landing, "run"), Policy(ENDPOINT, "drop", Pseudonyms(b"key"))
    seconds, results = 0.0, []
    for path in sorted(source.iterdir()):
        bodies = path.read_bytes().split(b"\n")
        started = time.perf_counter()
        results.append(land(landing, policy, path.name, bodies))
        seconds += time.perf_counter() - started
    started = time.perf_counter()
    with opened(data.warehouse, data.spill, everything(), LOADING_MEMORY_MB) as connection:
        staging = Staging(connection, ENDPOINT, [ORGANIZATION], data.landing)
        staging.load(results)
        with transaction(connection):
            now = datetime.now(UTC)
            staging.merge([SweepManifest("run", now, now, ORGANIZATION, ENDPOINT.name, results, {})])
        seconds += time.perf_counter() - started
        committed = connection.execute("SELECT count(*) FROM dcycle.waste_water_treatments").fetchall()[0][0]
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps({"rows": committed, "quarantined": len(staging.quarantined), "seconds": seconds, "peak_mb": peak_mb})
    )


if __name__ == "__main__":
    main()
