"""What a run decided, beside its landed pages: the tree, each organisation's sweep, and the run's end.

Together with the pages it is all that the tables are made from, so that they can be made again without the API.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from dcycle_pipeline.api.types import Proof
from dcycle_pipeline.data_folder import write_whole
from dcycle_pipeline.endpoints.organizations import Organization
from dcycle_pipeline.landing.fetch import Scope, Swept
from dcycle_pipeline.landing.files import ENDED, Landing, organization_folder, runs_that_died

TREE = "tree.json"
SUFFIX = ".sweep.json"
T = TypeVar("T")


@dataclass(frozen=True)
class LandedTree:
    """The organisations as a run saw them, and those that should be there and are `absent`."""

    run_id: str
    run_started_at: datetime
    settled_at: datetime
    root_organization_id: str
    organizations: list[Organization]
    absent: list[str]


@dataclass(frozen=True)
class LandedScope:
    """What became of one scope; its pages are landed where it is proven and was not empty for want of a parent."""

    scope_id: str | None
    outcome: str
    reason: str
    proof: Proof | None
    landed: bool
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True)
class LandedSweep:
    """One organisation's sweep of one endpoint, decided: `deleted` are rows that the API confirmed to be gone, by scope."""

    run_id: str
    run_started_at: datetime
    settled_at: datetime
    organization_id: str
    endpoint: str
    scopes: list[LandedScope]
    deleted: dict[str, str | None]

    def swept(self, root: Path) -> list[Swept]:
        """The scopes with their landed files below `root`."""
        landing = Landing(root, self.run_id)
        found = []
        for one in self.scopes:
            scope = Scope(self.organization_id, self.endpoint, one.scope_id)
            path = landing.path(self.organization_id, self.endpoint, one.scope_id) if one.landed else None
            times = one.started_at, one.finished_at
            found.append(Swept(scope, one.outcome, one.reason, one.proof, path, *times, self.run_id))
        return found


@dataclass(frozen=True)
class RunEnd:
    """How a run ended: published, or over without that."""

    published_at: datetime | None


def landed_scope(swept: Swept) -> LandedScope:
    times = swept.started_at, swept.finished_at
    return LandedScope(swept.scope.scope_id, swept.outcome, swept.reason, swept.proof, swept.path is not None, *times)


def keep_tree(root: Path, tree: LandedTree) -> None:
    _keep(root / tree.run_id / TREE, tree)


def keep_sweep(root: Path, sweep: LandedSweep) -> None:
    _keep(organization_folder(root / sweep.run_id, sweep.organization_id) / f"{sweep.endpoint}{SUFFIX}", sweep)


def end_run(root: Path, run_id: str, published_at: datetime | None = None) -> None:
    """The run is over: nothing of it is taken over by another."""
    _keep(root / run_id / ENDED, RunEnd(published_at))


def end_with_all_before(root: Path, run_id: str, published_at: datetime | None = None) -> None:
    """The run is over, and with it those that died before: what it took over of them is not taken over once more."""
    for folder in runs_that_died(root):
        if folder.name != run_id:
            end_run(root, folder.name)
    end_run(root, run_id, published_at)


def _keep(path: Path, record: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, msgspec.json.encode(record))


def trees(root: Path) -> Iterator[LandedTree]:
    """Every tree that is landed below `root`. What cannot be read is passed over: it was never whole."""
    return _read(root.glob(f"*/{TREE}"), LandedTree)


def sweeps(root: Path) -> Iterator[LandedSweep]:
    """Every sweep that is landed below `root`."""
    return _read(root.glob(f"*/*/*{SUFFIX}"), LandedSweep)


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
