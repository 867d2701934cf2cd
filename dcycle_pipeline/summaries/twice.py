"""Declares what several organisations list at the same time, and the records that count: each one once, wherever it is listed."""

from dcycle_pipeline.endpoints.facilities import V1
from dcycle_pipeline.endpoints.waste_water_treatments import ENDPOINT
from dcycle_pipeline.schema import Column, View
from dcycle_pipeline.summaries.declaration import (
    COUNTED,
    DOUBTFUL_ROWS,
    FACILITIES,
    LISTS,
    ORGANIZATIONS,
    QUARANTINE,
    WWT,
    Summary,
    organization_id,
)
from dcycle_pipeline.warehouse.history import VALID_NOW, versions

_EXAMPLE = "33333333-3333-4333-8333-333333333333"
_SOURCE = f"{FACILITIES}, {WWT}"
_VERSIONS = (versions(V1).qualified, versions(ENDPOINT).qualified)

LISTED_TWICE = Summary(
    "summaries",
    "listed_twice",
    "One row per organisation and facility or record that another organisation lists too. It counts once in every summary: in the "
    "deepest organisation that lists the facility (of several, the one with the smallest id); records follow their facility. What "
    "was not read since another organisation began to list it gives way; a record that is gone from there counts nowhere",
    ("endpoint", "item_id", "organization_id"),
    (
        Column("endpoint", "VARCHAR", "facilities or waste_water_treatments", "derived", example="facilities"),
        Column("item_id", "VARCHAR", "Facility or record", _SOURCE, example=_EXAMPLE),
        organization_id(_SOURCE),
        Column("facility_id", "VARCHAR", "The facility, or that of the record", _SOURCE, example=_EXAMPLE),
        Column(
            "counted_organization_id",
            "VARCHAR",
            "Organisation in which it counts",
            f"{ORGANIZATIONS}: depth",
            example="22222222-2222-4222-8222-222222222222",
        ),
        Column(
            "is_counted",
            "BOOLEAN",
            "Whether it is this row that counts; none does of a record that is gone",
            "derived",
            example="true",
        ),
    ),
    f"{FACILITIES}, {WWT} and sync.lists",
    sources=(ORGANIZATIONS, FACILITIES, WWT, *_VERSIONS, LISTS, QUARANTINE, DOUBTFUL_ROWS),
)

_COLUMNS = ", ".join(
    "coalesce(home.counted_organization_id, version.organization_id) AS organization_id"
    if name == "organization_id"
    else f"version.{name}"
    for name in ENDPOINT.table.names(content_only=True)
)
_ELSEWHERE = "NOT {0}.is_counted AND {0}.organization_id = version.organization_id".format
_SCHEMA, _NAME = COUNTED.split(".")

COUNTED_RECORDS = View(
    _SCHEMA,
    _NAME,
    f"One row per waste-water record, of every status, that the summaries rest on: those of {WWT}, each once, at the organisation "
    f"in which its facility counts (see {LISTED_TWICE.qualified})",
    ENDPOINT.table.key,
    ENDPOINT.table.content,
    WWT,
    # Joins and not EXISTS: where nothing is listed twice, as nearly always, DuckDB leaves them out.
    f"""SELECT {_COLUMNS} FROM {versions(ENDPOINT).qualified} AS version
    LEFT JOIN {LISTED_TWICE.qualified} AS home
        ON home.endpoint = 'facilities' AND home.item_id = version.facility_id AND {_ELSEWHERE("home")}
    LEFT JOIN {LISTED_TWICE.qualified} AS twice
        ON twice.endpoint = '{ENDPOINT.name}' AND twice.item_id = version.waste_water_treatment_id AND {_ELSEWHERE("twice")}
    WHERE {VALID_NOW} AND twice.item_id IS NULL""",
)
