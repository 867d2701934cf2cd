"""Declares which records are pending, and since when, as far back as the versions tell. Asking for them again belongs to `sync`."""

from dcycle_pipeline.endpoints.waste_water_treatments import ENDPOINT
from dcycle_pipeline.schema import Column, View
from dcycle_pipeline.summaries.declaration import WWT
from dcycle_pipeline.warehouse.history import VALID_NOW, versions
from dcycle_pipeline.warehouse.pending import IS_PENDING

_VERSIONS = versions(ENDPOINT).qualified
_SHOWN = ("record_label", "start_date", "end_date", "water_in_m3")
_COLUMNS = tuple(
    column for column in ENDPOINT.table.content if column.name in (*ENDPOINT.table.key, "facility_id", *_SHOWN)
)
_ID = "organization_id, waste_water_treatment_id"

PENDING_RECORDS = View(
    "summaries",
    "pending_records",
    f"One row per record of {WWT} that counts in summaries and has no emissions yet, as each organisation lists it",
    ENDPOINT.table.key,
    (
        *_COLUMNS,
        Column(
            "pending_since",
            "TIMESTAMPTZ",
            "Since when it is pending: the first sweep that saw it so, with none between that saw it calculated or gone",
            _VERSIONS,
            example="2025-11-21 03:00:12+00",
            stamp="valid_from",
        ),
    ),
    WWT,
    f"""SELECT {", ".join(column.name for column in _COLUMNS)}, pending_since
    FROM {_VERSIONS} JOIN (
        SELECT {_ID}, min(valid_from) AS pending_since FROM (
            SELECT *, max(CASE WHEN co2e_state <> 'pending' OR change = 'deleted' THEN valid_to END) OVER (PARTITION BY {_ID}) AS otherwise_until
            FROM {_VERSIONS} WHERE ({_ID}) IN (SELECT ({_ID}) FROM {_VERSIONS} WHERE {VALID_NOW} AND {IS_PENDING})
        ) AS version
        WHERE co2e_state = 'pending' AND change IS DISTINCT FROM 'deleted' AND valid_from >= coalesce(otherwise_until, valid_from)
        GROUP BY ALL
    ) AS since USING ({_ID})
    WHERE {VALID_NOW}""",
)
