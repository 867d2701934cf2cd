"""Where pages land and how they are written: one folder per run and organisation, one file per list.

A file is written beside its place and renamed once it is whole. The next run takes over what a run that died had landed.
What a file holds, and reading it, belongs to `landed_file`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import zstandard

from dcycle_pipeline.api.types import Page
from dcycle_pipeline.data_folder import delete, file_name, is_run, is_within, link_or_copy, make_folders
from dcycle_pipeline.errors import UnavailableError, after
from dcycle_pipeline.landing.landed_file import FORMAT, Header, Trailer, first_and_last
from dcycle_pipeline.landing.lists import ListKey

SUFFIX = ".ndjson.zst"
ENDED = "ended.json"
SWEEP_SUFFIX = ".sweep.json"
TREE = "tree.json"
DRAFT = "draft.json"
HALF = ".part"
# The names of our files within the folder of a run.
_OURS = re.compile(
    rf"\.?({re.escape(TREE)}|{re.escape(ENDED)}|{re.escape(DRAFT)}|[^/]+/\.?[^/]+({re.escape(SWEEP_SUFFIX)}|{re.escape(SUFFIX)})|[^/]+/[^/]+/[^/]+{re.escape(SUFFIX)})"
    rf"(\.[0-9a-f]+)?({re.escape(HALF)})?"
)
# Of a list that is not whole yet so much waits in memory. A compressor for each would keep two to four times as much, and lists of many
# organisations are under way at once.
_FRAME_BYTES = 256 * 1024
_LEVEL = 3  # zstd's default: 837 MB of pages become 126 MB in 1.4 s (gzip: 205 MB in 5.7 s)


class Landing:
    """The landed pages of one run in its folder below `root`.

    `source` names what decides what a read gives (see `Header`). `merged` says which run merged each organisation last, and when;
    `stood` are the lists that it did not read itself, with the time when they were read.
    """

    def __init__(
        self,
        root: Path,
        run_id: str,
        source: str = "",
        merged: Mapping[str, tuple[str, datetime]] | None = None,
        stood: Mapping[ListKey, datetime] | None = None,
    ) -> None:
        self.root = root
        self.run_id = run_id
        self.source = source
        self._merged = merged or {}
        self._stood = stood or {}
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)

    def file(self, key: ListKey) -> str:
        """Where the pages of a list land, relative to `root`."""
        return str(self._path(Path(self.run_id), key))

    def path(self, key: ListKey) -> Path:
        """Where the pages of a list land."""
        return self.root / self.file(key)

    def _path(self, run: Path, key: ListKey) -> Path:
        part = key.facility_id if key.year is None else str(key.year)
        name = key.endpoint if part is None else f"{key.endpoint}/{file_name(part)}"
        return organization_folder(run, key.organization_id) / f"{name}{SUFFIX}"

    def write(self, key: ListKey) -> "LandedFile":
        """A new file for one list: use it with `with` and call `finish`."""
        header = Header(self.run_id, key, self.source)
        return LandedFile(self.root, self.path(key), header, self._compressor)

    def take_over(self, key: ListKey, since: datetime, until: datetime) -> Trailer | None:
        """Make a landed file of the same list this run's too. Returns its trailer, or None if there is no such file.

        The file must be of this run or of one that died, from `since` to `until`; the latest wins. What landed before another
        run merged the organisation does not count: it is older than the tables. If that run let the list stand, it must have
        landed after the read that stands.
        """
        found = self._landed_before(key, since, until)
        if found:
            self.link(found[0], key)
        return found[1] if found else None

    def has_landed(self, key: ListKey, since: datetime, until: datetime) -> bool:
        """Whether `take_over` would find a file. Nothing is done about it."""
        return self._landed_before(key, since, until) is not None

    def _landed_before(self, key: ListKey, since: datetime, until: datetime) -> tuple[Path, Trailer] | None:
        merged_by, merged_at = self._merged.get(key.organization_id, ("", since))
        stood = self._stood.get(key)
        found = []
        for run in (self.root / self.run_id, *self._runs_that_died):
            path = self._path(run, key)
            trailer = self._usable(path, key) if is_within(self.root, path) else None
            if trailer is None or not since <= trailer.finished_at <= until:
                continue
            is_known = trailer.finished_at < merged_at if stood is None else trailer.finished_at <= stood
            if run.name == merged_by or not is_known:
                found.append((trailer.finished_at, path, trailer))
        return max(found, key=lambda one: one[:2])[1:] if found else None

    @cached_property
    def _runs_that_died(self) -> list[Path]:
        return runs_that_died(self.root)

    def link(self, path: Path, key: ListKey) -> bool:
        """Make another run's landed file this run's too. Returns whether this run has the file now.

        Raises UnavailableError if it cannot be written.
        """
        here = self.path(key)
        if path != here and is_within(self.root, path):
            make_folders(self.root, here.parent)
            try:
                link_or_copy(path, here)
            except OSError as error:
                raise UnavailableError(f"{here} cannot be written: {error.strerror}. {after(error)}") from None
        return is_within(self.root, here)

    def _usable(self, path: Path, key: ListKey) -> Trailer | None:
        try:
            header, trailer = first_and_last(path, key)
        except UnavailableError:
            return None
        same = header.source == self.source and header.format == FORMAT
        return trailer if same and (trailer.proof is None or trailer.proof.proven) else None


def organization_folder(run: Path, organization_id: str) -> Path:
    """The folder of an organisation within the folder of a run."""
    return run / file_name(organization_id)


def runs_that_died(root: Path) -> list[Path]:
    """The folders of runs that never noted their end."""
    return [folder for folder in runs(root) if not (folder / ENDED).exists() and holds_only_ours(folder)]


def runs(root: Path) -> list[Path]:
    """The folders in which a run can have landed something. A link is none."""
    return [folder for folder in root.glob("[!.]*") if folder.is_dir() and not folder.is_symlink()]


def holds_only_ours(folder: Path) -> bool:
    """Whether a folder may be written to and deleted: a stranger's file, or a link, makes it somebody else's."""
    found = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    ours = all(is_ours(folder, path) for path in found)
    return ours and (bool(found) or is_run(folder))


def is_ours(run: Path, path: Path) -> bool:
    """Whether a file within the folder of a run has a name that we give."""
    return bool(_OURS.fullmatch(path.relative_to(run).as_posix())) and not path.is_symlink()


class LandedFile:
    """Writes the pages of one list. If it is left without `finish`, nothing stays behind."""

    def __init__(self, root: Path, path: Path, header: Header, compressor: zstandard.ZstdCompressor) -> None:
        self._root, self.path = root, path
        self._header = msgspec.json.encode(header)
        self._beside = path.with_name(path.name + HALF)
        self._compressor = compressor
        self._lines = bytearray()
        self._is_begun = False
        self._pages_from = 0
        self._finished = False

    def __enter__(self) -> Self:
        make_folders(self._root, self.path.parent)
        delete(self._beside)
        self._file = self._beside.open("xb")
        return self

    def restart(self) -> None:
        """Drop the pages written so far."""
        self._file.seek(0)
        self._file.truncate()
        self._lines.clear()
        self._is_begun = False

    def _begin(self) -> None:
        """Write the header. It is made for the first page, as a list may bring nothing new."""
        if not self._is_begun:
            self._is_begun = True
            self._lines += self._header + b"\n"
            self._pages_from = self._end_frame()

    def keep(self, page: Page) -> None:
        """Append one page; `page.payload` holds its clean items as a JSON array."""
        envelope = msgspec.json.encode(page.envelope)
        self.keep_line(b'{"page":%d,"envelope":%b,"items":%b}' % (page.number, envelope, page.payload))

    def keep_line(self, line: bytes) -> None:
        """Append a page as it lies in another landed file."""
        self._begin()
        self._lines += line + b"\n"
        if len(self._lines) >= _FRAME_BYTES:
            self._end_frame()

    def keep_all_of(self, path: Path, pages_at: tuple[int, int]) -> None:
        """Take over all pages of another landed file, which is whole, as they lie there compressed."""
        self.restart()
        self._begin()
        start, end = pages_at
        with path.open("rb") as other:
            other.seek(start)
            self._file.write(other.read(end - start))

    def finish(self, trailer: Trailer) -> Trailer:
        """End the file with its proof and put it in its place. Returns the trailer, whose fingerprint now says where the pages are."""
        self._begin()
        if trailer.fingerprint is not None:
            pages_at = self._pages_from, self._end_frame()
            trailer = replace(trailer, fingerprint=replace(trailer.fingerprint, pages_at=pages_at))
        self._lines += msgspec.json.encode(trailer) + b"\n"
        self._end_frame()
        self._file.close()
        os.replace(self._beside, self.path)
        self._finished = True
        return trailer

    def _end_frame(self) -> int:
        """Write what waits as a frame of its own. Returns where the next one begins."""
        if self._lines:
            self._file.write(self._compressor.compress(bytes(self._lines)))
            self._lines.clear()
        return self._file.tell()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._finished:
            self._file.close()
            self._beside.unlink(missing_ok=True)
