"""A backfill: a sync of chosen organisations or facilities, planned before it reads and compared before it publishes.

It reads, merges and publishes by the steps of a sync, so a sync afterwards finds nothing to do. It works on a draft until somebody
says that it may publish. One process does all of it, whatever the period.
"""

from dcycle_pipeline.endpoints import YEAR_TOTALS
from dcycle_pipeline.sync.draft import adopt
from dcycle_pipeline.sync.due import Selection
from dcycle_pipeline.sync.lists import sync_endpoint
from dcycle_pipeline.sync.naming import known_names
from dcycle_pipeline.sync.plan import Plan
from dcycle_pipeline.sync.publication import Publication, publish
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.sync.year_totals import sync_totals


def read_planned(run: Run, plan: Plan) -> None:
    """Read what is planned and merge it into the draft. What cannot be read is in `sync.lists`. Raises UnavailableError if the folder fails."""
    run.progress.called(known_names(run))
    for endpoint in run.endpoints:
        if endpoint.parent is not None:
            sync_endpoint(run, endpoint, plan.organization_ids, Selection(plan.facility_ids))
    for total in YEAR_TOTALS:
        sync_totals(run, total, plan.organization_ids)


def publish_draft(run: Run) -> Publication:
    """Put the draft in the place of the working file and publish it. Raises what `adopt` and `publish` do."""
    adopt(run)
    return publish(run)
