"""What a run decided, beside its landed pages: the tree, each organisation's sweep of an endpoint, and the run's end.

The tables are made from these and the pages alone, so that a rebuild or a replay needs no API.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from dcycle_pipeline.data_folder import write_whole
from dcycle_pipeline.endpoints.organizations import Organization
from dcycle_pipeline.landing.files import ENDED, organization_folder, runs_that_died
from dcycle_pipeline.landing.lists import ListResult

TREE = "tree.json"
SUFFIX = ".sweep.json"
T = TypeVar("T")


@dataclass(frozen=True)
class TreeManifest:
    """The organisations as a run saw them, and those that should be there and are `absent`."""

    run_id: str
    run_started_at: datetime
    merged_at: datetime
    root_organization_id: str
    organizations: list[Organization]
    absent: list[str]


@dataclass(frozen=True)
class SweepManifest:
    """One organisation's sweep of one endpoint, decided. `deleted` are ids that the API confirmed to be gone, with their facility."""

    run_id: str
    run_started_at: datetime
    merged_at: datetime
    organization_id: str
    endpoint: str
    results: list[ListResult]
    deleted: dict[str, str | None]


@dataclass(frozen=True)
class RunEnd:
    """How a run ended: published, or over without that."""

    published_at: datetime | None


def write_tree(root: Path, tree: TreeManifest) -> None:
    """Write the tree into the folder of its run below `root`."""
    _write(root / tree.run_id / TREE, tree)


def write_sweep(root: Path, sweep: SweepManifest) -> None:
    """Write a sweep into the folder of its run and organisation below `root`."""
    _write(organization_folder(root / sweep.run_id, sweep.organization_id) / f"{sweep.endpoint}{SUFFIX}", sweep)


def end_run(root: Path, run_id: str, published_at: datetime | None = None) -> None:
    """The run is over: no other takes anything of it over."""
    _write(root / run_id / ENDED, RunEnd(published_at))


def end_with_all_before(root: Path, run_id: str, published_at: datetime | None = None) -> None:
    """The run is over, and with it those that died before: what it took over of them is not taken over once more."""
    for folder in runs_that_died(root):
        if folder.name != run_id:
            end_run(root, folder.name)
    end_run(root, run_id, published_at)


def _write(path: Path, record: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, msgspec.json.encode(record))


def trees(root: Path) -> Iterator[TreeManifest]:
    """Every tree that is landed below `root`. One that cannot be read was never whole and is passed over."""
    return _read(tree_paths(root), TreeManifest)


def sweeps(root: Path) -> Iterator[SweepManifest]:
    """Every sweep that is landed below `root`."""
    return _read(sweep_paths(root), SweepManifest)


def tree_paths(root: Path) -> Iterator[Path]:
    return root.glob(f"*/{TREE}")


def sweep_paths(root: Path) -> Iterator[Path]:
    return root.glob(f"*/*/*{SUFFIX}")


def ends(root: Path) -> dict[str, RunEnd]:
    """How runs ended, by run."""
    paths = list(root.glob(f"*/{ENDED}"))
    return {path.parent.name: end for path in paths for end in _read(iter([path]), RunEnd)}


def was_published(root: Path, run_id: str) -> bool:
    """Whether a run noted at its end that it put its snapshot in place."""
    return any(end.published_at for end in _read(iter([root / run_id / ENDED]), RunEnd))


def _read(paths: Iterator[Path], kind: type[T]) -> Iterator[T]:
    for path in paths:
        try:
            yield msgspec.json.decode(path.read_bytes(), type=kind)
        except (OSError, msgspec.MsgspecError):
            continue
