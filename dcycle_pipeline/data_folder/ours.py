"""What of a data folder is ours: by its names. All else is a stranger's, which stays as it is; and no link is followed out."""

import os
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path
from stat import S_ISDIR, S_ISLNK, S_ISREG

SPILLED = "duckdb_temp_*"  # how DuckDB names what it spills
FORGOTTEN = ".forgotten"  # how folders in `landing` begin that are being deleted
LOGS = (".wal", ".wal.checkpoint", ".wal.recovery")  # what DuckDB may leave beside a file
WAREHOUSE, DRAFT = "warehouse.duckdb", "draft.duckdb"  # the working file, and a copy of it that a backfill works on
FOLDERS = ("landing", "working", "snapshots", "working/spill")
_WRITTEN = (
    "about.json",
    "compacted_bytes",
    "destinations.json",
    "drawings.json",
    "endings.json",
    "endings.lock",
    "lock",
    "lock.holder",
    "lock.soft",
    "pseudonym.key",
    "snapshots.json",
    *(f"{file}{log}" for file in (WAREHOUSE, DRAFT) for log in ("", *LOGS)),
)
# DuckDB names the catalog after the file that it finds, so a link and what it leads to have one name, and no schema has it.
PUBLISHED = "dcycle_warehouse.duckdb"
PUBLISHED_BEFORE = "dcycle.duckdb"  # until layout 3, whose snapshots were files in one folder
_PUBLISHED = (PUBLISHED, PUBLISHED_BEFORE, "report.html")
# What systems and tools put everywhere, and what a user puts here for us.
_HARMLESS = (
    "lost+found",
    ".DS_Store",
    "._*",
    ".localized",
    ".Spotlight-V100",
    ".Trashes",
    ".fseventsd",
    ".TemporaryItems",
    "desktop.ini",
    "Thumbs.db",
    "$RECYCLE.BIN",
    "System Volume Information",
    ".Trash-*",
    ".directory",
    ".nfs*",
    ".fuse_hidden*",
    ".snapshot",
    ".snapshots",
    ".zfs",
    "@eaDir",
    "#recycle",
    ".stfolder",
    ".gitkeep",
    ".gitignore",
    ".keep",
    ".env",
    "scope_mapping.csv",
)
ALIVE = "alive-"  # a run's file begins so, by which it shows that it lives
_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ALIVE = re.compile(rf"{ALIVE}{_RUN.pattern}")
PUBLICATION_NAME = r"\d{8}T\d{6}\.\d{6}Z-[^/]{1,8}"  # of its folder, here and at destinations
_SNAPSHOT = re.compile(PUBLICATION_NAME)
_SNAPSHOT_BEFORE = re.compile(rf"({_SNAPSHOT.pattern})\.duckdb")
_COPIED = f".{PUBLISHED}.part"  # a snapshot that is not whole yet
_UNIQUE = r"\.(\d+|[0-9a-f]{8})\."  # older versions put the number of their process there
DAMAGED_STAMP = "%Y%m%dT%H%M%S"
_LOG = f"({'|'.join(map(re.escape, LOGS))})?"
_DAMAGED = re.compile(rf"warehouse\.duckdb{_LOG}\.damaged-(\d{{8}}T\d{{6}})")
_LEFT = {
    "": re.compile(rf"\.report\.html{_UNIQUE}part|\.dcycle(_warehouse)?\.duckdb{_UNIQUE}(link|part)"),
    "snapshots": re.compile(rf"\.{_SNAPSHOT_BEFORE.pattern}\.part"),
    "working": re.compile(
        rf"\.({'|'.join(map(re.escape, _WRITTEN))}){_UNIQUE}part|\.replacing\.duckdb\.part{_LOG}|{re.escape(DRAFT)}{_LOG}|\.(writable|trial).*"
    ),
    "working/spill": re.compile("duckdb_temp_.*"),
}


def is_snapshot_folder(path: Path) -> bool:
    """Whether a folder is that of a snapshot, whole or not. What somebody else put there is none, a link neither."""
    return bool(_SNAPSHOT.fullmatch(path.name)) and _is(path, S_ISDIR)


def is_snapshot(path: Path) -> bool:
    """Whether a file is a complete snapshot."""
    return path.name == PUBLISHED and is_snapshot_folder(path.parent) and _is(path, S_ISREG)


def snapshots_before(root: Path) -> dict[str, Path]:
    """The snapshots of layout 3, by the names that they have now."""
    named = ((_SNAPSHOT_BEFORE.fullmatch(path.name), path) for path in _entries(root, "snapshots"))
    return {found[1]: path for found, path in named if found and _is(path, S_ISREG)}


def is_run(folder: Path) -> bool:
    """Whether the name of a folder is that of a run."""
    return bool(_RUN.fullmatch(folder.name)) and _is(folder, S_ISDIR)


def is_alive_file(path: Path) -> bool:
    """Whether a file shows, or showed, that a run lives."""
    return bool(_ALIVE.fullmatch(path.name)) and _is(path, S_ISREG)


