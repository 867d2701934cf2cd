"""Brings manifests of data folder layout 2 to the present form, in their places. Landed pages stay as they are.

Names with scope and settled are those of layout 2. The tables have an upgrade of their own in `warehouse`.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from dcycle_pipeline.api.types import Proof
from dcycle_pipeline.data_folder import write_whole
from dcycle_pipeline.endpoints.organizations import Organization
from dcycle_pipeline.landing import lists, manifest
from dcycle_pipeline.landing.files import Landing
from dcycle_pipeline.landing.landed_file import key_of
from dcycle_pipeline.landing.lists import ListResult
from dcycle_pipeline.landing.manifest import SweepManifest, TreeManifest


@dataclass(frozen=True)
class _ScopeOfLayout2:
    scope_id: str | None
    outcome: str
    reason: str
    proof: Proof | None
    landed: bool
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True)
class _SweepOfLayout2:
    run_id: str
    run_started_at: datetime
    settled_at: datetime
    organization_id: str
    endpoint: str
    scopes: list[_ScopeOfLayout2]
    deleted: dict[str, str | None]


@dataclass(frozen=True)
class _TreeOfLayout2:
    run_id: str
    run_started_at: datetime
    settled_at: datetime
    root_organization_id: str
    organizations: list[Organization]
    absent: list[str]


def upgrade_manifests(root: Path) -> None:
    """Bring every manifest of layout 2 below `root` to the present form. Any other file stays as it is.

    Raises UnavailableError if one cannot be written. Those before it stay upgraded, and the next call goes on from there.
    """
    for path in manifest.tree_paths(root):
        if old_tree := manifest.read(path, _TreeOfLayout2):
            write_whole(path, msgspec.json.encode(_tree(old_tree)))
    for path in manifest.sweep_paths(root):
        if old_sweep := manifest.read(path, _SweepOfLayout2):
            write_whole(path, msgspec.json.encode(_sweep(root, old_sweep)))


def _tree(old: _TreeOfLayout2) -> TreeManifest:
    times = old.run_started_at, old.settled_at
    return TreeManifest(old.run_id, *times, old.root_organization_id, old.organizations, old.absent)


def _sweep(root: Path, old: _SweepOfLayout2) -> SweepManifest:
    landing = Landing(root, old.run_id)
    results = [_result(landing, old, scope) for scope in old.scopes]
    times = old.run_started_at, old.settled_at
    return SweepManifest(old.run_id, *times, old.organization_id, old.endpoint, results, old.deleted)


def _result(landing: Landing, old: _SweepOfLayout2, scope: _ScopeOfLayout2) -> ListResult:
    key = key_of(old.organization_id, old.endpoint, scope.scope_id)
    outcome, proof = scope.outcome, scope.proof
    if key.year is not None:
        outcome, proof = lists.ANSWERED if outcome == lists.PROVEN else outcome, None
    elif outcome == lists.PROVEN and proof is not None and proof.passes == 0:
        # Layout 2 noted an empty proof for a list that went with its facility, or that an organisation does not have.
        outcome, proof = lists.NO_FACILITIES if key.facility_id is None else lists.FACILITY_DELETED, None
    times = scope.started_at, scope.finished_at
    landed_file = landing.file(key) if scope.landed else None
    return ListResult(key, outcome, scope.reason, *times, old.run_id, proof, landed_file)
