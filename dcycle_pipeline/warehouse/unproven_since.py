"""The query for the lists that are unproven now, with their names and since when. What an unproven list is belongs to `last_sweeps`."""

from dcycle_pipeline.landing.lists import NOTHING_MISSING
from dcycle_pipeline.schema import quoted
from dcycle_pipeline.warehouse.last_sweeps import UNPROVEN_LISTS
from dcycle_pipeline.warehouse.run_tables import LISTS

_KEY = "organization_id, endpoint, facility_id"


def _same_list(one: str, other: str) -> str:
    return f"""{one}.organization_id = {other}.organization_id AND {one}.endpoint = {other}.endpoint
        AND {one}.facility_id IS NOT DISTINCT FROM {other}.facility_id"""


# A sweep notes what it could not prove. So a list was whole in each sweep of its organisation and endpoint that says nothing of it.
UNPROVEN_SINCE = f"""WITH unproven AS ({UNPROVEN_LISTS}), missed AS (
    SELECT run_id, {_KEY}, merged_at FROM {LISTS.qualified} WHERE outcome NOT IN ({", ".join(map(quoted, NOTHING_MISSING))})
), sweeps AS (
    SELECT DISTINCT run_id, endpoint, CASE endpoint WHEN 'organizations' THEN '' ELSE organization_id END AS swept_organization_id, merged_at
    FROM {LISTS.qualified}
), whole AS (
    SELECT unproven.organization_id, unproven.endpoint, unproven.facility_id, max(sweeps.merged_at) AS whole_at
    FROM unproven JOIN sweeps ON sweeps.endpoint = unproven.endpoint AND swept_organization_id IN ('', unproven.organization_id)
    ANTI JOIN missed ON missed.run_id = sweeps.run_id AND {_same_list("missed", "unproven")}
    GROUP BY ALL
), since AS (
    SELECT missed.organization_id, missed.endpoint, missed.facility_id, min(missed.merged_at) AS unproven_since
    FROM missed LEFT JOIN whole ON {_same_list("whole", "missed")} WHERE whole_at IS NULL OR missed.merged_at > whole_at
    GROUP BY ALL
)
SELECT unproven.*, organizations.name AS organization, facilities.name AS facility, unproven_since
FROM unproven LEFT JOIN since ON {_same_list("since", "unproven")}
LEFT JOIN dcycle.organizations AS organizations ON organizations.organization_id = unproven.organization_id
LEFT JOIN dcycle.facilities AS facilities
    ON facilities.organization_id = unproven.organization_id AND facilities.facility_id = unproven.facility_id
ORDER BY unproven.organization_id, unproven.endpoint, unproven.facility_id"""
