"""The legacy facility list. Its counters, filters and errors differ from those of the new list in `facilities`."""

from collections.abc import Callable
from datetime import datetime

from starlette.datastructures import QueryParams
from starlette.requests import Request

from dcycle_pipeline.sandbox.api.facilities import STATUSES, is_hub
from dcycle_pipeline.sandbox.api.paging import Row, asked_page, cut_page, page_text, tied_rows
from dcycle_pipeline.sandbox.api.refusals import Refusal, legacy_invalid, missing
from dcycle_pipeline.sandbox.api.service import Service
from dcycle_pipeline.sandbox.faults.behaviour import Behaviour
from dcycle_pipeline.sandbox.world.items import LEGACY_FACILITY_FIELDS, Item, facility_form


async def list_legacy_facilities(service: Service, request: Request) -> bytes:
    """GET /api/v1/facilities (docs.dcycle.io/api-reference/legacy/facilities/list).

    `{items, page, size, total, total2}`. `total` counts the active facilities and `total2` the archived ones, whatever
    the request filters. Hubs are in neither. Emissions are in kg CO2e. Refusals: 400, 401, 403, 422.
    """
    behaviour, world, query = service.behaviour, service.world, request.query_params
    organization_id = service.gate.organization(request.headers, world, behaviour)
    if not request.headers.get("x-user-id"):
        raise missing("header", "x-user-id")
    try:
        asked = asked_page(query, 50, behaviour)
    except Refusal:
        raise legacy_invalid("Invalid pagination parameters") from None
    matches = _filter(query, behaviour)
    sort_field, descending = _sort(query)
    with world.lock:
        number = service.new_list_request(request.url.path, organization_id)
        mine = [world.peek_facility(id_) for id_ in world.facility_ids(organization_id)]
        items = [facility_form(item, legacy=True) for item in mine if not is_hub(item)]
        shown = [item for item in items if matches(item)]
        one_tie = sort_field is None or behaviour.ignore_sort
        field = sort_field or "created_at"
        if not one_tie:
            shown.sort(key=lambda item: _comparable(item[field]), reverse=descending)
        rows: list[Row] = [(str(item[field]), item["id"]) for item in shown]
        page = cut_page(tied_rows(rows, behaviour, number, one_tie=one_tie), asked, behaviour)
        texts = service.texts(page.rows, "legacy facility")
    envelope = {"page": page.number, "size": page.size}
    if not behaviour.missing_counter:
        active, archived = (sum(item["status"] == each for item in items) for each in STATUSES)
        envelope |= {"total": max(0, active + behaviour.counter_offset), "total2": archived}
    return page_text(texts, envelope, behaviour)


def _shown(behaviour: Behaviour, status: str) -> bool:
    """Whether rows of a status are shown without `filter_by=status:…`."""
    return status not in behaviour.hidden_by_default and (status == "active" or not behaviour.legacy_archived_hidden)


def _filter(query: QueryParams, behaviour: Behaviour) -> Callable[[Item], bool]:
    since, until = _moment(query, "start_date"), _moment(query, "end_date")
    name = query.get("name", "").casefold()
    field, value = _pair(query, "filter_by")

    def matches(item: Item) -> bool:
        created = datetime.fromisoformat(item["created_at"]).timestamp()
        if field != "status" and not _shown(behaviour, item["status"]):
            return False
        return (
            name in item["name"].casefold()
            and (since is None or created >= since)
            and (until is None or created <= until)
            and (field is None or _as_word(item[field]) == value)
        )

    return matches


def _sort(query: QueryParams) -> tuple[str | None, bool]:
    field, direction = _pair(query, "sort_by")
    if direction not in (None, "asc", "desc"):
        raise legacy_invalid("Invalid sort_by")
    return field, direction == "desc"


def _pair(query: QueryParams, name: str) -> tuple[str | None, str | None]:
    if not (text := query.get(name)):
        return None, None
    field, colon, value = text.partition(":")
    if not colon or field not in LEGACY_FACILITY_FIELDS:
        raise legacy_invalid(f"Invalid {name}")
    return field, value


def _moment(query: QueryParams, name: str) -> int | None:
    if (text := query.get(name)) is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise legacy_invalid("Invalid date format") from None


def _as_word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _comparable(value: object) -> tuple[bool, object]:
    return value is not None, str(value) if isinstance(value, list) else value
