"""What a landed file holds, and how to read one: the pages of one list without personal data, ended by the proof.

Each line is JSON: a header, the pages, a trailer. The zstd frames around them carry checksums, so that nobody takes a
half-written or damaged file for a whole one. The pages have a frame of their own, so that another file can take
them over. Writing files belongs to `files`; what an item means, to `warehouse`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import zstandard

from dcycle_pipeline.api.fingerprint import Fingerprint
from dcycle_pipeline.api.types import Proof
from dcycle_pipeline.endpoints import YEAR_TOTALS
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.landing.lists import ListKey

FORMAT = 3
_READ_AT_ONCE = 1 << 20  # bytes of decompressed text: bounds the memory, whatever the size of the file
_PROOF, _PAGE = b'{"proof":', b'{"page":'


@dataclass(frozen=True)
class Header:
    """What a landed file is about. `source` stands for all that decides what a read gives: address, query, policy."""

    run_id: str
    key: ListKey
    source: str
    format: int = FORMAT


@dataclass(frozen=True)
class _HeaderOfFormat2:
    run_id: str
    organization_id: str
    endpoint: str
    scope_id: str | None


@dataclass(frozen=True)
class Trailer:
    """What ends a landed file: the proof of a list (null after a single answer), when it was read, and its fingerprint."""

    proof: Proof | None
    started_at: datetime
    finished_at: datetime
    fingerprint: Fingerprint | None = None


class RawPage(msgspec.Struct):
    """A page as landed: its number, and each item as JSON text."""

    page: int
    items: list[msgspec.Raw]


_raw_page = msgspec.json.Decoder(RawPage)


def page_lines(path: Path) -> Iterator[bytes]:
    """The page lines of a landed file, as JSON text, without header and proof.

    Raises UnavailableError if the file is not whole.
    """
    previous: bytes | None = None
    for number, line in enumerate(_whole_lines(path)):
        if previous is not None and number > 1:
            yield previous
        previous = line


def raw_page(line: bytes) -> RawPage:
    """The page that a page line holds. Raises DecodeError if the line is not one."""
    return _raw_page.decode(line)


def page_items(path: Path) -> Iterator[tuple[int, bytes]]:
    """Every item of a landed file: the number of its page, and its JSON text. Raises UnavailableError if the file is not whole."""
    for line in page_lines(path):
        page = raw_page(line)
        for item in page.items:
            yield page.page, bytes(item)


def verify_file(path: Path, key: ListKey) -> None:
    """Raise UnavailableError if a landed file is not whole, or if it holds another list."""
    first_and_last(path, key)


def first_and_last(path: Path, key: ListKey) -> tuple[Header, Trailer]:
    """The header and the trailer of a landed file. Raises UnavailableError as `verify_file` does."""
    header, trailer = _ends_of(path)
    if header.key != key:
        raise UnavailableError(f"Landed file {path} holds another list than its name says. Delete it and sync again.")
    return header, trailer


def finished_at(path: Path) -> datetime | None:
    """When the list in a landed file was read; None if the file is not whole."""
    try:
        return _ends_of(path)[1].finished_at
    except UnavailableError:
        return None


def _ends_of(path: Path) -> tuple[Header, Trailer]:
    first, last = b"", b""
    for line in _whole_lines(path):
        if first and last and not (last.startswith(_PAGE) and last.endswith(b"}")):
            # A run that broke a page into several lines died of it; nobody takes that over.
            raise UnavailableError(f"Landed file {path} holds a page that is not one line. Delete it and sync again.")
        first, last = first or line, line if first else b""
    try:
        return _header(first), msgspec.json.decode(last, type=Trailer)
    except msgspec.MsgspecError as error:
        raise UnavailableError(f"Landed file {path} cannot be read: {error}. Delete it and sync again.") from None


def _header(line: bytes) -> Header:
    try:
        return msgspec.json.decode(line, type=Header)
    except msgspec.ValidationError:
        old = msgspec.json.decode(line, type=_HeaderOfFormat2)
        return Header(old.run_id, key_of(old.organization_id, old.endpoint, old.scope_id), source="", format=2)


def key_of(organization_id: str, endpoint: str, part: str | None) -> ListKey:
    """The key of a list as layout 2 of the data folder named it: one field `part` held a facility or a year."""
    if endpoint in [total.name for total in YEAR_TOTALS] and part is not None:
        return ListKey(organization_id, endpoint, year=int(part))
    return ListKey(organization_id, endpoint, part)


def _whole_lines(path: Path) -> Iterator[bytes]:
    line, proofs = b"", 0
    try:
        with (
            path.open("rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as stream,
        ):
            for line in _split(stream):
                proofs += line.startswith(_PROOF)
                yield line
    except (OSError, zstandard.ZstdError) as error:
        raise UnavailableError(f"Landed file {path} cannot be read: {error}. Delete it and sync again.") from None
    if proofs != 1 or not line.startswith(_PROOF):
        raise UnavailableError(f"Landed file {path} is not whole. Delete it and sync again.")


def _split(stream: zstandard.ZstdDecompressionReader) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(_READ_AT_ONCE):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
