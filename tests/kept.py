"""A server that keeps its connections, and says exactly the bytes that it is told to: also too many, too late, or nothing."""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Iterable

from tests.wire import Wire

WAIT = object()  # lets the client read what was sent so far, as bytes of their own
HANG_UP = object()  # ends the connection in order
RESET = object()  # breaks it
Said = bytes | object
# Set while nobody owes an answer: all is said that follows the last request.
QUIET = threading.Event()
QUIET.set()


def kept(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """An answer after which the connection stays."""
    return (
        "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]).encode("latin-1") + body
    )


class KeptWire(Wire):
    """`say` gives what to send after the nth request, which is counted over all connections from 0. `connections` counts them."""

    def __init__(self, say: Callable[[int], Iterable[Said]], tls: object = None) -> None:
        super().__init__(tls=tls)  # type: ignore[arg-type]
        self._say = say
        self.connections = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            await self.head(reader)
            QUIET.clear()
            try:
                for part in self._say(len(self.heads) - 1):
                    if part is WAIT:
                        await asyncio.sleep(0.05)
                    elif part is HANG_UP:
                        return
                    elif part is RESET:
                        _break(writer)
                        return
                    else:
                        assert isinstance(part, bytes)
                        writer.write(part)
                        await writer.drain()
            finally:
                QUIET.set()


def _break(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
