"""Pages as received (personal data removed first), compressed, one folder per run and organisation.

A file holds the pages of one list and ends with the proof. It is written beside and renamed when it is whole, and its zstd frame carries
a checksum, so that nobody takes a half-written or damaged file for a whole one. The next run takes over what a run that died had landed.
Nothing here knows what an item means.
"""

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import msgspec
import zstandard

from dcycle_pipeline.api.types import Page, Proof
from dcycle_pipeline.endpoints import YEAR_TOTALS
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.landing.lists import ListKey

FORMAT = 3
LONGEST_PLAIN_NAME = 80
SUFFIX = ".ndjson.zst"
ENDED = "ended.json"
FORGOTTEN = ".forgotten"
_LEVEL = 3
_PROOF = b'{"proof":'


@dataclass(frozen=True)
class Header:
    """What a landed file is about. `source` is all that decides what the same read would give: address, query, policy."""

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
    """What ends a landed file: the proof of a list (null after a single answer), and when it was read."""

    proof: Proof | None
    started_at: datetime
    finished_at: datetime


class Landing:
    """The landed pages of one run below `root`. `merged` says of each organisation which run merged it last, and when."""

    def __init__(
        self, root: Path, run_id: str, source: str = "", merged: Mapping[str, tuple[str, datetime]] | None = None
    ) -> None:
        self.root = root
        self.run_id = run_id
        self._source = source
        self._merged = merged or {}

    def file(self, key: ListKey) -> str:
        """Where the pages of a list land, relative to `root`."""
        return str(self._path(Path(self.run_id), key))

    def path(self, key: ListKey) -> Path:
        """The same as a path."""
        return self.root / self.file(key)

    def _path(self, run: Path, key: ListKey) -> Path:
        part = key.facility_id if key.year is None else str(key.year)
        name = key.endpoint if part is None else f"{key.endpoint}/{_file_name(part)}"
        return organization_folder(run, key.organization_id) / f"{name}{SUFFIX}"

    def write(self, key: ListKey) -> "LandedFile":
        """A new file for one list; use it with `with` and call `finish`."""
        return LandedFile(self.path(key), Header(self.run_id, key, self._source))

    def take_over(self, key: ListKey, since: datetime, until: datetime) -> Trailer | None:
        """The end of the same list as this run, or the latest run that died, landed it within a time; None if there is none.

        The file is then this run's too. What landed before another run merged the organisation is history.
        """
        merged_by, merged_at = self._merged.get(key.organization_id, ("", since))
        found = []
        for run in (self.root / self.run_id, *self._runs_that_died):
            path = self._path(run, key)
            trailer = self._usable(path, key) if path.exists() else None
            known = run.name != merged_by and trailer is not None and trailer.finished_at < merged_at
            if trailer and not known and since <= trailer.finished_at <= until:
                found.append((trailer.finished_at, path, trailer))
        if not found:
            return None
        _, path, trailer = max(found, key=lambda one: one[:2])
        self.link(path, key)
        return trailer

    @cached_property
    def _runs_that_died(self) -> list[Path]:
        return runs_that_died(self.root)

    def link(self, path: Path, key: ListKey) -> bool:
        """Make another run's landed file this run's too; whether it is there."""
        here = self.path(key)
        if path.exists() and path != here:
            here.parent.mkdir(parents=True, exist_ok=True)
            here.unlink(missing_ok=True)
            os.link(path, here)
        return here.exists()

    def _usable(self, path: Path, key: ListKey) -> Trailer | None:
        try:
            header, trailer = _ends(path, key)
        except UnavailableError:
            return None
        same = header.source == self._source and header.format == FORMAT
        return trailer if same and (trailer.proof is None or trailer.proof.proven) else None


def organization_folder(run: Path, organization_id: str) -> Path:
    """The part of a run's folder that belongs to an organisation."""
    return run / _file_name(organization_id)


def runs_that_died(root: Path) -> list[Path]:
    """Folders of runs that never came to an end."""
    return [folder for folder in _runs(root) if not (folder / ENDED).exists()]


def _runs(root: Path) -> list[Path]:
    return [folder for folder in root.glob("[!.]*") if folder.is_dir()]


