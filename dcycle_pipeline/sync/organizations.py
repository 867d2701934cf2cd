"""The first step: which organisations there are, and bringing `dcycle.organizations` in step with the tree."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import duckdb
import msgspec

from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS, PATH, Organization, Tree, flatten
from dcycle_pipeline.errors import ContractError, ListError, SettingsError, TransientError, UnavailableError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.manifest import TreeManifest
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync import recovery
from dcycle_pipeline.sync.clock import wrong_clock
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.database import transaction
from dcycle_pipeline.warehouse.load import merge_tree, tree_result

_log = logging.getLogger(__name__)
NONE_LEFT = "No organisation is left to sync: see include and exclude in DCYCLE_ORGANIZATIONS_FILE."
APPEARED = "appeared in the tree while this run was starting and is not part of it: sync again"


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


def wanted_organizations(settings: Settings) -> list[str]:
    """Ids of the organisations that a sync reads, root first. Raises as `read_tree` does."""
    tree, *_ = read_tree(settings)
    return [o.organization_id for o in tree.organizations if settings.organizations.wants(o.organization_id)]


def organizations_to_sync(settings: Settings, named: Iterable[str]) -> list[str]:
    """The same, once it is known that all that a command `named` are among them. Raises SettingsError if one is not, or none is left."""
    found = wanted_organizations(settings)
    if unknown := [identifier for identifier in named if identifier not in found]:
        raise SettingsError(
            f"Organisation {', '.join(unknown)} is not among those that are synced: {', '.join(found)}."
        )
    if not found:
        raise SettingsError(NONE_LEFT)
    return found


def note_unreached(run: Run, organization_ids: list[str]) -> None:
    """Report organisations that this run does not reach, because they appeared while it was starting."""
    if organization_ids:
        with run.working_file() as connection, transaction(connection):
            moment, started_at = run_log.moment(connection, run.now()), run.started_at(connection)
            tree = TreeManifest(run.run_id, started_at, moment, "", [], organization_ids)
            results = [tree_result(tree, identifier, APPEARED) for identifier in organization_ids]
            run_log.record_lists(connection, run.run_id, results, moment)


def refresh_organizations(run: Run) -> list[Organization]:
    """Bring `dcycle.organizations` in step with the tree; the organisations that are synced.

    An organisation that the tree no longer shows keeps its rows and is reported until it is excluded. Raises as `read_tree` does.
    """
    tree, requests_count, server_date = read_tree(run.settings)
    if wrong := wrong_clock(server_date, run.now()):
        _log.warning("%s", wrong)
    wanted = [each for each in tree.organizations if run.settings.organizations.wants(each.organization_id)]
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
        landed = TreeManifest(run.run_id, *times, root, wanted, absent, tree.unusable, excluded, run.backfill)
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
