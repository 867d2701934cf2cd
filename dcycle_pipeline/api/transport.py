"""How a request travels: over aiohttp, which takes a third of the processor time, and wherever that would differ, by httpx's own way.

Both send the same bytes, and the same words say what goes wrong. What may travel at all belongs to `connection`; what aiohttp gets to see
of a connection, to `line`.
"""

import logging
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextvars import ContextVar
from typing import NamedTuple

import aiohttp
import httpx
import yarl
from aiohttp.http_exceptions import HttpProcessingError
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream

from dcycle_pipeline.api.line import LONGEST_HEAD, Request, Stale, watch

MOST_HEADERS = 2_000
PART = 1 << 18  # bytes of a body at once: a page of 100 rows in one or two steps
IDLE_SECONDS = 5.0  # for so long an idle connection is kept, as in httpx
_PLAIN = re.compile(rb"(?:[!-~](?:[ -~\t]*[!-~])?)?")  # h11 refuses other values of headers, aiohttp sends them
_log = logging.getLogger(__name__)


def carried(certificates: ssl.SSLContext, proxy: httpx.Proxy | None, at_once: int) -> httpx.AsyncBaseTransport:
    """What carries requests, so many at once. The way through a proxy is httpx's own: it knows every kind.

    Without a proxy that way keeps no connection: h11 too gives an unasked answer to the next request, if both came together.
    """
    own = httpx.AsyncHTTPTransport(
        verify=certificates,
        proxy=proxy,
        limits=httpx.Limits(
            max_connections=at_once,
            max_keepalive_connections=at_once if proxy else 0,
            keepalive_expiry=IDLE_SECONDS,
        ),
        trust_env=False,
    )
    return own if proxy else _Fast(certificates, at_once, own)


class _Unfit(Exception):
    """This request is none for aiohttp. Nothing was sent."""


class _Asked(NamedTuple):
    url: yarl.URL
    headers: list[tuple[str, str]]


_asked: ContextVar[_Asked] = ContextVar("_asked")  # AiohttpTransport lets aiohttp spell URL and headers anew


class _Fast(httpx.AsyncBaseTransport):
    """Over aiohttp; by httpx's own way what aiohttp would send differently, and everything once it could not read a head."""

    def __init__(self, certificates: ssl.SSLContext, at_once: int, own: httpx.AsyncBaseTransport) -> None:
        self._certificates = certificates
        self._at_once = at_once
        self._own = own
        self._fast = AiohttpTransport(verify=certificates, trust_env=False, client=self._session)
        self._reads_heads = True

    def _session(self) -> aiohttp.ClientSession:
        self._certificates.set_alpn_protocols(["http/1.1"])  # as httpcore does
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._at_once,
                ssl=self._certificates,
                keepalive_timeout=IDLE_SECONDS,
                resolver=aiohttp.ThreadedResolver(),  # the system's, also if aiodns is installed
            ),
            cookie_jar=_NoCookies(),
            request_class=Request,
            middlewares=(_as_asked,),
            max_line_size=LONGEST_HEAD,
            max_field_size=LONGEST_HEAD,
            max_headers=MOST_HEADERS,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = _for_aiohttp(request) if self._reads_heads else None
        if asked is None:
            return await self._own.handle_async_request(request)
        _asked.set(asked)
        try:
            response = await self._fast.handle_async_request(request)
        except _Unfit:
            return await self._own.handle_async_request(request)
        except httpx.RemoteProtocolError as error:
            if self._reads_heads and isinstance(error.__cause__, HttpProcessingError):
                self._reads_heads = False
                _log.info("The head of an answer could not be read: what follows is read less strictly, and slower.")
            raise
        assert isinstance(response.stream, AiohttpResponseStream)
        response.stream.CHUNK_SIZE = PART
        response.stream = _Body(response.stream)
        return response

    async def aclose(self) -> None:
        await self._fast.aclose()
        await self._own.aclose()


def _for_aiohttp(request: httpx.Request) -> _Asked | None:
    """The request as aiohttp can send it, or None if that would be other bytes than httpx sends."""
    headers = request.headers.raw
    if not all(_PLAIN.fullmatch(value) for _, value in headers):
        return None
    try:
        url = yarl.URL(str(request.url), encoded=True)
    except ValueError:
        return None
    if url.raw_path_qs.encode() != request.url.raw_path or url.raw_host != request.url.host:
        return None
    return _Asked(url, [(name.decode(), value.decode()) for name, value in headers])


async def _as_asked(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send the very bytes of the request, once.

    No error of aiohttp leaves this place: after some of them aiohttp sends the request again by itself, and nobody would count it.
    """
    request.url, headers = _asked.get()
    request.headers.clear()
    request.headers.extend(headers)
    while True:
        try:
            response = await handler(request)
        except Stale:
            continue
        except aiohttp.InvalidURL:
            raise _Unfit from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _before_body(error) from error.__cause__ or error  # the cause knows of certificates
        if response.status < 200:
            response.close()
            raise httpx.RemoteProtocolError(f"{response.status} is no answer")
        response.reason = ascii(response.reason or "")[1:-1]  # it may hold bytes that are no text
        watch(response)
        return response


def _before_body(error: Exception) -> httpx.TransportError:
    match error:
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout("")
        case TimeoutError():
            return httpx.ReadTimeout("")
        case aiohttp.ClientConnectorError(os_error=why):
            return httpx.ConnectError(str(why))
        case aiohttp.ServerDisconnectedError():
            return httpx.RemoteProtocolError("Server disconnected without sending a response.")
        case OSError():
            return httpx.ReadError(str(error))
        case _:
            # The bytes are not shown: half of a secret would not be found in them.
            return httpx.RemoteProtocolError("the head of the answer is not HTTP")


class _Body(httpx.AsyncByteStream):
    """A body, with httpx's words for what may go wrong on the way."""

    def __init__(self, inner: httpx.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._inner:
                yield part
        except (httpx.ReadError, httpx.ConnectError, httpx.ConnectTimeout, aiohttp.ClientError) as error:
            raise _in_body(error.__cause__ or error) from error

    async def aclose(self) -> None:
        await self._inner.aclose()


def _in_body(error: BaseException) -> httpx.TransportError:
    match error:
        case aiohttp.ClientPayloadError(__cause__=HttpProcessingError(message=why)):
            return httpx.RemoteProtocolError(f"peer closed connection without sending complete message body ({why})")
        case aiohttp.ClientPayloadError():
            return httpx.RemoteProtocolError(str(error))
        case _:
            return httpx.ReadError(str(error))


class _NoCookies(aiohttp.DummyCookieJar):
    """Does not read them either: aiohttp would log the names of odd ones."""

    def update_cookies_from_headers(self, headers: Sequence[str], response_url: yarl.URL) -> None:
        pass
