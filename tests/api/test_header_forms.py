"""No header that does not matter costs a page, no form of framing or packing changes a value, and nothing else than our errors comes out."""

import asyncio
import gzip
import json
import random
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.errors import DcycleError, TransientError
from dcycle_pipeline.sandbox import Sandbox
from dcycle_pipeline.sandbox.api import app
from dcycle_pipeline.settings import Settings, load
from dcycle_pipeline.sync.clock import wrong_clock
from tests.api.test_bodies import bare, frames, members, plain, stream, zstd
from tests.conftest import ROOT, facilities_of, quick_only, records_of, settings_for, small_world, sync
from tests.wire import Wire

PACKED = {
    plain: ["", "identity", "gzip", "deflate", "br", "zstd", "utf-8", "none", "*", "gzip;q=0", "=?x?="],
    gzip.compress: ["gzip", "GZIP", "x-gzip", "gzip, identity", ",gzip,", "", "deflate", "application/gzip"],
    members: ["gzip", ""],
    zlib.compress: ["deflate", "DEFLATE", "x-deflate", "", "gzip"],
    bare: ["deflate", "Deflate, identity"],
    zstd: ["zstd", "ZSTD", "", "gzip"],
    frames: ["zstd", ""],
    stream: ["zstd", "br"],
}
DATES = [
    "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "now", "0", "-1", "",
    "Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 99 Foo 2025 99:99:99 GMT", "2025-01-01T00:00:00Z",
    "Thu, 01 Jan 99999999999 00:00:00 GMT", "Mon, 01 Jan 2025 00:00:00 +99999999", "Mon, 1 Jan 2025", "1 1 1 1 1 1", "٣", ", , ,",
]  # fmt: skip
LATER = ["0", "1", "-5", "1.5", "1e9", "9" * 400, "٣", "soon", "", "120, 120", "PT1M", "nan", "inf", "0x10", *DATES]
COOKIES = [
    "a=b", "", "=", ";", "a", "=b; Path", "a=b; Expires=never", "a=b; Max-Age=-1", f"a=b; Max-Age={'9' * 400}", "a=b; Port=\"x,y\"",
    "a=b; Version=x", "a=\"b; Path=\\\"", "a=b; Domain=.; Path=x", "a=b; Domain=evil.example", "a=ñ; Secure; HttpOnly; SameSite=?",
    "a=b; Expires=Thu, 01 Jan 99999 00:00:00 GMT", "a=b, c=d; Expires=Mon, 32-Foo-24 99:99:99", "__Host-a=b; Path=/x", "a=b;" * 500,
]  # fmt: skip
TYPES = [
    "application/json", "application/json; charset=utf-8", "application/json; charset=latin-1", "application/json;charset=\"", "", "/",
    "text/html", "application/json; charset=utf-16", "application/json; charset=no-such", "multipart/mixed", "ñ", "a" * 5000, ";;;=",
    "application/json; charset=idna", "application/json; charset=punycode", "application/json; charset=rot13",
]  # fmt: skip
ODD = {
    "Content-Type": TYPES, "Date": DATES, "Retry-After": LATER, "Set-Cookie": COOKIES, "Expires": DATES, "Last-Modified": DATES,
    "Location": ["", "//", "http://[", "/v1/facilities", "https://evil.example:x/", "y" * 8_000, "http:", "//\xff"], "Link": ["<>; rel=next", "<"],
    "WWW-Authenticate": ["Basic", "Digest qop=\"", "", "Bearer"], "Age": LATER, "Vary": ["*", ""], "ETag": ["W/\"", ""],
    "Keep-Alive": ["timeout=x", "max=-1"], "Upgrade": ["h2c", "websocket"], "Alt-Svc": ["clear", "h3=\":99999\""], "Via": ["1.1 ñ"],
    "Content-Range": ["bytes 0-1/2", "x"], "Strict-Transport-Security": ["max-age=-1", "x"], "Trailer": ["x", ""], "Warning": ["299"],
    "Content-MD5": ["x"], "Content-Location": ["http://["], "!#$%&'*+-.^_`|~": ["1"], "x-organization-id": ["other"], "X": ["y" * 8_000],
}  # fmt: skip
ILLEGAL = [
    "X-Odd: a\0b", "X-Odd", "X Odd: 1", ": 1", "X-ñ: 1", "Content-Length: 1", "Content-Length: -1", "Content-Length: x",
    "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: identity", "Content-Length: 99999", "X: " + "y" * 200_000,
]  # fmt: skip
STATUSES = (400, 401, 403, 404, 410, 422, 429, 500, 502, 503, 204, 206, 302, 304, 999)


def page(dice: random.Random) -> bytes:
    items = [
        {"id": f"ñ-{n}", "co2e": dice.random(), "name": "x" * dice.randrange(300)} for n in range(dice.randrange(30))
    ]
    return json.dumps({"items": items, "total": len(items)}, ensure_ascii=dice.random() < 0.5).encode()


