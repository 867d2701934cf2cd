"""The data folder: where things are, whose data it holds, and who may write in it now.

What the files hold belongs to `landing`, `warehouse` and `publish`.
"""

import json
import os
import re
import secrets
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dcycle_pipeline.errors import SettingsError, UnavailableError, after
from dcycle_pipeline.permissions import PRIVATE_FOLDER, private, tighten

LAYOUT_VERSION = 3
# Layout 1 kept no history. Layout 2 goes over to 3 by itself when a run begins.
OLDEST_LAYOUT_VERSION = 2
SPILLED = "duckdb_temp_*"  # how DuckDB names what it spills
_SNAPSHOT = re.compile(r"\d{8}T\d{6}\.\d{6}Z-[^/]{1,8}\.duckdb")


@dataclass(frozen=True)
class DataFolder:
    """The paths below DCYCLE_DATA_DIR, the folder's owner and layout, and the lock for writing."""

    root: Path

    @property
    def published(self) -> Path:
        """The link that readers open."""
        return self.root / "dcycle.duckdb"

    @property
    def report(self) -> Path:
        """The report of the last publication."""
        return self.root / "report.html"

    @property
    def snapshots(self) -> Path:
        """The snapshots: what the link points at, and earlier ones for a rollback."""
        return self.root / "snapshots"

    def published_snapshots(self) -> list[Path]:
        """Complete snapshots, oldest first. What somebody else put there is none, a link neither."""
        return sorted(path for path in self.snapshots.glob("*.duckdb") if _is_snapshot(path))

    def strangers(self) -> list[Path]:
        """What lies among the snapshots, or where DuckDB spills, and is not ours."""
        beside = [path for path in self.snapshots.glob("[!.]*") if not _is_snapshot(path)]
        return sorted([*beside, *(path for path in self.spill.glob("[!.]*") if not path.match(SPILLED))])

    @property
    def scope_mapping(self) -> Path:
        """The account's own mapping of facilities to scopes, if it has one."""
        return self.root / "scope_mapping.csv"

    @property
    def landing(self) -> Path:
        """The landed pages, one folder per run."""
        return self.root / "landing"

    @property
    def working(self) -> Path:
        """What belongs to the pipeline alone."""
        return self.root / "working"

    @property
    def warehouse(self) -> Path:
        """The working file."""
        return self.working / "warehouse.duckdb"

    @property
    def spill(self) -> Path:
        """Where DuckDB writes what does not fit its memory."""
        return self.working / "spill"

    def prepare(self) -> None:
        """Create the folder. Raises SettingsError if it cannot be written, or if its layout is newer or too old."""
        try:
            self.snapshots.mkdir(parents=True, exist_ok=True)
            for folder in (self.landing, self.working, self.spill):
                folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            probe = self.working / ".writable"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise SettingsError(
                f"DCYCLE_DATA_DIR {self.root} cannot be written: {error.strerror}. Choose a folder that you may write to."
            ) from None
        version = self.about().get("layout_version", LAYOUT_VERSION)
        if not isinstance(version, int) or version > LAYOUT_VERSION:
            raise SettingsError(
                f"DCYCLE_DATA_DIR {self.root} was written by a newer dcycle_pipeline (layout {version}, this one knows {LAYOUT_VERSION}): "
                "upgrade the package or choose another folder. Nothing was changed."
            )
        if version < OLDEST_LAYOUT_VERSION:
            raise SettingsError(
                f"DCYCLE_DATA_DIR {self.root} was written by an older dcycle_pipeline (layout {version}, this one writes "
                f"{LAYOUT_VERSION}) that kept no history: choose a new folder, which the first sync fills. Nothing was changed."
            )

    def about(self) -> dict[str, Any]:
        """What the folder says of itself (`about.json`); empty for a new folder. Raises SettingsError if the file is damaged."""
        try:
            about = json.loads((self.working / "about.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise SettingsError(
                f"{self.working / 'about.json'} cannot be read: {error.strerror}. Check who owns it, or be the user who runs the sync."
            ) from None
        except ValueError:
            about = None
        if not isinstance(about, dict):
            raise SettingsError(
                f"{self.working / 'about.json'} is damaged: put it back from a backup or choose another DCYCLE_DATA_DIR."
            )
        return about

    def is_of_older_layout(self) -> bool:
        """Whether the folder may hold files of an older layout."""
        return bool(self.about().get("layout_version") != LAYOUT_VERSION)

    def note_layout(self) -> None:
        """Note that all files in the folder have the present layout."""
        self._write_about(self.about() | {"layout_version": LAYOUT_VERSION})

    def _write_about(self, about: dict[str, Any]) -> None:
        write_whole(self.working / "about.json", json.dumps(about).encode())

    def claim(self, root_organization_id: str, members: Collection[str] = ()) -> str | None:
        """Tie the folder to one root organisation. If its root is now one of the `members` below another, that one takes its place.

        Returns the root that the folder had before, if it is another one. Raises SettingsError if the folder is another account's.
        """
        owner = self.about().get("root_organization_id")
        if owner is None:
            # Landed pages without about.json: it was lost, and a run of the older layout may have landed them.
            version = OLDEST_LAYOUT_VERSION if any(self.landing.iterdir()) else LAYOUT_VERSION
            self._write_about({"layout_version": version, "root_organization_id": root_organization_id})
        elif owner == root_organization_id:
            return None
        elif owner in members:
            self._write_about(self.about() | {"root_organization_id": root_organization_id})
        else:
            raise SettingsError(
                f"DCYCLE_DATA_DIR {self.root} holds data of root organisation {owner}, but DCYCLE_ORGANIZATION_ID belongs to {root_organization_id}, "
                f"whose tree does not show {owner}: choose another folder. Nothing was changed."
            )
        return str(owner) if owner else None

    def pseudonym_key(self) -> bytes:
        """The key of this folder's pseudonyms: 32 random bytes, made once."""
        path = self.working / "pseudonym.key"
        if not path.exists():
            write_whole(path, secrets.token_bytes(32))
        return path.read_bytes()

    @contextmanager
    def writing(self, purpose: str, wait_seconds: float = 600) -> Iterator[None]:
        """Hold the folder for writing until the block ends. Waits up to `wait_seconds` for another process.

        `purpose` is what others are told. Raises UnavailableError, with the name of the holder, if another process still has it.
        """
        self.prepare()
        lock, holder = (
            FileLock(self.working / "lock", is_singleton=True, thread_local=False, mode=0o600),
            self.working / "lock.holder",
        )
        try:
            with lock.acquire(timeout=wait_seconds), private():
                if lock.lock_counter == 1:
                    for folder in (self.landing, self.working):
                        tighten(folder)
                    write_whole(
                        holder,
                        f"{purpose}, process {os.getpid()} on {socket.gethostname()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC".encode(),
                    )
                yield
        except Timeout:
            who = holder.read_text(encoding="utf-8") if holder.exists() else "another process"
            raise UnavailableError(
                f"{self.root} is being written by {who}. Nothing was done; try again when it has ended."
            ) from None


def _is_snapshot(path: Path) -> bool:
    return bool(_SNAPSHOT.fullmatch(path.name)) and path.is_file() and not path.is_symlink()


def write_whole(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file so that at any moment it is the old or the new one, whole. `mode` is its permissions; by default only its owner reads it.

    Raises UnavailableError if that fails.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UnavailableError(f"{path} cannot be written: {error.strerror}. {after(error)}") from None
