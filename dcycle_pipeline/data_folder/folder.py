"""What a data folder says of itself, whose it is, and the lock of who writes in it. Where things are belongs to `paths`."""

import json
import os
import secrets
import socket
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import Timeout

from dcycle_pipeline.data_folder import ours
from dcycle_pipeline.data_folder.files import write_whole
from dcycle_pipeline.data_folder.lock import SOFT, endings_lock_of, lock_of
from dcycle_pipeline.data_folder.paths import Paths
from dcycle_pipeline.data_folder.permissions import PRIVATE_FOLDER, private, tighten
from dcycle_pipeline.errors import BusyError, FolderRefusedError, SettingsError, UnavailableError, after, few

LAYOUT_VERSION = 4
# Layout 1 kept no history. Layouts 2 and 3 go over to 4 by themselves when a run begins.
OLDEST_LAYOUT_VERSION = 2
_MOST_NAMED = 5


@dataclass(frozen=True)
class DataFolder(Paths):
    """The paths below DCYCLE_DATA_DIR, the folder's owner and layout, and the lock for writing."""

    def prepare(self) -> None:
        """Create the folder. Raises SettingsError, before anything is changed, if it is not ours or not of a layout that we know.

        Raises it also if the folder cannot be written.
        """
        self._refuse_links()
        about = self.about()
        self._refuse_layout(about.get("layout_version", LAYOUT_VERSION))
        if not about:
            self._refuse_strangers()
        try:
            self.snapshots.mkdir(parents=True, exist_ok=True)
            for folder in (self.landing, self.working, self.spill):
                folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.working, prefix=".writable"):
                pass
        except OSError as error:
            raise SettingsError(
                f"DCYCLE_DATA_DIR {self.root} cannot be written: {error.strerror}. Choose a folder that you may write to."
            ) from None

    def _refuse_links(self) -> None:
        if found := ours.in_the_way(self.root):
            named = few([str(path) for path in found], _MOST_NAMED, ", ")
            raise SettingsError(
                f"In DCYCLE_DATA_DIR, {named} is a link, or is not what a run puts there. No link is followed out of the data folder: put what "
                "it leads to in its place, or delete it. To keep all on another disk, let DCYCLE_DATA_DIR name that. Nothing was changed."
            )

    def _refuse_strangers(self) -> None:
        if not ours.is_ours(self.root) and (found := ours.strangers(self.root, marked=False)):
            named = few([str(path.relative_to(self.root)) for path in found], _MOST_NAMED, ", ")
            raise SettingsError(
                f"DCYCLE_DATA_DIR {self.root} is no data folder, and it holds what is not the pipeline's: {named}. "
                "Choose an empty or a new folder, for example one below it. Nothing was changed."
            )

    def _refuse_layout(self, version: Any) -> None:
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
        except (FileNotFoundError, NotADirectoryError):
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

    @property
    def was_renamed(self) -> bool:
        """Whether an older version published here under the name of layout 3."""
        return bool(self.about().get("was_renamed"))

    def note_renamed(self) -> None:
        """Note that tools may still look for the name of layout 3."""
        self._write_about(self.about() | {"was_renamed": True})

    def note_layout(self) -> None:
        """Note that all files in the folder have the present layout."""
        self._write_about(self.about() | {"layout_version": LAYOUT_VERSION})

    def _write_about(self, about: dict[str, Any]) -> None:
        write_whole(self.working / "about.json", json.dumps(about).encode())

    def _mark(self) -> None:
        """Mark the folder as the pipeline's: from then on, strangers' files in it stop nothing."""
        if not self.about():
            # Data without about.json: it was lost, and runs of an older layout may have landed or published them.
            older = any(self.landing.iterdir()) or self.snapshots_before()
            version = OLDEST_LAYOUT_VERSION if older else LAYOUT_VERSION
            self._write_about({"layout_version": version})

    def claim(self, root_organization_id: str, members: Collection[str] = ()) -> str | None:
        """Tie the folder to one root organisation. If its root is now one of the `members` below another, that one takes its place.

        Returns the root that the folder had before, if it is another one. Raises FolderRefusedError if it is another account's.
        """
        self._mark()
        about = self.about()
        owner = about.get("root_organization_id")
        if owner == root_organization_id:
            return None
        if owner is not None and owner not in members:
            raise FolderRefusedError(
                f"DCYCLE_DATA_DIR {self.root} holds data of root organisation {owner}, but DCYCLE_ORGANIZATION_ID belongs to {root_organization_id}, "
                f"whose tree does not show {owner}: choose another folder. Nothing was changed."
            )
        self._write_about(about | {"root_organization_id": root_organization_id})
        return None if owner is None else str(owner)

    def pseudonym_key(self) -> bytes:
        """The key of this folder's pseudonyms: 32 random bytes, made once."""
        path = self.working / "pseudonym.key"
        if not path.exists():
            write_whole(path, secrets.token_bytes(32))
        return path.read_bytes()

    @contextmanager
    def writing(self, purpose: str, wait_seconds: float = 600) -> Iterator[None]:
        """Hold the folder for writing until the block ends. Waits up to `wait_seconds` for another process.

        `purpose` is what others are told. Raises BusyError, with the name of the holder, if another process still has it, and
        UnavailableError if the folder cannot be locked.
        """
        self.prepare()
        holder = self.working / "lock.holder"
        with private():  # the lock is a file too
            try:
                lock = lock_of(self.working)
                held = lock.acquire(timeout=wait_seconds)
            except Timeout:
                raise BusyError(self._held_by(holder)) from None
            except OSError as error:
                raise UnavailableError(f"{self.working} cannot be locked: {error.strerror}. {after(error)}") from None
        with held, private():
            if lock.lock_counter == 1:
                for folder in (self.landing, self.working):
                    tighten(folder)
                self._mark()
                write_whole(
                    holder,
                    f"{purpose}, process {os.getpid()} on {socket.gethostname()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC".encode(),
                )
            yield

    @contextmanager
    def noting_an_ending(self, wait_seconds: float) -> Iterator[None]:
        """Hold `endings` until the block ends; who writes the data may be another process. Raises UnavailableError if that fails."""
        try:
            with private(), endings_lock_of(self.working).acquire(timeout=wait_seconds):
                yield
        except Timeout:
            raise UnavailableError(f"{self.endings} is in use by another process for too long.") from None

    def _held_by(self, holder: Path) -> str:
        who = holder.read_text(encoding="utf-8") if holder.exists() else "another process"
        soft = self.working / SOFT
        hint = f" (if nothing runs any more on that machine, delete {soft})" if soft.exists() else ""
        return f"{self.root} is being written by {who}. Nothing was done; try again when it has ended{hint}."