class LandedFile:
    """The pages of one list being written. Leaving it without `finish` leaves nothing behind."""

    def __init__(self, path: Path, header: Header) -> None:
        self.path = path
        self._header = msgspec.json.encode(header)
        self._beside = path.with_name(path.name + ".part")
        self._finished = False

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._beside.open("wb")
        self.restart()
        return self

    def restart(self) -> None:
        """Forget the pages written so far."""
        self._file.seek(0)
        self._file.truncate()
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        self._stream = compressor.stream_writer(self._file, closefd=False)
        self._stream.write(self._header + b"\n")

    def keep(self, page: Page) -> None:
        """Append one page; `page.payload` holds its clean items as a JSON array."""
        envelope = msgspec.json.encode(page.envelope)
        self._stream.write(b'{"page":%d,"envelope":%b,"items":%b}\n' % (page.number, envelope, page.payload))

    def finish(self, trailer: Trailer) -> None:
        """End the file with its proof and put it in its place."""
        self._stream.write(msgspec.json.encode(trailer) + b"\n")
        self._stream.flush(zstandard.FLUSH_FRAME)
        self._file.close()
        os.replace(self._beside, self.path)
        self._finished = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._finished:
            self._file.close()
            self._beside.unlink(missing_ok=True)


def page_lines(path: Path) -> Iterator[bytes]:
    """The page lines of a whole landed file, without header and proof.

    Raises UnavailableError if the file is not whole.
    """
    previous: bytes | None = None
    for number, line in enumerate(_whole_lines(path)):
        if previous is not None and number > 1:
            yield previous
        previous = line


class _RawPage(msgspec.Struct):
    page: int
    items: list[msgspec.Raw]


def page_items(path: Path) -> Iterator[tuple[int, bytes]]:
    """Every item of a whole landed file as JSON text, with its page. Raises UnavailableError if the file is not whole."""
    for line in page_lines(path):
        page = msgspec.json.decode(line, type=_RawPage)
        for item in page.items:
            yield page.page, bytes(item)


def verify_file(path: Path, key: ListKey) -> None:
    """Raise UnavailableError if a landed file is not whole, or is not of that list."""
    _ends(path, key)


def _ends(path: Path, key: ListKey) -> tuple[Header, Trailer]:
    """The first and the last line of a whole file."""
    first, last = b"", b""
    for last in _whole_lines(path):
        first = first or last
    try:
        header, trailer = _header(first), msgspec.json.decode(last, type=Trailer)
    except msgspec.MsgspecError as error:
        raise UnavailableError(f"Landed file {path} cannot be read: {error}. Delete it and sync again.") from None
    if header.key != key:
        raise UnavailableError(f"Landed file {path} holds another list than its name says. Delete it and sync again.")
    return header, trailer


def _header(line: bytes) -> Header:
    try:
        return msgspec.json.decode(line, type=Header)
    except msgspec.ValidationError:
        old = msgspec.json.decode(line, type=_HeaderOfFormat2)
        return Header(old.run_id, key_of(old.organization_id, old.endpoint, old.scope_id), source="", format=2)


def key_of(organization_id: str, endpoint: str, part: str | None) -> ListKey:
    """The key of a list as layout 2 of the data folder named it: it had one field for a facility or a year."""
    if endpoint in [total.name for total in YEAR_TOTALS] and part is not None:
        return ListKey(organization_id, endpoint, year=int(part))
    return ListKey(organization_id, endpoint, part)


def _whole_lines(path: Path) -> Iterator[bytes]:
    line, proofs = b"", 0
    try:
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
            for line in _split(stream):
                proofs += line.startswith(_PROOF)
                yield line
    except (OSError, zstandard.ZstdError) as error:
        raise UnavailableError(f"Landed file {path} cannot be read: {error}. Delete it and sync again.") from None
    if proofs != 1 or not line.startswith(_PROOF):
        raise UnavailableError(f"Landed file {path} is not whole. Delete it and sync again.")


def _split(stream: zstandard.ZstdDecompressionReader) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(1 << 20):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole


def forget_runs(root: Path, but: Collection[str]) -> None:
    """Delete the landed pages of all runs `but` some.

    Each goes out of sight at once: one that is half deleted, without its end, would look like a run that died.
    """
    forgotten = root / FORGOTTEN
    shutil.rmtree(forgotten, ignore_errors=True)
    for folder in _runs(root):
        if folder.name not in but:
            forgotten.mkdir(exist_ok=True)
            os.replace(folder, forgotten / folder.name)
    shutil.rmtree(forgotten, ignore_errors=True)


def _file_name(identifier: str) -> str:
    """A file name of its own for any id: ids are text of unknown form, and some disks take A for a."""
    plain = quote(identifier, safe="-_").replace(".", "%2E").replace("~", "%7E")
    if 0 < len(plain) <= LONGEST_PLAIN_NAME and plain == identifier.lower():
        return plain
    return (
        f"{plain[:LONGEST_PLAIN_NAME]}~{hashlib.sha256(identifier.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
    )
