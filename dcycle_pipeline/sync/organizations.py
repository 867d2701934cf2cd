"""The first step: which organisations there are, and bringing `dcycle.organizations` in step with the tree."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import duckdb
import msgspec

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS, PATH, Organization, Tree, flatten
from dcycle_pipeline.errors import ContractError, ListError, SettingsError, TransientError, UnavailableError, UsageError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.manifest import TreeManifest
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync import recovery
from dcycle_pipeline.sync.clock import wrong_clock
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.load import merge_tree

_log = logging.getLogger(__name__)
NONE_LEFT = "No organisation is left to sync: see include and exclude in DCYCLE_ORGANIZATIONS_FILE."


def read_tree(settings: Settings) -> tuple[Tree, int, str]:
    """All organisations of the group as the API lists them now, the requests that it took, and the API's time as an HTTP date.

    Raises SettingsError for a wrong credential or an unknown organisation, UnavailableError if the API cannot be read.
    """
    where = f"GET {PATH} (organisation {settings.organization_id})"

    def understand(body: bytes) -> Any:
        root = msgspec.json.decode(body)
        if not isinstance(root, dict) or not {"id", "children"} & root.keys():
            raise TransientError(f"{where}: 200, but the body is not a tree; report it to Dcycle if it stays so.")
        return root

    async def read() -> tuple[Any, int, str]:
        async with DcycleApi(settings) as api:
            root = await api.ask(PATH, (), settings.organization_id, where, understand)
            return root, api.requests_count, api.server_date

    try:
        root, requests_count, server_date = asyncio.run(read())
        return flatten(root), requests_count, server_date
    except (ContractError, TransientError) as error:
        raise UnavailableError(f"{error} Nothing was published; the last published file stays.") from None
    except ListError as error:
        raise SettingsError(f"{error} Check DCYCLE_API_KEY, DCYCLE_ORGANIZATION_ID and DCYCLE_BASE_URL.") from None


def wanted_organizations(settings: Settings) -> list[Organization]:
    """The organisations that a sync reads, root first. Raises as `read_tree` does."""
    tree, *_ = read_tree(settings)
    return _wanted(settings, tree.organizations)


def _wanted(settings: Settings, there: Iterable[Organization]) -> list[Organization]:
    return [each for each in there if settings.organizations.wants(each.organization_id)]


def verify_named(settings: Settings, named: Iterable[str]) -> None:
    """Ask the API whether all that a command `named` are among the organisations that a sync reads.

    Raises UsageError if one is not, SettingsError if none is left, and as `read_tree` does.
    """
    found = wanted_organizations(settings)
    refuse_unknown(named, [each.organization_id for each in found])
    if not found:
        raise SettingsError(NONE_LEFT)


def refuse_unknown(named: Iterable[str], found: list[str]) -> None:
    """Raises UsageError if an organisation that somebody named is not among those that are synced."""
    if unknown := [identifier for identifier in named if identifier not in found]:
        raise UsageError(f"Organisation {', '.join(unknown)} is not among those that are synced: {', '.join(found)}.")


def organizations_last_read(run: Run) -> list[str]:
    """Ids of the organisations that the tree last showed and that are synced, root first. Empty if no tree was ever read."""
    last = max(manifest.trees(run.folder.landing), key=lambda tree: tree.merged_at, default=None)
    return [each.organization_id for each in _wanted(run.settings, last.organizations if last else [])]


def refresh_organizations(run: Run) -> list[Organization]:
    """Bring `dcycle.organizations` in step with the tree; the organisations that are synced.

    An organisation that the tree no longer shows keeps its rows and is reported until it is excluded. Raises as `read_tree` does.
    """
    tree, requests_count, server_date = read_tree(run.settings)
    if wrong := wrong_clock(server_date, run.now()):
        _log.warning("%s", wrong)
    wanted = _wanted(run.settings, tree.organizations)
    run.progress.called({each.organization_id: each.name for each in tree.organizations if each.name})
    if not wanted:
        raise SettingsError(NONE_LEFT)
    run.folder.prepare()
    with run.folder.writing(f"run {run.run_id}", run.wait_for_folder_seconds):
        recovery.remember_owner(run.folder)
        root = _root_of(run, tree)
        former = run.folder.claim(root, {each.organization_id for each in tree.organizations})
    if former:
        _log.warning("Organisation %s now stands above %s: the folder follows it, and history goes on.", root, former)
    with run.working_file() as connection:
        absent = _absent(connection, run.settings, {each.organization_id for each in tree.organizations})
        times = run.started_at(connection), run_log.moment(connection, run.now())
        excluded = [each for each in tree.organizations if each not in wanted]
        landed = TreeManifest(
            run.run_id, *times, root, wanted, absent, tree.unusable, excluded, run.backfill, run.completes
        )
        manifest.write_tree(run.folder.landing, landed)
        merge_tree(connection, landed)
        run_log.add_requests(connection, run.run_id, requests_count, set())
    return wanted


def _root_of(run: Run, tree: Tree) -> str:
    """The root of the tree. If it has no usable id, that of the folder, if the folder knows organisations of the tree."""
    if tree.root_id is not None:
        return tree.root_id
    known = {each.organization_id for landed in manifest.trees(run.folder.landing) for each in landed.organizations}
    owner = run.folder.about().get("root_organization_id")
    is_known = owner and (known | {owner}) & {each.organization_id for each in tree.organizations}
    return str(owner) if is_known else run.settings.organization_id


def _absent(connection: duckdb.DuckDBPyConnection, settings: Settings, tree: set[str]) -> list[str]:
    """Organisations that should be synced but that the tree does not show: known ones and those asked for by name."""
    known = {row[0] for row in connection.execute(f"SELECT organization_id FROM {ORGANIZATIONS.qualified}").fetchall()}
    asked = known | (settings.organizations.include or set())
    return sorted(identifier for identifier in asked - tree if settings.organizations.wants(identifier))
