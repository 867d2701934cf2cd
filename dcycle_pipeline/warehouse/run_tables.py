"""Declares the run tables (`sync.*`). `run_log` writes their rows; `last_sweeps` says what all tables rest on now."""

from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.schema import Additivity, Column, Table
from dcycle_pipeline.warehouse.deliveries import DESTINATIONS

_OURS = "dcycle_pipeline"


def _column(name: str, type_: str, meaning: str) -> Column:
    return Column(name, type_, meaning, _OURS)


def _count(name: str, meaning: str, additivity: Additivity = "latest") -> Column:
    """A number of things. What a run tells of lists and rows, the next run tells again."""
    return Column(name, "BIGINT", meaning, _OURS, "1", additivity=additivity)


def _place(name: str, meaning: str, unit: str | None = None, type_: str = "BIGINT") -> Column:
    """A number that says where something is."""
    return Column(name, type_, meaning, _OURS, unit, additivity="none")


RUNS = Table(
    "sync",
    "runs",
    "One row per run that read or published anything",
    ("run_id",),
    (
        _column("run_id", "VARCHAR", "Dagster run"),
        _column("started_at", "TIMESTAMPTZ", "First step of the run"),
        _column("published_at", "TIMESTAMPTZ", "When this run put its snapshot in place; null if it did not"),
        _column(
            "summarised_at",
            "TIMESTAMPTZ",
            "When this run last brought the summaries up to date: valid_from of their versions that came from it; null if it did not",
        ),
        _column(
            "outcome",
            "VARCHAR",
            "loaded (this run read, but did not publish), published, published_with_gaps, or rolled_back (it put an earlier snapshot back)",
        ),
        _count("organizations_count", "Organisations that the published file rests on"),
        _count("requests_count", "Requests sent to the API, repetitions included", "sum"),
        _count("rows_count", "Distinct rows that the API showed in the proven lists of the last sweeps"),
        _count("lists_proven_count", "Lists of the last sweeps that are proven"),
        _count(
            "lists_unproven_count",
            "Lists of the last sweeps of which something may be missing, for whatever reason; their last rows stay",
        ),
        _count("quarantined_count", "Items of the last sweeps that cannot be used"),
        _count(
            "listed_twice_count",
            "Facilities, and records of other facilities, that several organisations list; each counts once, see summaries.listed_twice",
        ),
        _count("doubtful_count", "Doubtful rows that nobody has decided, see sync.doubtful_rows"),
        _column(
            "drift",
            "VARCHAR[]",
            "Fields that the API sends and no endpoint declares, as endpoint.field; and fields that no figure is made from and that are "
            "null because nobody could read them",
        ),
        _column("content_hash", "VARCHAR", "Hash over all content of dcycle, history and summaries"),
        _column("content_changed", "BOOLEAN", "Whether the hash differs from that of the publication before"),
        _column("root_organization_id", "VARCHAR", "Root of the tree of organisations"),
        _column(
            "former_root_organization_id",
            "VARCHAR",
            "Root of the run before, if another organisation has come above it since; else null",
        ),
        _column("pipeline_version", "VARCHAR", "Version of dcycle_pipeline"),
        _column("backfill_from", "DATE", "First day of the period of a backfill; null if the run is none"),
        _column("backfill_to", "DATE", "Last day of the period of a backfill, inclusive; null if the run is none"),
        _column("backfill_reason", "VARCHAR", "Why the backfill was made, as given; else null"),
        _column("backfill_by", "VARCHAR", "Who asked for the backfill, as given; else null"),
        _column(
            "pending_only",
            "BOOLEAN",
            "True if the run asked only for lists that held pending records, and for what moves with them; else null",
        ),
        _column(
            "completes_run_id",
            "VARCHAR",
            "The run just before, if this one only asked once more the organisations that gave no answer then; else null",
        ),
    ),
)

