"""Explains a number: the records behind a facility's month, each with its version, run, page and raw item.

Showing the explanation belongs to `cli`.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from dcycle_pipeline.data_folder import DataFolder, is_within
from dcycle_pipeline.endpoints.waste_water_treatments import ENDPOINT
from dcycle_pipeline.errors import SettingsError, UnavailableError
from dcycle_pipeline.landing.files import ENDED, Landing
from dcycle_pipeline.landing.files import runs as landed_runs
from dcycle_pipeline.landing.landed_file import page_items
from dcycle_pipeline.landing.lists import ListKey
from dcycle_pipeline.readers import published_file
from dcycle_pipeline.text import counted
from dcycle_pipeline.warehouse import run_tables
from dcycle_pipeline.warehouse.history import valid_at
from dcycle_pipeline.warehouse.identity import identity_of

_MONTH = (
    f"history.emissions_by_facility_month WHERE facility_id = $facility_id AND month = $month AND {valid_at('$moment')}"
)
_COUNTED_IN = f"SELECT organization_id FROM {_MONTH}"
# What the last publication counted, it says itself. Of those before only the figures tell.
_COUNTS_ELSEWHERE = f"""$moment = (SELECT max(published_at) FROM sync.runs WHERE outcome IN {run_tables.PUBLISHED})
    AND (organization_id, waste_water_treatment_id) IN (SELECT (organization_id, item_id) FROM summaries.listed_twice
        WHERE endpoint = '{ENDPOINT.name}' AND NOT is_counted)"""
_RECORDS = f"""SELECT organization_id, facility_id, waste_water_treatment_id, record_label, start_date, end_date,
    co2e_kg AS record_co2e_kg, co2e_state, days_in_record, days_in_month,
    part(co2e_kg, first_day - start_date, last_day_there - start_date + 1, days_in_record) AS co2e_kg,
    part(co2e_biomass_kg, first_day - start_date, last_day_there - start_date + 1, days_in_record) AS co2e_biomass_kg,
    change, valid_from, valid_to, version_number, run_id, page
FROM (
    SELECT *, greatest(start_date, $month::DATE) AS first_day, least(end_date, last_day($month::DATE)) AS last_day_there,
        day_count(start_date, end_date) AS days_in_record, last_day_there - first_day + 1 AS days_in_month
    FROM (SELECT *, row_number() OVER (PARTITION BY organization_id, waste_water_treatment_id ORDER BY valid_from) AS version_number
        FROM history.waste_water_treatments
        WHERE waste_water_treatment_id IN (
            SELECT waste_water_treatment_id FROM history.waste_water_treatments WHERE facility_id = $facility_id))
    WHERE facility_id = $facility_id AND is_counted(status, start_date, end_date)
        AND start_date <= last_day($month::DATE) AND end_date >= $month::DATE
        AND {valid_at("$moment")} AND NOT ({_COUNTS_ELSEWHERE})
    -- Of a record that several organisations list, the row that counted then: that of an organisation of which the month says something.
    QUALIFY organization_id IN ({_COUNTED_IN}) OR 1 = row_number() OVER (
        PARTITION BY waste_water_treatment_id ORDER BY organization_id IN ({_COUNTED_IN}) DESC, organization_id)
) ORDER BY organization_id, start_date, waste_water_treatment_id"""
_TOTAL = f"SELECT organization_id, co2e_kg, co2e_biomass_kg, pending_record_count FROM {_MONTH}"
_COVERED = f"""SELECT count(DISTINCT month) AS months, min(month) AS first, max(month) AS last,
    (SELECT arg_max(name, valid_from) FROM history.facilities WHERE facility_id = $facility_id) AS name
FROM history.emissions_by_facility_month WHERE facility_id = $facility_id AND {valid_at("$moment")}"""
_MOMENT = f"""SELECT max(published_at) AS moment FROM sync.runs
WHERE outcome IN {run_tables.PUBLISHED} AND published_at <= coalesce($as_of, 'infinity'::TIMESTAMPTZ)"""


@dataclass(frozen=True)
class Explanation:
    """What a facility's month said at a publication, in kg, and the records that it is made of.

    `records` have the columns of `_RECORDS`, the landed file and the raw item. `agrees` says whether they add up to the figures.
    """

    published_at: datetime
    co2e_kg: Decimal | None
    co2e_biomass_kg: Decimal | None
    pending_record_count: int
    records: list[dict[str, Any]]
    agrees: bool


def explain(folder: DataFolder, facility_id: str, month: date, as_of: datetime | None = None) -> Explanation:
    """The figures of a facility and month with the records behind them, as last published or as published at `as_of`.

    `month` is the first day of the month. Raises SettingsError if nothing was published by then, or if no active record of the
    facility covers the month. Raises UnavailableError if there is no published file.
    """
    file = folder.readable
    moment = published_file.rows(file, _MOMENT, {"as_of": as_of})[0]["moment"]
    if moment is None:
        raise SettingsError(
            f"Nothing was published by {as_of:%Y-%m-%d %H:%M:%S} UTC: choose a later moment, see `published_at` in sync.runs."
        )
    asked = {"facility_id": facility_id, "month": month, "moment": moment}
    totals = published_file.rows(file, _TOTAL, asked)
    if not totals:
        raise SettingsError(_nothing_in(file, asked))
    records = [record | _raw(folder, record) for record in published_file.rows(file, _RECORDS, asked)]
    co2e, biomass = (_total(totals, name) for name in ("co2e_kg", "co2e_biomass_kg"))
    agrees = (co2e, biomass) == (_total(records, "co2e_kg"), _total(records, "co2e_biomass_kg"))
    pending = sum(total["pending_record_count"] for total in totals)
    return Explanation(moment, co2e, biomass, pending, records, agrees)


def _nothing_in(file: Path, asked: dict[str, Any]) -> str:
    """Why a month has no figure: what the facility has records of instead, as published at that moment."""
    found = published_file.rows(file, _COVERED, {name: asked[name] for name in ("facility_id", "moment")})[0]
    there = "it has no active record at all"
    if found["months"]:
        there = f"it has records in {counted(found['months'], 'month')} from {found['first']:%Y-%m} to {found['last']:%Y-%m}"
    return (
        f"No active record of facility {found['name'] or asked['facility_id']} covers {asked['month']:%Y-%m}, as published at "
        f"{asked['moment']:%Y-%m-%d %H:%M:%S} UTC: {there}."
    )


def _total(rows: list[dict[str, Any]], name: str) -> Decimal | None:
    values = [row[name] for row in rows if row[name] is not None]
    return sum(values, Decimal(0)) if values else None


def _raw(folder: DataFolder, record: dict[str, Any]) -> dict[str, Any]:
    """The raw item, from the run that brought the version or else from a later run that saw the same; null if its pages are gone."""
    key = ListKey(record["organization_id"], ENDPOINT.name, record["facility_id"])
    runs = [record["run_id"]]
    if record["valid_to"] is None:
        runs += sorted(run.name for run in landed_runs(folder.landing) if (run / ENDED).exists())
    for run_id in runs:
        path = Landing(folder.landing, run_id).path(key)
        if is_within(folder.landing, path) and (item := _item(path, record["waste_water_treatment_id"])):
            return {"landed_file": str(path.relative_to(folder.root)), "item": item}
    return {"landed_file": None, "item": None}


def _item(path: Path, identifier: str) -> str | None:
    """The last item of that id in a landed file, as JSON text."""
    found = None
    try:
        for _, raw in page_items(path):
            if identity_of(raw) == identifier:
                found = raw.decode()
    except UnavailableError:
        return None
    return found
