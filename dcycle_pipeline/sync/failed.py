"""What the last runs left unread, to read just that again. Why it was left unread is in `sync.lists`."""

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.files import runs_that_died
from dcycle_pipeline.landing.lists import HELD
from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.endings import read_endings
from dcycle_pipeline.sync.organizations import wanted_organizations
from dcycle_pipeline.warehouse.gaps import GAPS


def organizations_left_unread(settings: Settings) -> list[str] | None:
    """Ids of the organisations with a list that could not be proven, or that a run which died had begun to read again; None if the
    last whole run published nothing, and so left all unread.

    A large drop that is held waits for a person, and who left the tree cannot be read: neither is among them. Raises as `read_tree` does.
    """
    folder = DataFolder(settings.data_dir)
    died = [run for run in runs_that_died(folder.landing) if not manifest.is_draft(run)]
    whole = [run for run in died if manifest.is_of_all(run)]
    if not folder.published.exists() or whole or _last_run_failed(folder):
        return None
    unread = _with_gaps(folder).union(*map(manifest.organizations_of, died))
    wanted = wanted_organizations(settings) if unread else []
    return [each.organization_id for each in wanted if each.organization_id in unread]


def organizations_with_gaps(settings: Settings) -> list[str]:
    """Ids of all organisations of which the published file lacks a list that could not be proven, whether or not they are still synced."""
    return sorted(_with_gaps(DataFolder(settings.data_dir)))


def _with_gaps(folder: DataFolder) -> set[str]:
    with Published(folder.readable) as published:
        lists = published.rows(GAPS["unproven_lists"])
    return {row["organization_id"] for row in lists if row["outcome"] != HELD and row["endpoint"] != ORGANIZATIONS.name}


def _last_run_failed(folder: DataFolder) -> bool:
    """Whether it ended without a publication. What it landed is taken over, and not asked for again.

    A run over pending records that went well since then makes up for nothing: it asked for few lists.
    """
    ended = [ending for ending in read_endings(folder).runs if not ending.pending_only]
    return bool(ended and ended[-1].reason)
