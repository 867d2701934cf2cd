"""The folder of DCYCLE_PARQUET_DIR: whose it is, how a publication comes into it, which one readers find, and which ones go.

    publications/<moment>-<run>/   complete, never changed: Parquet files and `manifest.json`
    latest                         a link to the newest of them, if the disk has links
    latest.json                    its manifest and its folder, written last: for tools that know no links

What is in a publication belongs to `parquet`. No link is followed out of the folder, and nothing is deleted that is not ours.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dcycle_pipeline.data_folder import beside, delete, permissions, sync_folder, write_whole
from dcycle_pipeline.data_folder.ours import PUBLICATION_NAME, is_harmless
from dcycle_pipeline.errors import SettingsError, UnavailableError, few

LAYOUT_VERSION = 1
MANIFEST = "manifest.json"
MANIFEST_MODE = 0o644
SPILL = ".spill"
_FOLDER_MODE = 0o755
_MARK = "dcycle_parquet.json"
_PUBLICATIONS, _LATEST, _LATEST_MANIFEST = "publications", "latest", "latest.json"
_TRIAL = ".trial."
_NAME = re.compile(PUBLICATION_NAME)
_PART = re.compile(rf"\.{_NAME.pattern}\.part")
_WRITTEN = re.compile(
    rf"[^/]+\.parquet|{re.escape(MANIFEST)}|\.{re.escape(MANIFEST)}\.[0-9a-f]{{8}}\.part|duckdb_temp_.*"
)
_LEFT = re.compile(
    rf"\.{_LATEST}\.[0-9a-f]{{8}}\.link|\.({re.escape(_LATEST_MANIFEST)}|{re.escape(_MARK)})\.[0-9a-f]{{8}}\.part"
)


def claim(root: Path, root_organization_ids: Sequence[str]) -> None:
    """Make the folder ours, and delete what a killed run left half-written in it.

    `root_organization_ids` are the roots that the account has had, the present one first. Raises SettingsError if the folder
    holds what is not ours, or publications of another account; then nothing in it is changed.
    """
    _verify(root, root_organization_ids)
    _make(root)
    _make(root / _PUBLICATIONS)
    mark = {"layout_version": LAYOUT_VERSION, "root_organization_id": next(iter(root_organization_ids), None)}
    if _mark(root) != mark:
        write_whole(root / _MARK, json.dumps(mark).encode(), permissions.published(MANIFEST_MODE))
    for path in [path for path in root.iterdir() if _LEFT.fullmatch(path.name)]:
        delete(path)
    for path in _folders(root, _PART):
        _delete(path)


def _verify(root: Path, root_organization_ids: Sequence[str] | None = None) -> None:
    """Raise SettingsError if the folder cannot be ours: it need not be there yet."""
    advice = "Let DCYCLE_PARQUET_DIR name an empty or a new folder. Nothing in it was changed."
    if root.exists() and not root.is_dir():
        raise SettingsError(f"DCYCLE_PARQUET_DIR {root} is no folder. {advice}")
    mark = _mark(root)
    if mark is None:
        if strange := [path.name for path in _entries(root) if not is_harmless(path) and not _is_passing(path)]:
            raise SettingsError(f"DCYCLE_PARQUET_DIR {root} holds what is not ours: {few(strange, 5, ', ')}. {advice}")
        return
    if mark.get("layout_version") != LAYOUT_VERSION:
        raise SettingsError(
            f"DCYCLE_PARQUET_DIR {root} was written by a newer dcycle_pipeline, or is damaged. {advice}"
        )
    for name in (_PUBLICATIONS, _LATEST):
        path = root / name
        if os.path.lexists(path) and path.is_symlink() != (name == _LATEST):
            raise SettingsError(f"{path} is not what we put there: delete it, or choose another DCYCLE_PARQUET_DIR.")
    owner = mark.get("root_organization_id")
    if root_organization_ids is not None and owner not in (None, *root_organization_ids):
        raise SettingsError(f"DCYCLE_PARQUET_DIR {root} holds publications of root organisation {owner}. {advice}")


def _is_passing(path: Path) -> bool:
    """What a run left that died before it could mark the folder."""
    empty = path.name == _PUBLICATIONS and not path.is_symlink() and path.is_dir() and not any(path.iterdir())
    return empty or path.name.startswith(_TRIAL) or bool(_LEFT.fullmatch(path.name))


def _mark(root: Path) -> dict[str, Any] | None:
    """What the folder says of itself; None if it is not marked. What cannot be understood has no layout that we know."""
    path = root / _MARK
    if path.is_symlink() or not path.is_file():
        return None
    try:
        mark = json.loads(path.read_bytes())
    except ValueError:
        mark = None
    return mark if isinstance(mark, dict) else {}


def _make(folder: Path) -> None:
    """Create a folder that others may look into. The private umask of a run is not for this one."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        show(folder)