def odd_headers(dice: random.Random) -> list[str]:
    lines = []
    for name in dice.choices(list(ODD), k=dice.randrange(6)):
        value, spelled = dice.choice(ODD[name]), dice.choice([name, name.lower(), name.upper()])
        lines += [f"{spelled}:{dice.choice(['', ' ', chr(9)])}{value}"] * dice.choice([1, 1, 2])
    if lines and dice.random() < 0.1:
        lines.append(" folded")
    return lines + [f"X-{n}: {n}" for n in range(dice.choice([0, 0, 0, 90]))]


def framed(dice: random.Random, packed: bytes) -> tuple[list[str], bytes]:
    """The headers that frame a body, and the body in that frame."""
    kind = dice.randrange(5)
    length = f"Content-Length: {len(packed)}"
    if kind == 0:
        return [length, length.upper()] if dice.random() < 0.5 else [f"{length}, {len(packed)}"], packed
    if kind == 1:
        return ["Connection: close"], packed
    if kind == 2:
        extension, parts = dice.choice(["", ";x", ";x=y"]), b""
        step = dice.randrange(1, len(packed) + 2)
        for at in range(0, len(packed), max(step, 50)):
            part = packed[at : at + max(step, 50)]
            parts += f"{len(part):X}{extension}\r\n".encode() + part + b"\r\n"
        trailer = dice.choice(["", "X-Trailer: 1\r\n", "Set-Cookie: a=b\r\n"])
        both = [length] if dice.random() < 0.2 else []
        return ["Transfer-Encoding: chunked", *both], parts + f"0\r\n{trailer}\r\n".encode()
    return [length], packed


def case(dice: random.Random, status: int, body: bytes) -> tuple[bytes, bool]:
    """The bytes of an answer, and whether it keeps the rules of HTTP."""
    pack = dice.choice(list(PACKED))
    encoding = dice.choice(PACKED[pack])
    frame, sent = framed(dice, pack(body))
    lines = [
        *odd_headers(dice),
        *frame,
        *[f"Content-Encoding: {encoding}"] * (2 if encoding and dice.random() < 0.2 else bool(encoding)),
    ]
    legal = dice.random() > 0.1
    if not legal:
        lines.insert(dice.randrange(len(lines) + 1), dice.choice(ILLEGAL))
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" if dice.random() < 0.1 else b""
    first = f"HTTP/1.{dice.choice('11110')} {status} {dice.choice(['OK', '', 'Ça va', 'x' * 500])}"
    return hint + "\r\n".join([first, *lines, "", ""]).encode("latin-1", "replace") + sent, legal


async def asked(settings: Settings, number: int) -> bytes | DcycleError:
    async with DcycleApi(settings) as client:
        try:
            return await client.get("/v1/facilities", (), f"o-{number}", "GET /v1/facilities")
        except DcycleError as error:
            return error
        finally:
            wrong_clock(client.server_date, datetime.now(UTC))


@pytest.mark.parametrize("count", quick_only([60], [60, 3000]))
def test_no_odd_header_costs_a_page_or_changes_a_value(count: int) -> None:
    dice = random.Random(count)

    async def ask_all(wire: Wire) -> Iterator[tuple[Any, ...]]:
        who: dict[str, Any] = {"api_key": "sk_live_headers_0123", "organization_id": ROOT, "retry_attempts": 1}
        settings = load(**who, base_url=f"http://127.0.0.1:{wire.port}")
        told = []
        for number in range(count):
            body, status = page(dice), dice.choice([200, 200, dice.choice(STATUSES)])
            sent, legal = case(dice, status, body)
            wire.answer = lambda _, sent=sent: sent
            told.append((status, legal, body, sent, await asked(settings, number)))
        return iter(told)

    with Wire() as wire:
        for status, legal, body, sent, answer in asyncio.run(ask_all(wire)):
            if status == 200 and legal:
                assert answer == body, sent[:3000]
            elif status == 200:
                assert answer == body or isinstance(answer, TransientError), sent[:3000]
            else:
                assert isinstance(answer, DcycleError)
                assert str(status) in str(answer) or not legal or status == 204, sent[:3000]


@pytest.mark.exhaustive
@pytest.mark.usefixtures("few_summaries")
@pytest.mark.parametrize("seed", [1, 2])
def test_a_sync_over_odd_headers_publishes_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    dice = random.Random(seed)

    def odd(status: int, body: bytes) -> Response:
        pack = dice.choice(list(PACKED))
        response = Response(pack(body), status)
        wanted = [(name, dice.choice(ODD[name])) for name in dice.choices(list(ODD), k=4) if name != "Date"]
        wanted.append(("Content-Encoding", dice.choice(PACKED[pack])))
        response.raw_headers += [(name.encode(), value.encode("latin-1", "replace")) for name, value in wanted]
        return response

    monkeypatch.setattr(app, "_json", odd)
    with Sandbox(small_world()) as sandbox:
        synced = sync(settings_for(sandbox, tmp_path / "data"))
        assert (synced.outcome, synced.quarantined()) == ("published", [])
        assert synced.facilities() == facilities_of(sandbox.world)
        assert synced.records() == records_of(sandbox.world)
