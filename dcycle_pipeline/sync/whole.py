"""A whole sync in one process: the steps of the Dagster job, in its order, without Dagster."""

from collections.abc import Sequence

from dcycle_pipeline.endpoints import YEAR_TOTALS
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
