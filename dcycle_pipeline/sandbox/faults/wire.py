"""What the client sees of a fault. Which request meets it belongs to `matching`."""

import asyncio
import math
from email.utils import formatdate
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dcycle_pipeline.sandbox.faults.matching import Fault
from dcycle_pipeline.sandbox.world.items import encode

JSON, HTML = "application/json", "text/html; charset=utf-8"
MAINTENANCE_PAGE = "<!DOCTYPE html><html><body><h1>Dcycle · mantenimiento en curso</h1></body></html>".encode()
_GATEWAY_PAGE = "<html><head><title>{0} {1}</title></head><body><center><h1>{0} {1}</h1></center></body></html>"
_REFUSALS: dict[str, dict[str, str]] = {
    "401": {"detail": "Invalid API key", "code": "INVALID_API_KEY"},
    "403": {"detail": "Not authorized", "code": "FORBIDDEN"},
    "404": {"code": "NOT_FOUND", "detail": "Not found"},
    "429": {"detail": "Too many requests", "code": "RATE_LIMIT_EXCEEDED"},
    "500": {"detail": "Internal Server Error"},
    "408": {"detail": "Request Timeout"},
    "425": {"detail": "Too Early"},
    "501": {"detail": "Not Implemented"},
}
_GATEWAY = {
    "502": "Bad Gateway",
    "503": "Service Unavailable",
    "504": "Gateway Timeout",
    "520": "Web server is returning an unknown error",
}

# What is not there in the organisation that was asked for; but for the last, not in the API's own words.
NOT_YOURS = "Facility doesn't belong to organization"
_MISSING = {
    "no_route": (404, JSON, encode({"detail": "Not Found"})),
    "404_page": (404, HTML, _GATEWAY_PAGE.format(404, "Not Found").encode()),
    "410": (410, JSON, encode({"detail": "Gone"})),
    "foreign": (403, JSON, encode({"detail": NOT_YOURS, "code": "FACILITY_NOT_BELONG_TO_ORGANIZATION"})),
}
_PASSING = {
    "error_body": (200, JSON, encode({"detail": "The upstream did not answer", "code": "UPSTREAM_ERROR"})),
    "throttled": (403, JSON, encode({"detail": "Request was throttled", "code": "RATE_LIMIT_EXCEEDED"})),
    "throttled_page": (403, HTML, b"<html><title>Access denied</title><p>You are being rate limited</p></html>"),
}


async def answer_with(
    fault: Fault, app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, raw_send: Send, clock: float
) -> None:
    """Answers a request with a fault. The caller watches what goes through `send`; `raw_send` is the connection's own.

    `clock` is the time that the server thinks it is.

    Raises ConnectionResetError if the fault cuts the connection and the server is not uvicorn.
    """
    if fault.kind == "slow":
        await asyncio.sleep(fault.seconds)
        await app(scope, receive, send)
    elif fault.kind == "reset":
        _connection(raw_send).abort()
        await _until_disconnected(receive)
    elif fault.kind in ("truncated", "bad_json"):
        await _cut_short(fault, await _answer_of(app, scope, receive), receive, send, raw_send)
    else:
        status, media_type, body = _whole(fault.kind)
        await _send(send, status, media_type, body, _extra_headers(fault, clock))


def _whole(kind: str) -> tuple[int, str, bytes]:
    if kind in _REFUSALS:
        return int(kind), JSON, encode(_REFUSALS[kind])
    if kind in _GATEWAY:
        return int(kind), HTML, _GATEWAY_PAGE.format(kind, _GATEWAY[kind]).encode()
    if kind == "redirect":
        return 302, HTML, b""
    if kind in _MISSING or kind in _PASSING:
        return (_MISSING | _PASSING)[kind]
    return (200, HTML, MAINTENANCE_PAGE) if kind == "not_json" else (200, JSON, b"")


def _extra_headers(fault: Fault, clock: float) -> list[tuple[bytes, bytes]]:
    if fault.kind == "redirect":
        return [(b"location", fault.location.encode())]
    if fault.retry_after == "seconds":
        return [(b"retry-after", str(fault.retry_after_seconds).encode())]
    if fault.retry_after == "date":
        return [(b"retry-after", formatdate(math.ceil(clock) + fault.retry_after_seconds, usegmt=True).encode())]
    return []


async def _cut_short(fault: Fault, answer: tuple[int, bytes], receive: Receive, send: Send, raw_send: Send) -> None:
    status, body = answer
    half = body[: len(body) // 2]
    if fault.kind == "bad_json":
        await _send(send, status, JSON, half)
        return
    length = [] if fault.chunked else [(b"content-length", str(len(body) + 1).encode())]
    headers = [(b"content-type", JSON.encode()), *length]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": half, "more_body": True})
    _connection(raw_send).close()
    await _until_disconnected(receive)


async def _send(
    send: Send, status: int, media_type: str, body: bytes, extra: list[tuple[bytes, bytes]] | None = None
) -> None:
    headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode()), *(extra or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _answer_of(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[int, bytes]:
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, keep)
    return messages[0]["status"], b"".join(message.get("body", b"") for message in messages)


def _connection(raw_send: Send) -> Any:
    # ASGI cannot cut a connection. uvicorn's `send` is a method of the object that holds the transport.
    cycle = getattr(raw_send, "__self__", None)
    if (transport := getattr(cycle, "transport", None)) is None:
        raise ConnectionResetError("the sandbox cuts this connection")
    return transport


async def _until_disconnected(receive: Receive) -> None:
    # If the application returned earlier, uvicorn would report an answer that never came.
    while (await receive())["type"] != "http.disconnect":
        pass
