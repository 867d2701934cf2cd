"""Pages as received (personal data removed first), compressed, one folder per run and organisation.

A file holds the pages of one walk and ends with its proof; it is written beside and renamed when it is whole, and its
zstd frame carries a checksum, so that a half-written or damaged file can never be taken for a whole one.
Nothing here knows what an item means.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import msgspec
import zstandard

from dcycle_pipeline.api.reading import Page, Proof
from dcycle_pipeline.errors import UnavailableError

FORMAT = 1
LONGEST_PLAIN_NAME = 80
SUFFIX = ".ndjson.zst"
_LEVEL = 3


class Landing:
    """The landed pages of one run below `root`."""

    def __init__(self, root: Path, run_id: str) -> None:
        self._folder = root / run_id

    def path(self, organization_id: str, endpoint: str, scope_id: str | None) -> Path:
        folder = self._folder / _file_name(organization_id)
        return (
            folder / f"{endpoint}{SUFFIX}"
            if scope_id is None
            else folder / endpoint / f"{_file_name(scope_id)}{SUFFIX}"
        )

    def write(self, organization_id: str, endpoint: str, scope_id: str | None) -> "LandedFile":
        """A new file for one walk; use it with `with` and call `finish`."""
        header = {
            "format": FORMAT,
            "run_id": self._folder.name,
            "organization_id": organization_id,
            "endpoint": endpoint,
            "scope_id": scope_id,
        }
        return LandedFile(self.path(organization_id, endpoint, scope_id), header)


class LandedFile:
    """One walk being written. Leaving it without `finish` leaves nothing behind."""

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
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

    def finish(self, proof: Proof) -> Path:
        """End the file with its proof and put it in its place."""
        self._stream.write(msgspec.json.encode({"proof": asdict(proof)}) + b"\n")
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
    try:
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
            for number, line in enumerate(_split(stream)):
                if previous is not None and number > 1:
                    yield previous
                previous = line
    except (OSError, zstandard.ZstdError) as error:
        raise UnavailableError(f"Landed file {path} cannot be read: {error}. Delete it and sync again.") from None
    if previous is None or not previous.startswith(b'{"proof":'):
        raise UnavailableError(f"Landed file {path} is not whole. Delete it and sync again.")


def _split(stream: zstandard.ZstdDecompressionReader) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(1 << 20):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole


def forget_old_runs(root: Path, keep: int) -> None:
    """Delete the landed pages of all but the last `keep` runs."""
    runs = sorted(
        (folder for folder in root.glob("*") if folder.is_dir()), key=lambda folder: folder.stat().st_mtime_ns
    )
    for folder in runs[:-keep]:
        shutil.rmtree(folder, ignore_errors=True)


def _file_name(identifier: str) -> str:
    """A file name of its own for any id: ids are text of unknown form, and some disks take A for a."""
    plain = quote(identifier, safe="-_").replace(".", "%2E").replace("~", "%7E")
    if 0 < len(plain) <= LONGEST_PLAIN_NAME and plain == identifier.lower():
        return plain
    return (
        f"{plain[:LONGEST_PLAIN_NAME]}~{hashlib.sha256(identifier.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
    )
