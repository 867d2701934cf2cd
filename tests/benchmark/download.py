"""The same pages over HTTP with bare httpx, 16 at once, nothing stored; and the server for it. Prints one JSON line."""

import asyncio
import json
import sys
import time
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

AT_ONCE = 16


def serve(source: Path, port: int) -> None:
    pages = {path.name: path.read_bytes().split(b"\n") for path in source.iterdir()}

    async def page(request: Request) -> Response:
        body = pages[request.path_params["facility"]][int(request.query_params["page"]) - 1]
        return Response(body, media_type="application/json")

    app = Starlette(routes=[Route("/{facility}", page)])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical")


def pages_of(source: Path) -> list[tuple[str, int]]:
    return [(path.name, n) for path in sorted(source.iterdir()) for n in range(1, path.read_bytes().count(b"\n") + 2)]


async def download(source: Path, base_url: str) -> dict[str, float]:
    asked = pages_of(source)
    turns = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=base_url, limits=httpx.Limits(max_connections=AT_ONCE)) as http:

        async def one(facility: str, number: int) -> int:
            async with turns:
                return len((await http.get(f"/{facility}", params={"page": number})).content)

        started = time.perf_counter()
        sizes = await asyncio.gather(*(one(*page) for page in asked))
    return {"pages": len(sizes), "bytes": sum(sizes), "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        print(json.dumps(asyncio.run(download(Path(sys.argv[2]), sys.argv[3]))))
