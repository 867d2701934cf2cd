"""A connection as aiohttp should see it: nothing unasked, no broken body that seems to go on, no head that tells its length twice.

What is sent, and what a fault is called, belongs to `transport`.
"""

import asyncio
import re
import select
from math import inf

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError

LONGEST_HEAD = 100 * 1024  # bytes, as in httpcore
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_INTERIM = re.compile(rb"HTTP/1\.[01] 1")
_FRAMING = re.compile(rb"(?im)^(content-length|transfer-encoding):[ \t]*([^\r\n]*)\r?\n")
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*([0-9]{1,18})[ \t]*\r?$")
_CHUNKED = re.compile(rb"(?im)^transfer-encoding:")


class Stale(Exception):
    """A kept connection is of no use any more. Nothing was sent."""


class Request(aiohttp.ClientRequest):
    """Goes over a connection that has brought nothing since its last answer. Raises Stale, as httpcore drops such a connection too."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        transport, handler = conn.transport, conn.protocol
        if transport is None or handler is None:
            raise Stale
        line = transport.get_protocol()
        if not isinstance(line, _Line):
            line = _Line(handler, transport)
            transport.set_protocol(line)
        elif handler.should_close or _has_news(transport):
            raise Stale
        line.ask()
        conn.add_callback(line.rest)
        return await super().send(conn)


def watch(response: aiohttp.ClientResponse) -> None:
    """From now on a body that breaks is known to be broken."""
    transport = response.connection and response.connection.transport
    if transport and isinstance(line := transport.get_protocol(), _Line):
        line.watch(response.content)


def _has_news(transport: asyncio.Transport) -> bool:
    """Whether an idle connection brings anything that the event loop has not seen: its end, or an answer to nothing."""
    poll = select.poll()
    poll.register(transport.get_extra_info("socket"), select.POLLIN)
    return bool(poll.poll(0))


class _Line(asyncio.Protocol):
    """Stands between a connection and aiohttp's handler of it.

    aiohttp gives what comes unasked to the next request, waits for a body after a chunk that is none, and ends a body without a length
    well when the connection was reset.
    """

    def __init__(self, handler: ResponseHandler, transport: asyncio.Transport) -> None:
        self._handler = handler
        self._transport = transport
        self._is_asked = False
        self._is_in_body = False
        self._head = b""
        self._left = inf  # bytes of the body, if the head says how many there are
        self._body: aiohttp.StreamReader | None = None

    def ask(self) -> None:
        self._is_asked, self._is_in_body, self._head, self._body = True, False, b"", None

    def watch(self, body: aiohttp.StreamReader) -> None:
        self._body = body
        self._break(self._handler.exception())

    def rest(self) -> None:
        self._is_asked, self._body = False, None

    def data_received(self, data: bytes) -> None:
        if not self._is_asked:
            self._transport.abort()
            return
        if not self._is_in_body:
            data = self._without_head(data)
        if data:
            self._left -= len(data)
            if self._left < 0:  # said before the body is over, because then the connection is free at once
                self._handler.force_close()
            self._handler.data_received(data)
        self._break(self._handler.exception())

    def eof_received(self) -> None:
        self._handler.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._break(exc and aiohttp.ClientOSError(*exc.args))
        self._handler.connection_lost(exc)

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()

    def _without_head(self, data: bytes) -> bytes:
        """The head goes ahead, in one piece: of a head that comes together with a broken body aiohttp tells nothing."""
        data, self._head = self._head + data, b""
        while end := _END_OF_HEAD.search(data):
            head, data = data[: end.end()], data[end.end() :]
            head = framed_once(head)
            self._handler.data_received(head)
            if not _INTERIM.match(head):
                self._is_in_body = True
                self._left = _length(head)
                return data
        if len(data) > LONGEST_HEAD:
            self._handler.set_exception(HttpProcessingError(message="the head is too long"))
            self._transport.abort()
        else:
            self._head = data
        return b""

    def _break(self, error: BaseException | None) -> None:
        if error is None or self._body is None or self._body.is_eof() or self._body.exception():
            return
        if isinstance(
            error, HttpProcessingError
        ):  # it quotes what the server said, and half of a secret would not be found there
            error = aiohttp.ClientPayloadError("the body of the answer is not framed as HTTP wants it")
        self._body.set_exception(error)


def _length(head: bytes) -> float:
    length = _LENGTH.search(head)
    return int(length[1]) if length and not _CHUNKED.search(head) else inf


def framed_once(head: bytes) -> bytes:
    """The head with one word on where the body ends, as h11 reads it. aiohttp refuses several, also if they agree.

    >>> framed_once(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5, 5\\r\\nX: y\\r\\n\\r\\n")
    b'HTTP/1.1 200 OK\\r\\nX: y\\r\\nContent-Length: 5\\r\\n\\r\\n'
    """
    found = _FRAMING.findall(head)
    if len(found) == 1 and b"," not in found[0][1]:
        return head
    lengths = {part.strip() for name, value in found if name.lower() == b"content-length" for part in value.split(b",")}
    codings = [value.lower().strip() for name, value in found if name.lower() != b"content-length"]
    if len(lengths) != 1 or not max(lengths).isdigit() or codings not in ([], [b"chunked"]):
        return head
    framing = b"Transfer-Encoding: chunked" if codings else b"Content-Length: " + lengths.pop()
    return _FRAMING.sub(b"", head).rstrip() + b"\r\n" + framing + b"\r\n\r\n"
