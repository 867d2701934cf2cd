"""The facility endpoints of the new API: the list, and one facility. The legacy list belongs to `legacy`."""

from starlette.datastructures import QueryParams
from starlette.requests import Request

from dcycle_pipeline.sandbox.api.endless import endless_text
from dcycle_pipeline.sandbox.api.paging import Row, asked_page, cut_page, page_text, tied_rows, wanted_statuses
from dcycle_pipeline.sandbox.api.refusals import denied, foreign_facility, not_found
from dcycle_pipeline.sandbox.api.service import Service
from dcycle_pipeline.sandbox.world.items import Item, facility_form, facility_item

STATUSES = ("active", "archived")
_ALWAYS = "2025-01-01T00:00:00Z"


async def list_facilities(service: Service, request: Request) -> bytes:
    """GET /v1/facilities (code.dcycle.io/api-reference/facilities/list): `{items, total, page, size, pages}`.

    Emissions are in kg CO2e. `total` counts the rows that match. Refusals: 401, 403, 422.
    """
    behaviour, world, query = service.behaviour, service.world, request.query_params
    organization_id = service.gate.organization(request.headers, world, behaviour)
    statuses = wanted_statuses(query, STATUSES, behaviour)
    asked = asked_page(query, 10, behaviour)
    if how := behaviour.endless.get(organization_id):
        return endless_text(how, asked, facility_form(facility_item("", 1, _ALWAYS, {}), legacy=False), ("total",))
    with world.lock:
        number = service.new_list_request(request.url.path, organization_id)
        items = [world.peek_facility(id_) for id_ in world.facility_ids(organization_id)]
        rows: list[Row] = [
            (item["created_at"], item["id"])
            for item in items
            if item["status"] in statuses and _matches(item, query) and not (behaviour.hubs_hidden and is_hub(item))
        ]
        page = cut_page(tied_rows(rows, behaviour, number, one_tie=True), asked, behaviour)
        texts = service.texts(page.rows, "facility")
    envelope = {"page": page.number, "size": page.size}
    if not behaviour.missing_counter:
        envelope = {"total": page.counter, **envelope, "pages": page.pages}
    return page_text(texts, envelope, behaviour)


async def show_facility(service: Service, request: Request) -> bytes:
    """GET /v1/facilities/{id} (docs.dcycle.io/api-reference/facilities/get): an item of the list.

    Refusals: 401, 403, 404.
    """
    organization_id = service.gate.organization(request.headers, service.world, service.behaviour)
    facility_id = request.path_params["id"]
    with service.world.lock:
        if (status := service.behaviour.denial_of(facility_id, facility=True)) is not None:
            raise denied(status, foreign_facility())
        owner = service.world.organization_of(facility_id)
        if owner is None:
            raise not_found("Facility", facility_id)
        if owner != organization_id:
            raise foreign_facility()
        return service.text(facility_id, "facility")


def is_hub(item: Item) -> bool:
    """Whether a facility is a logistics hub, which the legacy list leaves out."""
    return item["hub_category"] is not None


def _matches(item: Item, query: QueryParams) -> bool:
    return (
        query.get("name", "").casefold() in item["name"].casefold()
        and query.get("country", item["country"]) == item["country"]
        and query.get("type", item["type"]) == item["type"]
    )
