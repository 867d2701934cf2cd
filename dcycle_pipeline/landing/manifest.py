"""Manifests: what a run decided, in JSON beside its landed pages. The tree, each organisation's sweep of an endpoint, the run's end.

The tables follow from manifests and pages alone, so a rebuild or a replay needs no API. The pages belong to `files`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TypeVar

import msgspec

from dcycle_pipeline.data_folder import delete, is_within, make_folders, write_whole
from dcycle_pipeline.endpoints.organizations import Organization, UnusableNode
from dcycle_pipeline.landing.files import DRAFT, ENDED, SWEEP_SUFFIX, TREE, organization_folder, runs, runs_that_died
from dcycle_pipeline.landing.lists import Backfill, Decision, DoubtfulRow, ListResult

T = TypeVar("T")


@dataclass(frozen=True)
class TreeManifest:
    """The organisations as a run saw them, the ids of those that are `absent` although they are still synced, what of the tree
    cannot be used, and the organisations that are `excluded`. `backfill` says what the run is for, if it is one, and
    `completes` which run it completes, if it asks once more the organisations that gave no answer then.
    """

    run_id: str
    run_started_at: datetime
    merged_at: datetime
    root_organization_id: str
    organizations: list[Organization]
    absent: list[str]
    unusable: list[UnusableNode] = field(default_factory=list)
    excluded: list[Organization] = field(default_factory=list)
    backfill: Backfill | None = None
    completes: str | None = None


@dataclass(frozen=True)
class SweepManifest:
    """One organisation's sweep of one endpoint, with what was decided about each list.

    `deleted` maps the ids that the API confirmed to be gone to the facility of their list. `unlisted` are ids that the API shows
    by id only, `doubtful` the rows that are neither listed nor confirmed to be gone. A `part` is what was decided later, apart
    from lists: its name, and by a person the `decision`. `pending_only` says that the run asked only for lists with pending records.
    """

    run_id: str
    run_started_at: datetime
    merged_at: datetime
    organization_id: str
    endpoint: str
    results: list[ListResult]
    deleted: dict[str, str | None]
    unlisted: list[str] = field(default_factory=list)
    doubtful: list[DoubtfulRow] = field(default_factory=list)
    part: str = ""
    decision: Decision | None = None
    pending_only: bool = False


@dataclass(frozen=True)
class RunEnd:
    """How a run ended: `published_at` is None if it published nothing."""

    published_at: datetime | None


Manifest = TreeManifest | SweepManifest | RunEnd


def write_tree(root: Path, tree: TreeManifest) -> None:
    """Write the tree into the folder of its run below `root`."""
    _write(root, root / tree.run_id / TREE, tree)


def write_sweep(root: Path, sweep: SweepManifest) -> None:
    """Write a sweep into the folder of its run and organisation below `root`."""
    name = ".".join(part for part in (sweep.endpoint, sweep.part) if part)
    _write(root, _sweep_path(root, sweep.run_id, sweep.organization_id, name), sweep)


def unused_part(root: Path, run_id: str, organization_id: str, endpoint: str, part: str) -> str:
    """A name for a part that the run has not written yet: the given one, or with a number if it decided in this way before."""
    names = (f"{part}.{number}" if number else part for number in count())
    return next(name for name in names if not _sweep_path(root, run_id, organization_id, f"{endpoint}.{name}").exists())


def sweep_of(root: Path, run_id: str, organization_id: str, endpoint: str) -> SweepManifest | None:
    """The sweep that a run wrote of an organisation and endpoint; None if it wrote none."""
    path = _sweep_path(root, run_id, organization_id, endpoint)
    return read(path, SweepManifest) if is_within(root, path) else None


def _sweep_path(root: Path, run_id: str, organization_id: str, name: str) -> Path:
    return organization_folder(root / run_id, organization_id) / f"{name}{SWEEP_SUFFIX}"


def begin_draft(root: Path, run_id: str) -> None:
    """Note that a run decides nothing yet: until `end_draft`, nobody finds its tree and sweeps. Others may take over its pages."""
    _write(root, root / run_id / DRAFT, {})


def end_draft(root: Path, run_id: str) -> None:
    """Let what a run decided count."""
    delete(root / run_id / DRAFT)


def is_draft(run: Path) -> bool:
    """Whether what a run decided, in its folder, counts for nothing."""
    return (run / DRAFT).exists()


def is_of_all(run: Path) -> bool:
    """Whether a run, in its folder, began with the tree of organisations, and completes no other run."""
    tree = read(run / TREE, TreeManifest)
    return tree is not None and tree.completes is None


def organizations_of(run: Path) -> set[str]:
    """The organisations of which a run, in its folder, swept something."""
    return {sweep.organization_id for sweep in _read_all(run.glob(f"*/*{SWEEP_SUFFIX}"), SweepManifest)}


def end_run(root: Path, run_id: str, published_at: datetime | None = None) -> None:
    """Note that the run is over, so that no other run takes over what it landed. Raises UnavailableError if that cannot be written."""
    _write(root, root / run_id / ENDED, RunEnd(published_at))


def end_with_all_before(
    root: Path, run_id: str, published_at: datetime | None = None, *, pending_only: bool = False
) -> None:
    """Note that the run is over, and all that died before it: what it took over of them must not be taken over once more.

    If it asked only for lists with pending records, it took over nothing, and nobody has read the rest of what died.
    """
    for folder in () if pending_only else runs_that_died(root):
        if folder.name != run_id:
            end_run(root, folder.name)
    end_run(root, run_id, published_at)


def _write(root: Path, path: Path, record: object) -> None:
    make_folders(root, path.parent)
    write_whole(path, msgspec.json.encode(record))


def trees(root: Path) -> Iterator[TreeManifest]:
    """Every tree that is landed below `root`. One that cannot be read is skipped: it never was whole."""
    return _read_all(tree_paths(root), TreeManifest)


def sweeps(root: Path) -> Iterator[SweepManifest]:
    """Every sweep that is landed below `root`. One that cannot be read is skipped: it never was whole."""
    return _read_all(sweep_paths(root), SweepManifest)


def tree_paths(root: Path) -> Iterator[Path]:
    """The files that hold a tree."""
    return _decided(root, TREE)


def sweep_paths(root: Path) -> Iterator[Path]:
    """The files that hold a sweep."""
    return _decided(root, f"*/*{SWEEP_SUFFIX}")


def _end_paths(root: Path) -> Iterator[Path]:
    return _found(root, ENDED)


def _decided(root: Path, pattern: str) -> Iterator[Path]:
    drafts = {path.parent.name for path in _found(root, DRAFT)}
    return (path for path in _found(root, pattern) if path.relative_to(root).parts[0] not in drafts)


def _found(root: Path, pattern: str) -> Iterator[Path]:
    return (path for run in runs(root) for path in run.glob(pattern) if is_within(root, path))


def ends(root: Path) -> dict[str, RunEnd]:
    """The ends of all runs that noted one, by run id."""
    found = {path.parent.name: read(path, RunEnd) for path in _end_paths(root)}
    return {run_id: end for run_id, end in found.items() if end is not None}


def moments(root: Path) -> set[datetime]:
    """Every moment that a manifest below `root` names."""
    found: set[datetime] = set()

    def note(moment: datetime) -> datetime:
        found.add(moment)
        return moment

    for _, record in _all(root):
        _redated(record, note)
    return found


def redate(root: Path, instead: Callable[[datetime], datetime]) -> None:
    """Write every manifest below `root` with other moments. Raises UnavailableError if one cannot be written."""
    for path, record in _all(root):
        if (redated := _redated(record, instead)) != record:
            _write(root, path, redated)


def _all(root: Path) -> Iterator[tuple[Path, Manifest]]:
    kinds: tuple[tuple[Callable[[Path], Iterator[Path]], type[Manifest]], ...] = (
        (tree_paths, TreeManifest),
        (sweep_paths, SweepManifest),
        (_end_paths, RunEnd),
    )
    for paths, kind in kinds:
        yield from ((path, record) for path in list(paths(root)) if (record := read(path, kind)) is not None)


def _redated(record: Manifest, instead: Callable[[datetime], datetime]) -> Manifest:
    if isinstance(record, RunEnd):
        return RunEnd(instead(record.published_at)) if record.published_at else record
    began, merged = instead(record.run_started_at), instead(record.merged_at)
    if isinstance(record, TreeManifest):
        return replace(record, run_started_at=began, merged_at=merged)
    results = [
        replace(each, started_at=instead(each.started_at), finished_at=instead(each.finished_at))
        for each in record.results
    ]
    return replace(record, run_started_at=began, merged_at=merged, results=results)


def was_published(root: Path, run_id: str) -> bool:
    """Whether a run noted at its end that it published."""
    end = read(root / run_id / ENDED, RunEnd)
    return end is not None and end.published_at is not None


def read(path: Path, kind: type[T]) -> T | None:
    """The record in a file; None if there is no such file, or if it holds something else: it was never whole, or is of another layout."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None


def _read_all(paths: Iterable[Path], kind: type[T]) -> Iterator[T]:
    return (record for path in paths if (record := read(path, kind)) is not None)
