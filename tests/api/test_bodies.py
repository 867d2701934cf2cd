"""Bodies packed in any way are read, and one that is too long, packed or unpacked, is one clear error of its list."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import zstandard
from starlette.responses import Response

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.errors import ContractError, DcycleError, NotFoundError, TransientError
from dcycle_pipeline.sandbox import Sandbox
from dcycle_pipeline.sandbox.api import app
from dcycle_pipeline.settings import load
from tests.conftest import ROOT, settings_for, small_world, sync
from tests.wire import Wire, http

MB = 1 << 20
BODY = b'{"items":[' + b'{"id":"f-1"},' * 500 + b'{"id":"f-2"}],"total":501}'
Pack = Callable[[bytes], bytes]


def bare(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def members(body: bytes) -> bytes:
    return b"".join(gzip.compress(body[at : at + 1000]) for at in range(0, len(body), 1000))


def frames(body: bytes) -> bytes:
    return b"".join(zstd(body[at : at + 1000]) for at in range(0, len(body), 1000))


def stream(body: bytes) -> bytes:
    """zstd that does not say how long it is."""
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    return packer.compress(body) + packer.flush()


def plain(body: bytes) -> bytes:
    return body


def zstd(body: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(body)


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with Wire() as running:
        yield running


def get(wire: Wire, **overrides: Any) -> bytes:
    usual: dict[str, Any] = {"api_key": "sk_live_bodies_0123", "retry_attempts": 3, "max_body_mb": 1}
    where = {"organization_id": ROOT, "base_url": f"http://127.0.0.1:{wire.port}", "retry_first_wait_seconds": 0}
    wire.heads.clear()
    wire.sent = 0

    async def once() -> bytes:
        async with DcycleApi(load(**usual | where | overrides)) as api:
            return await api.get("/v1/facilities", (), ROOT, "GET /v1/facilities (facility f, page 7)")

    return asyncio.run(once())


@pytest.mark.parametrize(
    ("pack", "headers"),
    [
        (gzip.compress, ["Content-Encoding: gzip"]),
        (gzip.compress, ["Content-Encoding: X-GZip"]),
        (gzip.compress, ["Content-Encoding: gzip", "Content-Encoding: gzip"]),
        (gzip.compress, ["Content-Encoding: gzip, identity,"]),
        (gzip.compress, ["Content-Encoding: utf-8"]),
        (gzip.compress, ["Content-Encoding: deflate"]),
        (gzip.compress, []),
        (lambda body: gzip.compress(body) + b"\0\0rest", ["Content-Encoding: gzip"]),
        (members, ["Content-Encoding: gzip"]),
        (lambda body: gzip.compress(gzip.compress(body)), ["Content-Encoding: gzip"]),
        (lambda body: zstd(gzip.compress(zlib.compress(body))), ["Content-Encoding: deflate, gzip, zstd"]),
        (zlib.compress, ["Content-Encoding: deflate"]),
        (zlib.compress, ["Content-Encoding: gzip"]),
        (bare, ["content-encoding: Deflate"]),
        (zstd, ["Content-Encoding: zstd"]),
        (frames, ["Content-Encoding: zstd"]),
        (stream, []),
        *((plain, [f"Content-Encoding: {name}"]) for name in ("gzip", "deflate", "zstd", "br", "identity", "utf-8", "")),
    ],
)  # fmt: skip
def test_a_body_is_read_however_it_is_packed_and_whatever_its_header_says(
    wire: Wire, pack: Pack, headers: list[str]
) -> None:
    wire.answer = lambda _: http(pack(BODY), *headers)
    assert get(wire) == BODY
    assert "accept-encoding: gzip, deflate, zstd" in wire.heads[0].lower()


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, zstd, members], ids=lambda pack: pack.__name__)
def test_a_packed_body_that_is_cut_or_damaged_is_asked_for_again(wire: Wire, pack: Pack) -> None:
    whole = pack(BODY)
    damaged = bytearray(whole)
    damaged[len(damaged) // 2] ^= 0xFF
    answers = iter([http(whole[: len(whole) // 2]), http(bytes(damaged)), http(whole)])
    wire.answer = lambda _: next(answers)
    assert get(wire) == BODY


@cache
def bomb(pack: Pack) -> bytes:
    return pack(b'{"items":[' + b" " * (20 * MB) + b"]}")


def endless() -> Iterator[bytes]:
    yield http(b"", "Transfer-Encoding: chunked")
    while True:
        yield b"10000\r\n" + b" " * 0x10000 + b"\r\n"


def announced() -> Iterator[bytes]:
    yield http(b"", "Content-Length: 99999999999")
    while True:
        yield b" " * 0x10000


def unframed() -> Iterator[bytes]:
    yield b"HTTP/1.0 200 OK\r\n\r\n"
    while True:
        yield b" " * 0x10000


TOO_LONG: dict[str, Callable[[], Any]] = {
    "gzip": lambda: http(bomb(gzip.compress), "Content-Encoding: gzip"),
    "gzip twice": lambda: http(gzip.compress(bomb(gzip.compress)), "Content-Encoding: gzip, gzip"),
    "gzip, said to be none": lambda: http(bomb(gzip.compress)),
    "deflate": lambda: http(bomb(zlib.compress), "Content-Encoding: deflate"),
    "bare deflate": lambda: http(bomb(bare), "Content-Encoding: deflate"),
    "zstd": lambda: http(bomb(zstd), "Content-Encoding: zstd"),
    "zstd stream": lambda: http(bomb(stream), "Content-Encoding: zstd"),
    "zstd, window of 2 GB": lambda: http(
        b"\x28\xb5\x2f\xfd\x00\xa8" + b"\xfd\xff\x7f\x00" * 3, "Content-Encoding: zstd"
    ),
    "many members": lambda: http(gzip.compress(b" " * 1000) * 2000, "Content-Encoding: gzip"),
    "chunked": endless,
    "announced": announced,
    "without an end": unframed,
}


@pytest.mark.parametrize("body", [b"<html>Mantenimiento de la pl\xe1taforma %s</html>", b'{"items": [%s}'])
def test_what_nobody_can_read_is_described_without_a_secret(body: bytes) -> None:
    key = "sk_live_bodies_0123"
    sent = body % key.encode()
    with (
        Wire(lambda _: http(sent, "Content-Type: text/html; charset=latin-1")) as server,
        pytest.raises(TransientError) as raised,
    ):
        get(server)
    said = str(raised.value)
    assert "text/html; charset=latin-1" in said
    assert f"{len(sent)} bytes, begins with" in said
    assert ("Mantenimiento" in said) == body.startswith(b"<")
    assert key not in said


@pytest.mark.quick(5)
@pytest.mark.parametrize("form", TOO_LONG)
def test_a_body_that_is_too_long_is_told_once_and_costs_little(wire: Wire, form: str) -> None:
    answer = TOO_LONG[form]()
    wire.answer = lambda _: answer
    tracemalloc.start()
    try:
        with pytest.raises(DcycleError) as caught:
            get(wire)
        assert tracemalloc.get_traced_memory()[1] < 8 * MB
    finally:
        tracemalloc.stop()
    if form == "zstd, window of 2 GB":  # refused before it is known how long it is
        assert isinstance(caught.value, TransientError)
        return
    assert type(caught.value) is ContractError
    assert "GET /v1/facilities (facility f, page 7): the body is longer than 1 MB" in str(caught.value)
    assert "DCYCLE_MAX_BODY_MB" in str(caught.value)
    assert len(wire.heads) == 1


def test_a_body_up_to_the_bound_is_read(wire: Wire) -> None:
    body = BODY + b" " * (MB - len(BODY))
    for pack in (plain, gzip.compress, zstd):
        wire.answer = lambda _, pack=pack: http(pack(body))
        assert get(wire) == body
        wire.answer = lambda _, pack=pack: http(pack(body + b" "))
        with pytest.raises(ContractError, match="DCYCLE_MAX_BODY_MB"):
            get(wire)
        assert get(wire, max_body_mb=2) == body + b" "


def test_a_login_that_never_ends_is_told_once(wire: Wire) -> None:
    wire.answer = lambda _: endless()
    login = {"api_key": None, "auth": "bearer", "email": "x@example.org", "password": "word"}
    with pytest.raises(ContractError, match="POST /auth/login: the body is longer than 1 MB"):
        get(wire, max_body_mb=100, **login)
    assert len(wire.heads) == 1


@pytest.mark.quick(3)
@pytest.mark.parametrize(
    ("status", "kind", "tries"), [(500, TransientError, 3), (404, NotFoundError, 1), (302, ContractError, 1)]
)
@pytest.mark.parametrize("form", ["chunked", "gzip"])
def test_the_body_of_an_error_decides_nothing_by_its_length(
    wire: Wire, status: int, kind: type[DcycleError], tries: int, form: str
) -> None:
    def answer(_: str) -> Iterator[bytes]:
        parts = iter([whole]) if isinstance(whole := TOO_LONG[form](), bytes) else whole
        yield next(parts).replace(b" 200 ", b" %d " % status)
        yield from parts

    wire.answer = answer
    with pytest.raises(kind, match=str(status)) as caught:
        get(wire)
    assert type(caught.value) is kind
    assert len(wire.heads) == tries


@pytest.mark.exhaustive
@pytest.mark.usefixtures("few_summaries")
def test_a_list_that_is_too_long_is_unproven_and_the_rest_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = app._json

    def padded(status: int, body: bytes) -> Response:
        if b'"facility_id":"f-old"' not in body:
            return answer(status, body)
        return Response(gzip.compress(body + b" " * 2 * MB), status, {"content-encoding": "gzip"})

    monkeypatch.setattr(app, "_json", padded)
    with Sandbox(small_world()) as sandbox:
        synced = sync(settings_for(sandbox, tmp_path / "data", max_body_mb=1))
    ((key, (outcome, reason)),) = synced.unproven_lists().items()
    assert (synced.outcome, key[2], outcome) == ("published_with_gaps", "f-old", "unproven")
    assert "DCYCLE_MAX_BODY_MB" in reason
    assert len(synced.records()) == 134
