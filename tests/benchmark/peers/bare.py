"""Every page once with bare httpx, eight at once, nothing stored: the least that a download can cost. Prints one JSON line."""

import asyncio
import json
import sys
import time

import httpx

from tests.benchmark.peers.world import ORGANIZATION, PAGE, STATUSES, World, facility_id

AT_ONCE = 8


async def download(base_url: str, facilities: int, records: int) -> dict[str, float]:
    headers = {"x-api-key": "benchmark-key", "x-organization-id": ORGANIZATION}
    world = World(facilities, records)
    asked = [(n, page) for n in range(facilities) for page in range(1, -(-world.count(n) // PAGE) + 1)]
    waiting, sizes = iter(asked), []
    limits = httpx.Limits(max_connections=AT_ONCE)
    async with httpx.AsyncClient(base_url=base_url, limits=limits, headers=headers, trust_env=False) as http:

        async def some() -> None:
            for number, page in waiting:
                query: dict[str, str | int | tuple[str, ...]] = {
                    "facility_id": facility_id(number),
                    "page": page,
                    "size": PAGE,
                    "sort": "-start_date",
                    "status[]": STATUSES,
                }
                answer = await http.get("/v1/waste-water-treatments", params=query)
                sizes.append(len(answer.raise_for_status().content))

        started = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return {"pages": len(sizes), "bytes": sum(sizes), "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(download(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
