"""Which proven reading of a list is the last one, and whose lists nobody reads any more: what several organisations list rests on it."""

from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.landing.lists import PROVEN
from dcycle_pipeline.warehouse.last_sweeps import CURRENT_LISTS
from dcycle_pipeline.warehouse.run_tables import LISTS

# One row per list: its last proven reading, the run that merged it first and when. A later run that did not ask for the list notes
# the same reading again, as its moments tell: that does not make it fresher. The last run that noted it says what was quarantined.
LAST_READS = f"""WITH last AS (
    SELECT endpoint, organization_id, facility_id, arg_max(finished_at, merged_at) AS finished_at,
        arg_max(run_id, merged_at) AS last_run_id, arg_max(distinct_ids_count, merged_at) AS distinct_ids_count
    FROM {LISTS.qualified} WHERE outcome = '{PROVEN}' AND endpoint <> '{ORGANIZATIONS.name}' GROUP BY ALL
)
SELECT endpoint, organization_id, last.facility_id, min(merged_at) AS read_at, arg_min(run_id, merged_at) AS run_id,
    any_value(last_run_id) AS last_run_id, any_value(last.distinct_ids_count) AS distinct_ids_count
FROM {LISTS.qualified} AS list JOIN last USING (endpoint, organization_id, finished_at)
WHERE list.outcome = '{PROVEN}' AND list.facility_id IS NOT DISTINCT FROM last.facility_id GROUP BY ALL"""

# Organisations that the tree no longer shows. Nobody reads them, so what they once listed is not listed now.
ABSENT = f"""SELECT organization_id FROM ({CURRENT_LISTS}) WHERE endpoint = '{ORGANIZATIONS.name}' AND is_unproven"""
