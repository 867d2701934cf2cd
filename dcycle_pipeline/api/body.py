"""The body of an answer, read and unpacked up to a bound: 0.1 MB of gzip can hold 600 MB.

How it is packed is seen from its bytes, because gateways send headers that do not fit. What the body says belongs to `responses`.
"""

import zlib

import httpx
import zstandard

ACCEPTED_ENCODINGS = "gzip, deflate, zstd"
LAYERS_AT_MOST = 4  # a gateway may pack what is packed already
MEMBERS_AT_MOST = 10_000  # of a gzip body; 32 MB may hold a million empty ones
# RFC 9659: who sends zstd over HTTP may not ask its reader for a larger window.
LARGEST_ZSTD_WINDOW = 8 << 20
_GZIP, _ZLIB, _ZSTD = b"\x1f\x8b", b"\x78", b"\x28\xb5\x2f\xfd"  # JSON begins with none of them
_PART = 1 << 16  # bytes given to zlib at once: it copies the rest of them at the end of each member
_EITHER_HEADER, _NO_HEADER = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS


class BodyTooLong(Exception):
    """The body is longer than allowed, packed or unpacked."""


async def read_body(response: httpx.Response, most: int) -> bytes:
    """The unpacked body, of at most so many bytes. The response is closed then.

    Raises BodyTooLong, or httpx.DecodingError if it cannot be unpacked.
    """
    parts, length = [], 0
    try:
        async for part in response.aiter_raw():
            parts.append(part)
            if (length := length + len(part)) > most:
                raise BodyTooLong
    finally:
        await response.aclose()
    encoding = response.headers.get("content-encoding", "").lower()
    try:
        return unpacked(b"".join(parts), most, bare_deflate="deflate" in encoding)
    except (zlib.error, zstandard.ZstdError) as error:
        raise httpx.DecodingError(f"the body cannot be unpacked: {error}") from None


def unpacked(body: bytes, most: int, *, bare_deflate: bool = False) -> bytes:
    """The body without the layers that it is packed in; as it is if it is not packed, whatever was said of it.

    >>> unpacked(zlib.compress(b'{"items":[]}'), 100)
    b'{"items":[]}'
    """
    for _ in range(LAYERS_AT_MOST):
        if body.startswith(_ZSTD):
            body = _bounded(_zstd(body, most + 1), most)
        elif body.startswith((_GZIP, _ZLIB)):
            body = _bounded(_inflated(body, most + 1), most)
        elif bare_deflate and not body.lstrip().startswith((b"{", b"[")):
            return _bounded(_bare(body, most + 1), most)
        else:
            break
    return body


def _bounded(body: bytes, most: int) -> bytes:
    if len(body) > most:
        raise BodyTooLong
    return body


def _zstd(body: bytes, most: int) -> bytes:
    reader = zstandard.ZstdDecompressor(max_window_size=LARGEST_ZSTD_WINDOW).stream_reader(
        body, read_across_frames=True
    )
    return reader.read(most)


def _inflated(body: bytes, most: int) -> bytes:
    """At most so many bytes of what is packed with zlib, or with gzip in one member or several. What follows them is ignored."""
    whole, at = bytearray(), 0
    for _ in range(MEMBERS_AT_MOST):
        member = zlib.decompressobj(_EITHER_HEADER)
        while not member.eof and at < len(body) and len(whole) < most:
            part = body[at : at + _PART]
            whole += member.decompress(part, most - len(whole))
            at += len(part) - len(member.unused_data)
        if len(whole) == most:
            return bytes(whole)
        if not member.eof:
            raise zlib.error("it is cut short")
        if not body.startswith(_GZIP, at):
            return bytes(whole)
    raise zlib.error(f"it has more than {MEMBERS_AT_MOST} members")


def _bare(body: bytes, most: int) -> bytes:
    """The same for deflate without a header, which some servers send; the body itself if it is not packed so."""
    try:
        return zlib.decompressobj(_NO_HEADER).decompress(body, most)
    except zlib.error:
        return body
