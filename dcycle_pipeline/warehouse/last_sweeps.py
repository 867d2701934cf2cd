"""The queries that say what the tables rest on now: of each endpoint and organisation, the lists, gaps and doubts of its last sweep.

The run tables that they ask belong to `run_tables`.
"""

from dcycle_pipeline.endpoints import YEAR_TOTALS, declared
from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.landing.lists import NOT_READ, NOTHING_MISSING
from dcycle_pipeline.schema import quoted
from dcycle_pipeline.warehouse.run_tables import DECISIONS, DOUBTFUL_ROWS, LISTS, QUARANTINE

# A run may read one organisation only, or publish what other runs read. So the last sweep of each endpoint counts for every
# organisation that is still synced, whichever run made it.
_LAST_SWEEP = f"""(SELECT endpoint, swept_organization_id, arg_max(run_id, merged_at) AS run_id FROM (
    SELECT *, CASE endpoint WHEN 'organizations' THEN '' ELSE organization_id END AS swept_organization_id
    FROM {LISTS.qualified}
    WHERE endpoint = 'organizations' OR organization_id IN (SELECT organization_id FROM dcycle.organizations)
) GROUP BY ALL)"""
_OF_LAST_SWEEP = f"""JOIN {_LAST_SWEEP} AS last_sweep ON last_sweep.run_id = found.run_id AND last_sweep.endpoint = found.endpoint
    AND swept_organization_id IN ('', found.organization_id)"""
# Year totals only inform, so a total that could not be read is no gap.
_IS_TOTAL = f"found.endpoint IN ({', '.join(quoted(total.name) for total in YEAR_TOTALS)})"
_IS_UNPROVEN = f"outcome NOT IN ({', '.join(map(quoted, NOTHING_MISSING))})"
LAST_LISTS = f"SELECT found.*, {_IS_UNPROVEN} AS is_unproven FROM {LISTS.qualified} AS found {_OF_LAST_SWEEP}"
_LAST_QUARANTINE = f"SELECT found.* FROM {QUARANTINE.qualified} AS found {_OF_LAST_SWEEP}"
CURRENT_QUARANTINE = f"{_LAST_QUARANTINE} WHERE NOT {_IS_TOTAL}"


def _due(endpoint: Endpoint) -> str:
    """The lists of an endpoint that every complete sweep reads: of each organisation, and of each facility that is known.

    The list of no facility stands for an organisation of which no facility is known.
    """
    facility, join = "NULL::VARCHAR", ""
    if endpoint.parent is not None:
        facility, join = (
            f"parent.{endpoint.parent_parameter}",
            f"LEFT JOIN dcycle.{endpoint.parent} AS parent USING (organization_id)",
        )
    return f"""SELECT organization_id, o.name AS organization, '{endpoint.name}' AS endpoint, {facility} AS facility_id
    FROM dcycle.organizations AS o {join}"""


# What was never read counts as missing, not as nothing: a sweep of the organisation has no row of a list that it could not know.
_DUE = " UNION ALL ".join(_due(endpoint) for endpoint in declared())
CURRENT_LISTS = f"""WITH last_lists AS ({LAST_LISTS} WHERE NOT {_IS_TOTAL})
SELECT * FROM last_lists UNION ALL BY NAME SELECT organization_id, endpoint, facility_id, '{NOT_READ}' AS outcome, true AS is_unproven,
    0 AS quarantined_count, 'No run has read it yet: sync organisation ' || organization_id || ' (' || organization || ')' AS reason
FROM ({_DUE}) AS due WHERE NOT EXISTS (SELECT 1 FROM last_lists AS known WHERE known.organization_id = due.organization_id
    AND known.endpoint = due.endpoint AND (due.facility_id IS NULL OR known.facility_id = due.facility_id))"""
CURRENT_YEAR_TOTALS, YEAR_TOTALS_QUARANTINE = (f"{last} WHERE {_IS_TOTAL}" for last in (LAST_LISTS, _LAST_QUARANTINE))
UNPROVEN_LISTS = f"""SELECT organization_id, endpoint, facility_id, outcome, reason FROM ({CURRENT_LISTS})
WHERE is_unproven ORDER BY ALL"""
# How many of the lists were read before a moment, how many there are, and when the first was.
READ_BEFORE = f"""SELECT count(*) FILTER (started_at < $1), count(*), min(started_at)
FROM ({LAST_LISTS} WHERE NOT {_IS_TOTAL} AND found.endpoint <> 'organizations')"""
QUARANTINED = (
    f"""SELECT organization_id, endpoint, facility_id, item_id, reason FROM ({CURRENT_QUARANTINE}) ORDER BY ALL"""
)
LAST_DOUBTFUL_ROWS = f"SELECT found.* FROM {DOUBTFUL_ROWS.qualified} AS found {_OF_LAST_SWEEP}"
CURRENT_DOUBTFUL_ROWS = f"""SELECT doubt.* FROM ({LAST_DOUBTFUL_ROWS}) AS doubt WHERE NOT EXISTS (
    SELECT 1 FROM {DECISIONS.qualified} AS decided WHERE decided.organization_id = doubt.organization_id
        AND decided.endpoint = doubt.endpoint AND decided.item_id = doubt.item_id AND decided_at >= doubtful_since)"""
DOUBTFUL = f"""SELECT organization_id, endpoint, facility_id, item_id, reason, doubtful_since
FROM ({CURRENT_DOUBTFUL_ROWS}) ORDER BY ALL"""
# A facility that several organisations list stands for its records.
LISTED_TWICE = """SELECT endpoint, item_id, counted_organization_id, list(organization_id ORDER BY organization_id) AS organization_ids
FROM summaries.listed_twice
WHERE endpoint = 'facilities' OR facility_id NOT IN (SELECT item_id FROM summaries.listed_twice WHERE endpoint = 'facilities')
GROUP BY endpoint, item_id, counted_organization_id ORDER BY ALL"""
