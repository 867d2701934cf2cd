"""Pages as received (personal data removed first), compressed, one folder per run and organisation.

A file holds the pages of one walk and ends with its proof; it is written beside and renamed when it is whole, and its
zstd frame carries a checksum, so that a half-written or damaged file can never be taken for a whole one. What a run that
died had landed is taken over by the next one. Nothing here knows what an item means.
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
from dcycle_pipeline.errors import UnavailableError

FORMAT = 2
LONGEST_PLAIN_NAME = 80
SUFFIX = ".ndjson.zst"
ENDED = "ended.json"
FORGOTTEN = ".forgotten"
_LEVEL = 3
_PROOF = b'{"proof":'


@dataclass(frozen=True)
class Header:
    """What a landed file is about. `source` is all that decides what the same walk would give: address, query, policy."""

    run_id: str
    organization_id: str
    endpoint: str
    scope_id: str | None
    source: str
    format: int = FORMAT


@dataclass(frozen=True)
class Walked:
    """What ends a landed file: the proof, and when the walk was."""

    proof: Proof
    started_at: datetime
    finished_at: datetime


class Landing:
    """The landed pages of one run below `root`. `settled` is which run settled an organisation last, and when."""

    def __init__(
        self, root: Path, run_id: str, source: str = "", settled: Mapping[str, tuple[str, datetime]] | None = None
    ) -> None:
        self._root = root
        self.run_id = run_id
        self._source = source
        self._settled = settled or {}

    def path(self, organization_id: str, endpoint: str, scope_id: str | None) -> Path:
        return self._path(self._root / self.run_id, organization_id, endpoint, scope_id)

    def _path(self, run: Path, organization_id: str, endpoint: str, scope_id: str | None) -> Path:
        folder = organization_folder(run, organization_id)
        name = endpoint if scope_id is None else f"{endpoint}/{_file_name(scope_id)}"
        return folder / f"{name}{SUFFIX}"

    def write(self, organization_id: str, endpoint: str, scope_id: str | None) -> "LandedFile":
        """A new file for one walk; use it with `with` and call `finish`."""
        header = Header(self.run_id, organization_id, endpoint, scope_id, self._source)
        return LandedFile(self.path(organization_id, endpoint, scope_id), header)

    def take_over(
        self, organization_id: str, endpoint: str, scope_id: str | None, since: datetime, until: datetime
    ) -> Walked | None:
        """The same walk as this run, or the latest run that died, has landed it in a time; None where there is none.

        The file is then this run's too. What landed before another run settled the organisation is history.
        """
        settled_by, settled_at = self._settled.get(organization_id, ("", since))
        found = []
        for run in (self._root / self.run_id, *self._runs_that_died):
            path = self._path(run, organization_id, endpoint, scope_id)
            walked = self._usable(path, (organization_id, endpoint, scope_id)) if path.exists() else None
            known = run.name != settled_by and walked is not None and walked.finished_at < settled_at
            if walked and not known and since <= walked.finished_at <= until:
                found.append((walked.finished_at, path, walked))
        if not found:
            return None
        _, path, walked = max(found, key=lambda one: one[:2])
        self.link(path, organization_id, endpoint, scope_id)
        return walked

    @cached_property
    def _runs_that_died(self) -> list[Path]:
        return runs_that_died(self._root)

    def link(self, path: Path, organization_id: str, endpoint: str, scope_id: str | None) -> bool:
        """Make another run's landed file this run's too; whether it is there."""
        here = self.path(organization_id, endpoint, scope_id)
        if path.exists() and path != here:
            here.parent.mkdir(parents=True, exist_ok=True)
            here.unlink(missing_ok=True)
            os.link(path, here)
        return here.exists()

    def _usable(self, path: Path, scope: tuple[str, str, str | None]) -> Walked | None:
        try:
            header, walked = _ends(path, scope)
        except UnavailableError:
            return None
        same = header.source == self._source and header.format == FORMAT
        return walked if same and walked.proof.proven else None


def organization_folder(run: Path, organization_id: str) -> Path:
    """The part of a run's folder that belongs to an organisation."""
    return run / _file_name(organization_id)


def runs_that_died(root: Path) -> list[Path]:
    """Folders of runs that never came to an end."""
    return [folder for folder in _runs(root) if not (folder / ENDED).exists()]


def _runs(root: Path) -> list[Path]:
    return [folder for folder in root.glob("[!.]*") if folder.is_dir()]


class LandedFile:
    """One walk being written. Leaving it without `finish` leaves nothing behind."""

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

    def finish(self, walked: Walked) -> Path:
        """End the file with its proof and put it in its place."""
        self._stream.write(msgspec.json.encode(walked) + b"\n")
        self._stream.flush(zstandard.FLUSH_FRAME)
        self._file.close()
        os.replace(self._beside, self.path)
        self._finished = True
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._finished:
            self._file.close()
            self._beside.unlink(missing_ok=True)


def lines(path: Path) -> Iterator[bytes]:
    """The page lines of a whole landed file, without header and proof.

    Raises UnavailableError where the file is not whole.
    """
    previous: bytes | None = None
    for number, line in enumerate(_whole_lines(path)):
        if previous is not None and number > 1:
            yield previous
        previous = line


def demand_whole(path: Path, organization_id: str, endpoint: str, scope_id: str | None) -> None:
    """Raise UnavailableError where a landed file is not whole, or is not of the list that its name says."""
    _ends(path, (organization_id, endpoint, scope_id))


def _ends(path: Path, scope: tuple[str, str, str | None]) -> tuple[Header, Walked]:
    """The first and the last line of a whole file."""
    first, last = b"", b""
    for last in _whole_lines(path):
        first = first or last
    try:
        header, walked = msgspec.json.decode(first, type=Header), msgspec.json.decode(last, type=Walked)
    except msgspec.MsgspecError as error:
        raise UnavailableError(f"Landed file {path} cannot be read: {error}. Delete it and sync again.") from None
    if (header.organization_id, header.endpoint, header.scope_id) != scope:
        raise UnavailableError(f"Landed file {path} holds another list than its name says. Delete it and sync again.")
    return header, walked


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
