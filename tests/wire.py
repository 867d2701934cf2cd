"""Small servers that say exactly the bytes they are told to: an API over TCP or TLS, and a proxy on the way to one."""

import asyncio
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

Answer = Callable[[str], bytes | Iterable[bytes]]
HOST = "api.test"
TREE = b'{"id":"11111111-1111-4111-8111-111111111111","name":"Holding X","children":[]}'
EMPTY_LIST = b'{"items":[],"total":0,"page":1,"size":100,"pages":0}'


def http(body: bytes, *headers: str, status: int = 200) -> bytes:
    """An answer that ends with its connection, with its length unless the headers frame it themselves."""
    framed = any(header.lower().startswith(("content-length", "transfer-encoding")) for header in headers)
    lines = [
        f"HTTP/1.1 {status} x",
        *headers,
        *([] if framed else [f"Content-Length: {len(body)}"]),
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def api(head: str) -> bytes:
    """An account with one organisation and nothing in it."""
    return http(TREE if head.split(" ")[1].startswith("/v2/") else EMPTY_LIST)


class Wire:
    """Listens on `host` in a thread. `heads` are the requests that it got; an `answer` in parts is sent until the client leaves."""

    host = "127.0.0.1"

    def __init__(self, answer: Answer = api, tls: ssl.SSLContext | None = None) -> None:
        self.answer, self._tls = answer, tls
        self.heads: list[str] = []
        self.sent = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._over = asyncio.Event()
        server = await asyncio.start_server(self._guarded, self.host, 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()

    async def _guarded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            await self.talk(reader, writer)
        writer.close()

    async def head(self, reader: asyncio.StreamReader) -> str:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = next((line for line in head.lower().splitlines() if line.startswith("content-length:")), ":0")
        body = await reader.readexactly(int(length.partition(":")[2]))
        self.heads.append(head + body.decode())
        return head

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parts = self.answer(await self.head(reader))
        for part in [parts] if isinstance(parts, bytes) else parts:
            writer.write(part)
            await writer.drain()
            self.sent += len(part)


class ProxyWire(Wire):
    """An HTTP proxy that leads every CONNECT to `target`, or refuses it with `refusal`."""

    def __init__(self, target: int, refusal: bytes = b"", tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls=tls)
        self._target, self._refusal = target, refusal

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.head(reader)
        if self._refusal:
            writer.write(self._refusal)
            await writer.drain()
            return
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._target)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pipe(reader, to_writer), _pipe(to_reader, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(1 << 16):
            writer.write(part)
            await writer.drain()
    writer.close()


Tls = tuple[Path, ssl.SSLContext]


def certificate(folder: Path) -> Tls:
    """A certificate of its own for api.test and 127.0.0.1, also by its hash in a folder, and what a server needs to use it."""
    key, file = folder / "key.pem", folder / "certificate.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=test", "-addext", f"subjectAltName=DNS:{HOST},IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", *kind, *names, "-keyout", str(key), "-out", str(file)]
    subprocess.run(made, check=True, capture_output=True)
    hashed = ["openssl", "x509", "-hash", "-noout", "-in", str(file)]
    name = subprocess.run(hashed, check=True, capture_output=True, text=True).stdout.strip()
    (folder / "hashed").mkdir()
    (folder / "hashed" / f"{name}.0").write_bytes(file.read_bytes())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file, key)
    return file, server
