"""Declarations of the `sync` tables, and the queries that say what the present rests on. Writing their rows belongs to `ledger`."""

from dcycle_pipeline.endpoints import YEAR_TOTALS
from dcycle_pipeline.schema import Column, Table, quoted

_OURS = "dcycle_pipeline"


def _column(name: str, type_: str, meaning: str, unit: str | None = None) -> Column:
    return Column(name, type_, meaning, _OURS, unit)


RUNS = Table(
    "sync",
    "runs",
    "One row per run that read or published anything",
    ("run_id",),
    (
        _column("run_id", "VARCHAR", "Dagster run"),
        _column("started_at", "TIMESTAMPTZ", "First step of the run"),
        _column("published_at", "TIMESTAMPTZ", "When this run put its snapshot in place, null where it has not"),
        _column(
            "outcome",
            "VARCHAR",
            "loaded (read, not published by this run), published, published_with_gaps, or rolled_back (an earlier snapshot put back)",
        ),
        _column("organizations_count", "BIGINT", "Organisations that the published file rests on", "1"),
        _column("requests_count", "BIGINT", "Requests sent to the API, repetitions included", "1"),
        _column("rows_count", "BIGINT", "Distinct rows that the API showed in proven scopes of the last sweeps", "1"),
        _column(
            "scopes_proven_count", "BIGINT", "Scopes of the last sweeps that were read completely, with proof", "1"
        ),
        _column(
            "scopes_open_count",
            "BIGINT",
            "Scopes unproven, held, forbidden, not found or unauthorized; their last rows stay",
            "1",
        ),
        _column("quarantined_count", "BIGINT", "Items rejected in the last sweeps", "1"),
        _column("drift", "VARCHAR[]", "Fields that the API sends and no declaration knows, endpoint.field"),
        _column("content_hash", "VARCHAR", "Hash over all content of dcycle, history and summaries"),
        _column("content_changed", "BOOLEAN", "Whether that differs from the snapshot before"),
        _column("root_organization_id", "VARCHAR", "Root of the tree of organisations"),
        _column("pipeline_version", "VARCHAR", "Version of dcycle_pipeline"),
    ),
)

SCOPES = Table(
    "sync",
    "scopes",
    "One row per run, organisation, endpoint and facility: the proof that all of it was read, or why not. total_impacts has one a "
    "year, for information: it is never counted as open",
    ("run_id", "organization_id", "endpoint", "facility_id"),
    (
        _column("run_id", "VARCHAR", "Dagster run"),
        _column("organization_id", "VARCHAR", "Organisation that was asked for"),
        _column("endpoint", "VARCHAR", "organizations, facilities, waste_water_treatments or total_impacts"),
        _column(
            "facility_id",
            "VARCHAR",
            "Facility, of total_impacts the calendar year; null for what is asked once an organisation",
        ),
        _column("outcome", "VARCHAR", "proven, unproven, held, forbidden, not_found or unauthorized"),
        _column("reason", "VARCHAR", "Why it is not proven, and what to do; empty when it is"),
        _column("rows_count", "BIGINT", "Rows received, repetitions included", "1"),
        _column("distinct_ids_count", "BIGINT", "Distinct ids received", "1"),
        _column("counter", "BIGINT", "Rows that exist, as the API's counter says", "1"),
        _column("passes_count", "BIGINT", "Times the list was walked", "1"),
        _column("pages_count", "BIGINT", "Pages received", "1"),
        _column("deleted_count", "BIGINT", "Rows that vanished and that the API confirmed to be gone", "1"),
        _column("quarantined_count", "BIGINT", "Items rejected in this scope", "1"),
        _column(
            "started_at",
            "TIMESTAMPTZ",
            "First request; before the run's start where a run that died had landed the pages",
        ),
        _column("finished_at", "TIMESTAMPTZ", "Last answer"),
        _column("settled_at", "TIMESTAMPTZ", "When its rows were merged: valid_from of the versions that it brought"),
    ),
)

QUARANTINE = Table(
    "sync",
    "quarantine",
    "One row per rejected item of a run; the last good version of the row, if any, stays in its table",
    ("run_id", "organization_id", "endpoint", "facility_id", "page", "position"),
    (
        _column("run_id", "VARCHAR", "Dagster run"),
        _column("organization_id", "VARCHAR", "Organisation that was asked for"),
        _column("endpoint", "VARCHAR", "Endpoint that sent the item"),
        _column("facility_id", "VARCHAR", "Facility that was asked for, of total_impacts the calendar year"),
        _column("item_id", "VARCHAR", "Id of the item, empty where it has none"),
        _column("reason", "VARCHAR", "What is wrong with it"),
        _column("page", "BIGINT", "Page of the walk", "1"),
        _column("position", "BIGINT", "Place on the page, from 0", "1"),
        _column("item", "VARCHAR", "The item as received, without personal data, JSON"),
        _column("landed_file", "VARCHAR", "File below landing/ that holds the page"),
        _column("quarantined_at", "TIMESTAMPTZ", "When it was rejected"),
    ),
)

TABLES = (RUNS, SCOPES, QUARANTINE)

# A run may read one organisation, or publish what others read: what counts is the last sweep of each organisation and
# endpoint that is still synced, whichever run made it.
_LAST_SWEEP = f"""(SELECT endpoint, swept_organization_id, arg_max(run_id, settled_at) AS run_id FROM (
    SELECT *, CASE endpoint WHEN 'organizations' THEN '' ELSE organization_id END AS swept_organization_id
    FROM {SCOPES.qualified}
    WHERE endpoint = 'organizations' OR organization_id IN (SELECT organization_id FROM dcycle.organizations)
) GROUP BY ALL)"""
_OF_LAST_SWEEP = f"""JOIN {_LAST_SWEEP} AS last_sweep ON last_sweep.run_id = found.run_id AND last_sweep.endpoint = found.endpoint
    AND swept_organization_id IN ('', found.organization_id)"""
# Year totals inform and nothing rests on them: they stand apart, so that no failure of theirs counts as a gap.
_INFORMS = f"found.endpoint IN ({', '.join(quoted(total.name) for total in YEAR_TOTALS)})"
LAST_SCOPES = f"SELECT found.* FROM {SCOPES.qualified} AS found {_OF_LAST_SWEEP}"
_LAST_QUARANTINE = f"SELECT found.* FROM {QUARANTINE.qualified} AS found {_OF_LAST_SWEEP}"
CURRENT_SCOPES, CURRENT_QUARANTINE = (f"{last} WHERE NOT {_INFORMS}" for last in (LAST_SCOPES, _LAST_QUARANTINE))
TOTALS_SCOPES, TOTALS_QUARANTINE = (f"{last} WHERE {_INFORMS}" for last in (LAST_SCOPES, _LAST_QUARANTINE))
OPEN_SCOPES = f"""SELECT organization_id, endpoint, facility_id, outcome, reason FROM ({CURRENT_SCOPES})
WHERE outcome <> 'proven' ORDER BY ALL"""
QUARANTINED = (
    f"""SELECT organization_id, endpoint, facility_id, item_id, reason FROM ({CURRENT_QUARANTINE}) ORDER BY ALL"""
)
PUBLISHED = "('published', 'published_with_gaps')"