def show(folder: Path) -> None:
    """Let others look into a folder, within the umask of the user."""
    permissions.set_mode(folder, permissions.published(_FOLDER_MODE))


@contextmanager
def completed(root: Path, name: str) -> Iterator[Path | None]:
    """A folder to write a publication into, which gets its name if the block ends well; None if the publication is there already."""
    target = root / _PUBLICATIONS / name
    if (target / MANIFEST).is_file():
        yield None
        return
    part = target.with_name(f".{name}.part")
    part.mkdir()
    try:
        yield part
        _delete(part / SPILL)
        show(part)
        os.rename(part, target)
        sync_folder(target.parent)
    finally:
        _delete(part)


def switch(root: Path, name: str) -> None:
    """Lead readers to a complete publication: first the link, at once, and last the manifest, whole."""
    manifest = json.loads((root / _PUBLICATIONS / name / MANIFEST).read_bytes())
    _point(root, name)
    content = json.dumps({"folder": f"{_PUBLICATIONS}/{name}", **manifest}, ensure_ascii=False, indent=1).encode()
    write_whole(root / _LATEST_MANIFEST, content, permissions.published(MANIFEST_MODE))
    sync_folder(root)


def _point(root: Path, name: str) -> None:
    latest = root / _LATEST
    link = beside(latest, ".link")
    try:
        link.symlink_to(Path(_PUBLICATIONS, name), target_is_directory=True)
    except OSError:  # each disk has its own word for it
        if os.path.lexists(latest):
            raise
        return
    try:
        os.replace(link, latest)
    finally:
        delete(link)


def forget_old(root: Path, newest: str, keep: int) -> None:
    """Delete all but `keep` publications. Those that are stamped later than the newest, by a clock that was ahead, go first."""
    older = [path for path in _folders(root, _NAME) if path.name != newest]
    by_age = sorted(older, key=lambda path: (path.name < newest, path.name))
    for path in by_age[: max(0, len(by_age) - (keep - 1))]:
        delete(path / MANIFEST)  # first: without it, what a kill leaves of the folder is no publication
        _delete(path)


def attempt(root: Path) -> str:
    """Try the folder with what holds no data. Raises SettingsError if it is not ours or cannot be written."""
    _verify(root)
    there = next(path for path in (root, *root.parents) if path.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix=_TRIAL, dir=there) as trial:
            Path(trial, "file").write_bytes(b"tried")
            with suppress(OSError):
                Path(trial, "link").symlink_to("file")
            links = Path(trial, "link").is_symlink()
    except OSError as error:
        raise SettingsError(
            f"DCYCLE_PARQUET_DIR {root} cannot be written: {error.strerror}. Choose a folder that you may write to."
        ) from None
    found = f"{root} can be written" if there == root else f"{root} can be made"
    return found if links else f"{found}; its disk has no links, so only {_LATEST_MANIFEST} leads to the newest files"


def _folders(root: Path, form: re.Pattern[str]) -> list[Path]:
    found = (path for path in _entries(root / _PUBLICATIONS) if form.fullmatch(path.name))
    return sorted(path for path in found if path.is_dir() and not path.is_symlink())


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UnavailableError(f"{folder} cannot be read: {error.strerror}. Check who owns it.") from None


def _delete(folder: Path) -> None:
    """Delete what we wrote into a folder of ours, and the folder. What somebody else put there stays, and so does the folder then."""
    for within, _, names in os.walk(folder, topdown=False):
        for path in (Path(within, name) for name in names if _WRITTEN.fullmatch(name)):
            if not path.is_symlink():
                delete(path)
        with suppress(OSError):
            Path(within).rmdir()
