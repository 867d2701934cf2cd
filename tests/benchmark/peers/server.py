"""The server of the benchmark: HTTP/1.1 with keep-alive, every answer ready in memory, nothing worked out per request.

`python -m tests.benchmark.peers.server FACILITIES RECORDS CHANGES LATENCY_MS PORT` prints its port once all answers are ready.
`GET /-/requests` gives what was asked for since then.
"""

import asyncio
import json
import secrets
import sys
from decimal import Decimal

from tests.benchmark.peers.answers import NOT_FOUND, Answers, http
from tests.benchmark.peers.world import World

END = b"\r\n\r\n"
ADMIN = b"/-/requests"


class Connection(asyncio.Protocol):
    """One client. A request is a GET without a body; what else comes is refused."""

    def __init__(self, answers: Answers, latency: float) -> None:
        self._answers = answers
        self._latency = latency
        self._received = b""
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *heads, self._received = (self._received + data).split(END)
        for head in heads:
            method, target, _ = head.split(b" ", 2)
            if target == ADMIN:
                self._transport.write(http(b"200 OK", json.dumps(self._answers.counts).encode()))
                continue
            answer = self._answers.of(target) if method == b"GET" else NOT_FOUND
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._transport.write, answer)
            else:
                self._transport.write(answer)


async def serve(world: World, latency: float, port: int) -> None:
    """Prints the port when ready, and serves until it is ended."""
    answers = Answers(world)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(answers, latency), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    facilities, records, changes = (int(word) for word in sys.argv[1:4])
    milliseconds = Decimal(sys.argv[4])
    asyncio.run(
        serve(World(facilities, records, changes, secrets.token_hex(32)), float(milliseconds / 1000), int(sys.argv[5]))
    )
