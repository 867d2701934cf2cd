"""The same account with dlt into DuckDB, as its documentation tunes it (dlthub.com/docs/reference/performance).

`python -m tests.benchmark.peers.with_dlt BASE_URL FOLDER` writes FOLDER/peer.duckdb. Each page is read once and nothing is proven.
- Extraction: whole pages are yielded; facilities are read concurrently in a pool of threads (`parallelized`), 16 as ours at most.
- Files: Parquet, rotated so that the normaliser and the loader get several and work on them at once.
- Normalisation: in a process per processor, without child tables (`max_table_nesting` 0).
- Loading: several files at once; `replace` with the strategy that only inserts. An API that does not say what changed leaves no other way.
- No progress bar, no telemetry.
"""

import os
import sys
from pathlib import Path
from typing import Any

import dlt
from dlt.common.typing import TDataItems
from dlt.sources.helpers.requests import Response
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator
from dlt.sources.rest_api import rest_api_source

from tests.benchmark.peers.world import ORGANIZATION, PAGE, STATUSES

SETTINGS = {
    "EXTRACT__WORKERS": "16",
    "EXTRACT__MAX_PARALLEL_ITEMS": "32",
    "EXTRACT__DATA_WRITER__BUFFER_MAX_ITEMS": "10000",
    "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "25000",
    "NORMALIZE__WORKERS": str(os.cpu_count() or 1),
    "NORMALIZE__DATA_WRITER__BUFFER_MAX_ITEMS": "10000",
    "NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS": "100000",
    "LOAD__WORKERS": str(os.cpu_count() or 1),
    "DESTINATION__REPLACE_STRATEGY": "truncate-and-insert",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
}


class CountedPages(PageNumberPaginator):
    """Ends at the last page that `total_general` allows, where the usual one asks for an empty page behind it."""

    def __init__(self) -> None:
        super().__init__(base_page=1, total_path=None)

    def update_state(self, response: Response, data: TDataItems | None = None) -> None:
        super().update_state(response, data)
        if (self.current_value - 1) * PAGE >= response.json()["total_general"]:
            self._has_next_page = False


def source(base_url: str) -> Any:
    """Facilities, and the records of each."""
    facilities = {
        "path": "v1/facilities",
        "params": {"size": PAGE, "status[]": ["active", "archived"]},
        "paginator": PageNumberPaginator(base_page=1, total_path="pages"),
    }
    records = {
        "path": "v1/waste-water-treatments",
        "params": {
            "facility_id": "{resources.facilities.id}",
            "size": PAGE,
            "sort": "-start_date",
            "status[]": list(STATUSES),
        },
        "paginator": CountedPages(),
    }
    config: Any = {
        "client": {
            "base_url": base_url,
            "headers": {"x-api-key": "benchmark-key", "x-organization-id": ORGANIZATION},
        },
        "resource_defaults": {"write_disposition": "replace", "endpoint": {"data_selector": "items"}},
        "resources": [
            {"name": "facilities", "endpoint": facilities},
            {"name": "waste_water_treatments", "endpoint": records, "parallelized": True},
        ],
    }
    return rest_api_source(config, max_table_nesting=0)


def main() -> None:
    base_url, folder = sys.argv[1], Path(sys.argv[2])
    os.environ |= SETTINGS
    pipeline = dlt.pipeline(
        pipeline_name="peer",
        pipelines_dir=str(folder / "dlt"),
        destination=dlt.destinations.duckdb(str(folder / "peer.duckdb")),
        dataset_name="dcycle",
    )
    print(pipeline.run(source(base_url), loader_file_format="parquet"))
    print(pipeline.last_trace)


if __name__ == "__main__":
    main()
