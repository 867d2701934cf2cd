"""The two endpoints of waste water treatments: the list of a facility, and one record."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request

from dcycle_pipeline.sandbox.api.endless import endless_text
from dcycle_pipeline.sandbox.api.paging import (
    Row,
    Statuses,
    asked_page,
    cut_page,
    page_text,
    tied_rows,
    wanted_statuses,
)
from dcycle_pipeline.sandbox.api.refusals import denied, foreign_facility_records, invalid, missing, not_found
from dcycle_pipeline.sandbox.api.service import Service
from dcycle_pipeline.sandbox.faults.behaviour import Behaviour
from dcycle_pipeline.sandbox.world.items import Item, record_item

STATUSES = ("uploaded", "active", "loading", "error")
SORTABLE = ("start_date", "end_date", "invoice_id", "created_at", "quantity")
DEFAULT_SORT = "-created_at"
_ALWAYS = "2025-01-01T00:00:00Z"


@dataclass(frozen=True)
class _Wanted:
    """The filters and the sort of a request. A period is included only if it lies between the dates as a whole."""

    start_date: str
    end_date: str
    statuses: Statuses
    co2e_status: str | None
    project_id: str | None
    sort: str

    def includes(self, item: Item) -> bool:
        co2e_status = "not_calculated" if item["co2e"] is None else "calculated"
        return (
            item["status"] in self.statuses
            and item["start_date"][:10] >= self.start_date
            and item["end_date"][:10] <= self.end_date
            and self.co2e_status in (None, co2e_status)
            and (self.project_id is None or self.project_id in _project_ids(item))
        )


async def list_treatments(service: Service, request: Request) -> bytes:
    """GET /v1/waste-water-treatments (code.dcycle.io/api-reference/waste-water-treatments/list): a facility's records.

    `{items, total, total2, total_general, page, size}`: only `total_general` counts the rows that match. Water is in
    m³, sludge in kg, emissions are in kg CO2e. Refusals: 401, 403, 404, 422.
    """
    behaviour, world, query = service.behaviour, service.world, request.query_params
    organization_id = service.gate.organization(request.headers, world, behaviour)
    if not (facility_id := query.get("facility_id")):
        raise missing("query", "facility_id")
    wanted = _wanted(query, behaviour)
    asked = asked_page(query, 50, behaviour)
    if how := behaviour.endless.get(facility_id):
        return endless_text(how, asked, record_item("", facility_id, _ALWAYS, 1, {}), ("total", "total_general"))
    with world.lock:
        _check_owner(service, facility_id, organization_id)
        number = service.new_list_request(request.url.path, organization_id, facility_id)
        if world.organization_of(facility_id) is None:
            raise not_found("Facility", facility_id)
        ignored, derived = behaviour.ignore_sort, world.derived
        rows = derived.remembered(facility_id, (wanted, ignored), lambda: _rows(service, facility_id, wanted, ignored))
        page = cut_page(tied_rows(rows, behaviour, number, one_tie=ignored), asked, behaviour)
        envelope = derived.remembered(facility_id, "counters", lambda: _counters(service, facility_id))
        if not behaviour.missing_counter:
            envelope = envelope | {"total_general": page.counter}
        texts = service.texts(page.rows, "record")
    return page_text(texts, envelope | {"page": page.number, "size": page.size}, behaviour)


async def show_treatment(service: Service, request: Request) -> bytes:
    """GET /v1/waste-water-treatments/{id}/detail (code.dcycle.io/api-reference/waste-water-treatments/detail): an item.

    Refusals: 401, 403, 404.
    """
    organization_id = service.gate.organization(request.headers, service.world, service.behaviour)
    record_id = request.path_params["id"]
    with service.world.lock:
        record = service.world.find_record(record_id)
        if record is None:
            raise not_found("WasteWaterTreatment", record_id)
        _check_owner(service, record["facility_id"], organization_id)
        return service.text(record_id, "record")


def _check_owner(service: Service, facility_id: str, organization_id: str) -> None:
    if (status := service.behaviour.denial_of(facility_id, facility=True)) is not None:
        raise denied(status, foreign_facility_records())
    owner = service.world.organization_of(facility_id)
    if owner is None:
        raise not_found("Facility", facility_id)
    if owner != organization_id:
        raise foreign_facility_records()


def _wanted(query: QueryParams, behaviour: Behaviour) -> _Wanted:
    statuses = wanted_statuses(query, STATUSES, behaviour)
    co2e_status = query.get("co2e_status")
    if co2e_status is not None:
        _known("co2e_status", co2e_status, ("calculated", "not_calculated"))
    sort = query.get("sort") or DEFAULT_SORT
    _known("sort", sort, (*SORTABLE, *(f"-{name}" for name in SORTABLE)))
    start, end = _day(query, "start_date", "0001-01-01"), _day(query, "end_date", "9999-12-31")
    return _Wanted(start, end, statuses, co2e_status, query.get("project_id"), sort)


def _known(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise invalid("query", name, f"Input should be one of {', '.join(known)}", value, "enum")


def _day(query: QueryParams, name: str, default: str) -> str:
    text = query.get(name, default)
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise invalid("query", name, "Input should be a valid date", text, "date_from_datetime_parsing") from None


def _rows(service: Service, facility_id: str, wanted: _Wanted, ignore_sort: bool) -> list[Row]:
    field = wanted.sort.removeprefix("-")
    items = [item for item in service.world.peek_records(facility_id) if wanted.includes(item)]
    if not ignore_sort:
        items.sort(key=lambda item: (item[field] is not None, item[field]), reverse=wanted.sort.startswith("-"))
    return [(item[field], item["id"]) for item in items]


def _counters(service: Service, facility_id: str) -> dict[str, int]:
    """The counters that no filter changes; records in error are in neither."""
    statuses = [item["status"] for item in service.world.peek_records(facility_id)]
    return {"total": statuses.count("active") + statuses.count("uploaded"), "total2": statuses.count("loading")}


def _project_ids(item: Item) -> list[Any]:
    return [part["id"] if isinstance(part, dict) else part for part in item["linked_projects"]]