LISTS = Table(
    "sync",
    "lists",
    "One row per run and list: the proof that all of it was read, or why something may be missing. A row of total_impacts stands for a "
    "total, not a list: it has a year instead of a facility and no proof, and it never counts as unproven",
    ("run_id", "organization_id", "endpoint", "facility_id", "year"),
    (
        _column("run_id", "VARCHAR", "Dagster run"),
        _column("organization_id", "VARCHAR", "Organisation that was asked for"),
        _column("endpoint", "VARCHAR", "organizations, facilities, waste_water_treatments or total_impacts"),
        _column("facility_id", "VARCHAR", "Facility whose list it is; null if the row is about the whole organisation"),
        _place("year", "Calendar year of a total; null for a list", type_="INTEGER"),
        _column(
            "outcome",
            "VARCHAR",
            "If nothing is missing: proven, facility_deleted (the facility is gone, and its list with it), no_facilities (so there is no "
            "list) or answered (a total). If something may be missing: unproven, held (a large drop waits for a person), forbidden, "
            "not_found, unauthorized or facilities_not_read (so lists of facilities that are not known may be missing)",
        ),
        _column("reason", "VARCHAR", "Why something may be missing, and what to do; empty if nothing is"),
        _count("rows_count", "Rows landed, repetitions included"),
        _count("distinct_ids_count", "Distinct ids received"),
        _count("counter", "Rows that exist, as the API's counter says, and those that show without the filter only"),
        _count("passes_count", "Passes over the list"),
        _count("pages_count", "Pages received"),
        _count("deleted_count", "Rows that vanished and that the API confirmed to be gone"),
        _count("quarantined_count", "Items of the list that cannot be used"),
        _column(
            "started_at", "TIMESTAMPTZ", "First request; before the run's start if a run that died landed the pages"
        ),
        _column("finished_at", "TIMESTAMPTZ", "Last answer"),
        _column("merged_at", "TIMESTAMPTZ", "When its rows were merged: valid_from of the versions that came from it"),
    ),
)

QUARANTINE = Table(
    "sync",
    "quarantine",
    "One row per item of a run that cannot be used; if an older version of the item was usable, it stays in its table",
    ("run_id", "organization_id", "endpoint", "facility_id", "year", "page", "position"),
    (
        _column("run_id", "VARCHAR", "Dagster run"),
        _column("organization_id", "VARCHAR", "Organisation that was asked for"),
        _column("endpoint", "VARCHAR", "Endpoint that sent the item"),
        _column("facility_id", "VARCHAR", "Facility that was asked for; null if the whole organisation was"),
        _place("year", "Calendar year that was asked for, of a total; null for an item of a list", type_="INTEGER"),
        _column("item_id", "VARCHAR", "Id of the item; empty if it has none"),
        _column("reason", "VARCHAR", "Why it cannot be used"),
        _place("page", "Page of the list", "1"),
        _place("position", "Place on the page, from 0", "1"),
        _column("item", "VARCHAR", "The item as received, without personal data, as JSON"),
        _column("landed_file", "VARCHAR", "File below landing/ that holds the page"),
        _column("quarantined_at", "TIMESTAMPTZ", "When the item was quarantined"),
    ),
)

DOUBTFUL_ROWS = Table(
    "sync",
    "doubtful_rows",
    "One row per sweep and row that its list no longer shows although the API does not say that it is gone; its last version stays "
    "until the API or a person says more",
    ("run_id", "organization_id", "endpoint", "item_id"),
    (
        _column("run_id", "VARCHAR", "Dagster run"),
        _column("organization_id", "VARCHAR", "Organisation that was asked for"),
        _column("endpoint", "VARCHAR", "Endpoint whose list no longer shows the row"),
        _column("facility_id", "VARCHAR", "Facility whose list it was; null if the list is that of the organisation"),
        _column("item_id", "VARCHAR", "Id of the row"),
        _column("reason", "VARCHAR", "Why it is not taken for deleted"),
        _column("doubtful_since", "TIMESTAMPTZ", "When a sweep first noted it, with no sweep between that saw it"),
        _column("noted_at", "TIMESTAMPTZ", "When this sweep noted it"),
    ),
)

DECISIONS = Table(
    "sync",
    "decisions",
    "One row per decision of a person about a doubtful row. It holds until the API shows the row again",
    ("run_id", "organization_id", "endpoint", "item_id"),
    (
        _column("run_id", "VARCHAR", "Run that carried it out"),
        _column("organization_id", "VARCHAR", "Organisation of the row"),
        _column("endpoint", "VARCHAR", "Endpoint of the row"),
        _column("item_id", "VARCHAR", "Id of the row"),
        _column("decision", "VARCHAR", "deleted (the row ended) or kept (it stays, and is no gap)"),
        _column("decided_by", "VARCHAR", "Who decided, as given"),
        _column("reason", "VARCHAR", "Why, as given"),
        _column("decided_at", "TIMESTAMPTZ", "When it was carried out"),
    ),
)

EXCLUDED_ORGANIZATIONS = Table(
    "sync",
    "excluded_organizations",
    "One row per organisation of the tree that DCYCLE_ORGANIZATIONS_FILE excludes, as the last run that read the tree saw it",
    ("organization_id",),
    ORGANIZATIONS.columns,
    ORGANIZATIONS.source,
)

TABLES = (RUNS, LISTS, QUARANTINE, DOUBTFUL_ROWS, DECISIONS, EXCLUDED_ORGANIZATIONS, DESTINATIONS)
# Outcomes of runs that published.
PUBLISHED = "('published', 'published_with_gaps')"
