"""A whole sync in one process: the steps of the Dagster job, in its order, without Dagster. And the run that completes one, for both."""

from collections.abc import Sequence
from uuid import uuid4

from dcycle_pipeline.api.breaker import Outages
from dcycle_pipeline.endpoints import YEAR_TOTALS
from dcycle_pipeline.landing.lists import FACILITIES_NOT_READ, UNPROVEN
from dcycle_pipeline.sync.lists import sync_endpoint
from dcycle_pipeline.sync.organizations import refresh_organizations
from dcycle_pipeline.sync.publication import Publication, publish
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.year_totals import sync_totals


def sync_whole(run: Run, organization_ids: Sequence[str] = ()) -> Publication:
    """Read every organisation (or those named), derive the summaries, publish.

    Raises SettingsError for a wrong credential, UnavailableError if nothing can be read or published, UnsoundError if a check
    forbids the publication.
    """
    found = [organization.organization_id for organization in refresh_organizations(run)]
    asked = list(organization_ids or found)
    for endpoint in run.endpoints:
        sync_endpoint(run, endpoint, asked)
    for total in YEAR_TOTALS:
        sync_totals(run, total, asked)
    return publish(run)


def late_run(run: Run) -> Run:
    """The run that asks once more, with all patience, who gave no answer to `run`."""
    return Run(
        str(uuid4()),
        run.settings,
        run.progress,
        wait_for_folder_seconds=run.wait_for_folder_seconds,
        accepted_drops=run.accepted_drops,
        completes=run.run_id,
        outages=Outages(others_answered=True),
    )


def sync_late(run: Run, organization_ids: Sequence[str]) -> Publication | None:
    """Read organisations once more that gave no answer to the run before, which published, and publish if one of their lists got a
    word now, be it a denial.

    Raises as `sync_whole`.
    """
    refresh_organizations(run)
    asked = list(organization_ids)
    sweeps = [sync_endpoint(run, endpoint, asked) for endpoint in run.endpoints]
    results = [result for sweep in sweeps for found in sweep.lists.values() for result in found]
    if all(result.outcome in (UNPROVEN, FACILITIES_NOT_READ) for result in results):
        run.end()
        return None
    for total in YEAR_TOTALS:
        sync_totals(run, total, asked)
    return publish(run)
