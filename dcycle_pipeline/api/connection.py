"""The connections to the one host: certificates, the proxy on the way, nothing but reads, bodies within their bound.

Which credential goes along, and when to try again, belongs to `client`.
"""

import os
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from dcycle_pipeline.api.auth import LOGIN_PATH
from dcycle_pipeline.api.body import ACCEPTED_ENCODINGS, BodyTooLong, read_body
from dcycle_pipeline.api.transport import carried
from dcycle_pipeline.api.types import Query
from dcycle_pipeline.errors import ContractError, DcycleError, SettingsError, TransientError
from dcycle_pipeline.settings import Settings

BROKEN = (httpx.TransportError, httpx.DecodingError)
MB = 1 << 20
SMALL_BODY_MB = 1  # an error or a token has a few hundred bytes, and errors are asked for again
LARGEST_PORT = 65535
LONGEST_REASON = 200  # characters: h11 quotes a whole header line, which may have 100 KB
# httpx must not see these: the body is unpacked, no cookie may travel from one credential to another, and a redirect is not followed.
# Of an odd cookie or location it makes an error instead of an answer.
_KEPT_BACK = (b"content-encoding", b"set-cookie", b"location")
_ALWAYS = {
    "accept": "application/json",
    "accept-encoding": ACCEPTED_ENCODINGS,
    "connection": "keep-alive",
    "user-agent": f"python-httpx/{httpx.__version__}",
}
_REFUSED = re.compile("4(?!08|29)[0-9]{2}")  # statuses of a proxy that do not pass by themselves