def is_within(root: Path, path: Path) -> bool:
    """Whether a path leads to something below `root`, through no link and up no folder."""
    step, below = str(root), path.relative_to(root).parts
    for part in below:
        step = f"{step}{os.sep}{part}"  # not by Path: a sync asks this of every list
        try:
            if part == ".." or S_ISLNK(os.lstat(step).st_mode):
                return False
        except OSError:
            return False
    return bool(below) or path.exists()


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(path.lstat().st_mode)
    except OSError:
        return False


def in_the_way(root: Path) -> list[Path]:
    """Links, and what is no file or folder at all, where a run would write into a file or folder of ours."""
    spilled = (path for path in _entries(root, "working/spill") if fnmatch(path.name, SPILLED))
    files = chain((root / "working" / name for name in _WRITTEN), spilled)
    found = [path for name in FOLDERS if _is_other(path := root / name, S_ISDIR)]
    return found or [path for path in files if _is_other(path, S_ISREG)]


def _is_other(path: Path, kind: Callable[[int], bool]) -> bool:
    return os.path.lexists(path) and not _is(path, kind)


def is_ours(root: Path) -> bool:
    """Whether a folder without a mark was filled by us: a run was there, or a publication."""
    links = (root / PUBLISHED, root / PUBLISHED_BEFORE)
    return (
        any(_is(root / "working" / name, S_ISREG) for name in _WRITTEN)
        or any(is_snapshot_folder(path) for path in _entries(root, "snapshots"))
        or bool(snapshots_before(root))
        or any(is_run(path) for path in _entries(root, "landing"))
        or any(link.is_symlink() and is_link_of_ours(link) for link in links)
    )


def is_link_of_ours(link: Path) -> bool:
    """Whether a link leads to where snapshots are, as the published link does."""
    match Path(os.readlink(link)).parts:
        case ("snapshots", name):
            return bool(_SNAPSHOT_BEFORE.fullmatch(name))
        case ("snapshots", name, file):
            return bool(_SNAPSHOT.fullmatch(name)) and file == PUBLISHED
    return False


def strangers(root: Path, *, marked: bool = True) -> list[Path]:
    """What lies in the data folder and is not ours, sorted. Without a mark, what has the name of a published file is not ours either."""
    published = _PUBLISHED if marked else ()
    known = {"": {*FOLDERS, *published}, "snapshots": set(), "working": {*_WRITTEN, "spill"}, "working/spill": set()}
    folders = [path for path in _entries(root, "snapshots") if is_snapshot_folder(path)]
    found, snapshots = [], {*folders, *snapshots_before(root).values()}
    for place, names in known.items():
        for path in _entries(root, place):
            ours = path.name in names or any(form.fullmatch(path.name) for form in (_LEFT[place], _DAMAGED, _ALIVE))
            if not (ours or path in snapshots or is_harmless(path)):
                found.append(path)
    within = (path for path in _in_snapshots(root) if path.name not in (PUBLISHED, _COPIED) and not is_harmless(path))
    landed = (path for path in _entries(root, "landing") if not is_run(path) and not is_harmless(path))
    return sorted([*found, *within, *(path for path in landed if not path.name.startswith(FORGOTTEN))])


def is_harmless(path: Path) -> bool:
    """Whether it is what systems and tools put everywhere, or what a user puts there for us."""
    return any(fnmatch(path.name, pattern) for pattern in _HARMLESS)


def _in_snapshots(root: Path) -> Iterator[Path]:
    """What is in the folders of the snapshots."""
    folders = (path for path in _entries(root, "snapshots") if is_snapshot_folder(path))
    return chain.from_iterable(_entries(root, f"snapshots/{folder.name}") for folder in folders)


def left_over(root: Path) -> Iterator[Path]:
    """Files that a killed run left half-written outside of landing."""
    yield from (path for path in _in_snapshots(root) if path.name == _COPIED and _is(path, S_ISREG))
    for place, name in _LEFT.items():
        for path in _entries(root, place):
            is_link = place == "" and path.name.endswith(".link") and path.is_symlink() and is_link_of_ours(path)
            if name.fullmatch(path.name) and (is_link or _is(path, S_ISREG)):
                yield path


def damaged(root: Path) -> dict[str, list[Path]]:
    """The working files that were set aside as damaged, with their logs, by when that was; the oldest first."""
    found: dict[str, list[Path]] = {}
    for path in sorted(_entries(root, "working"), key=lambda path: path.name[-15:]):
        if (named := _DAMAGED.fullmatch(path.name)) and _is(path, S_ISREG):
            found.setdefault(named[2], []).append(path)
    return found


def _entries(root: Path, place: str) -> list[Path]:
    """What is in a folder of the data folder, which may be a link itself."""
    folder = root / place
    if place and folder.is_symlink():
        return []
    try:
        return sorted(folder.iterdir())
    except OSError:  # not there, or not to be read: what comes next says so
        return []