class Connections:
    """A pool of connections to the host of DCYCLE_BASE_URL; use it with `async with`.

    It does of httpx's client what these requests need: no cookies, no redirects, no headers to merge. That is a sixth of the processor
    time of a request. Raises SettingsError for a proxy or certificates that cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        certificates = trusted_certificates(settings)
        transport = carried(certificates, _proxy(settings, certificates), settings.max_connections)
        self._transport = _OnlyReads(transport, httpx.URL(settings.base_url), settings.max_body_mb)
        self._timeout = httpx.Timeout(settings.request_seconds).as_dict()

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(kind, error, trace)

    async def get(
        self, url: str, query: Query, headers: dict[str, str], *, auth: httpx.Auth, where: str
    ) -> httpx.Response:
        """The answer to a GET, its body read. `where` says for messages what is asked for. Raises one of BROKEN, or a DcycleError."""
        asked = httpx.Request(
            "GET",
            httpx.URL(url, params=query),
            headers=_ALWAYS | headers,
            extensions={"timeout": self._timeout, "where": where},
        )
        flow = auth.async_auth_flow(asked)
        try:
            asked = await anext(flow)
            while True:
                response = await self._transport.handle_async_request(asked)
                response.request = asked
                asked = await flow.asend(response)
        except StopAsyncIteration:
            return response
        finally:
            await flow.aclose()


def trusted_certificates(settings: Settings) -> ssl.SSLContext:
    """What certificates are checked against. Raises SettingsError if SSL_CERT_FILE or SSL_CERT_DIR cannot be used."""
    if not settings.address.is_encrypted:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody: to load certificates takes 30 ms
    file, folders = settings.certificates
    if folders and not file and not any(Path(folder).is_dir() for folder in folders.split(os.pathsep)):
        raise SettingsError(f"SSL_CERT_DIR {folders} is not a folder: correct or unset it.")
    try:
        if file or folders:
            return ssl.create_default_context(cafile=file or None, capath=folders or None)
        return httpx.create_ssl_context(trust_env=False)
    except OSError as error:  # ssl.SSLError is one too
        raise SettingsError(
            f"SSL_CERT_FILE {file} cannot be read as certificates: {error.strerror or error}. Correct or unset it."
        ) from None


def way(settings: Settings) -> str:
    """How requests reach the API, for people: the proxy without its password, and the variable that names it; else empty."""
    if (proxy := _proxy(settings)) is None or settings.proxy is None:
        return ""
    port = f":{proxy.url.port}" if proxy.url.port else ""
    return f"through the proxy {proxy.url.scheme}://{proxy.url.host}{port} ({settings.proxy.variable})"


def _proxy(settings: Settings, certificates: ssl.SSLContext | None = None) -> httpx.Proxy | None:
    if (named := settings.proxy) is None:
        return None
    try:
        proxy = httpx.Proxy(named.url)
        if not proxy.url.host or (proxy.url.port or 0) > LARGEST_PORT:
            raise ValueError
    except (ValueError, httpx.InvalidURL):  # which show the text, and it may hold a password
        raise SettingsError(
            f"{named.variable} must look like http://proxy.example:3128: correct or unset it."
        ) from None
    if proxy.url.scheme.startswith("socks") and not find_spec("socksio"):
        raise SettingsError(f"{named.variable} is a SOCKS proxy: install `httpx[socks]`, or name an HTTP proxy.")
    if proxy.url.scheme == "https":
        proxy.ssl_context = certificates
    return proxy


class _OnlyReads(httpx.AsyncBaseTransport):
    """Lets GET and the login pass to the configured host, and refuses everything else before a byte leaves the process.

    What comes back is read up to its bound, and unpacked.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, base_url: httpx.URL, most_mb: int) -> None:
        self._inner = inner
        self._base = base_url
        self._most_mb = most_mb

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        same_host = (url.scheme, url.host, url.port) == (self._base.scheme, self._base.host, self._base.port)
        login = request.method == "POST" and url.path == self._base.path.rstrip("/") + LOGIN_PATH
        if not same_host or (request.method != "GET" and not login):
            raise ContractError(
                f"Refused to send {request.method} to {url.host}: only GET to {self._base.host} leaves this process."
            )
        response = await self._inner.handle_async_request(request)
        body = await self._body(response, request, SMALL_BODY_MB if login else self._most_mb)
        headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _KEPT_BACK]
        told = {name: response.headers.get(name, "") for name in ("content-encoding", "location")} | response.extensions
        return httpx.Response(response.status_code, headers=headers, content=body, extensions=told)

    async def _body(self, response: httpx.Response, request: httpx.Request, most_mb: int) -> bytes:
        if response.status_code != 200:
            with suppress(BodyTooLong, httpx.DecodingError):  # the status says enough
                return await read_body(response, SMALL_BODY_MB * MB)
            return b""
        try:
            return await read_body(response, most_mb * MB)
        except BodyTooLong:
            where = request.extensions.get("where", f"{request.method} {request.url.path}")
            raise ContractError(
                f"{where}: the body is longer than {most_mb} MB, unpacked. If it may be, raise DCYCLE_MAX_BODY_MB."
            ) from None

    async def aclose(self) -> None:
        await self._inner.aclose()


def failure(error: Exception, where: str, settings: Settings, mask: Callable[[str], str]) -> DcycleError:
    """What one of `BROKEN` means. `where` begins the message; `mask` takes the secrets out of what libraries say."""
    host, by = settings.address.host, f" {way(settings)}".rstrip()
    if isinstance(error, httpx.ProxyError) and str(error).startswith("407"):
        return ContractError(
            f"{where}: the proxy demands a user and a password, or refuses those that it got. The request went{by}: "
            "write http://user:password@… there."
        )
    if isinstance(error, httpx.ProxyError) and _REFUSED.match(str(error)):
        return ContractError(
            f"{where}: no way to {host}{by}: {mask(str(error))}. Ask who runs the proxy, or use NO_PROXY."
        )
    if problem := _certificate_problem(error):
        return ContractError(
            f"{where}: the certificate of {host}{by} is not trusted: {problem}. Check DCYCLE_BASE_URL and the clock, "
            "or name the certificates of your network in SSL_CERT_FILE."
        )
    text = mask(str(error).strip())[:LONGEST_REASON]
    return TransientError(f"{where}{by}: {type(error).__name__}{f': {text}' if text else ''}.")


def _certificate_problem(error: BaseException | None) -> str:
    while error:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return ""
