"""The ASGI application: its routes, the text of refusals, and the note of every request.

What an address answers belongs to the module of its endpoint, the sockets to `server`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Set
from email.utils import formatdate

from starlette.applications import Starlette
from starlette.datastructures import Headers, QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from dcycle_pipeline.sandbox.api.facilities import list_facilities, show_facility
from dcycle_pipeline.sandbox.api.gate import Gate, named_organization
from dcycle_pipeline.sandbox.api.legacy import list_legacy_facilities
from dcycle_pipeline.sandbox.api.refusals import Refusal, not_found
from dcycle_pipeline.sandbox.api.service import RequestSeen, Service
from dcycle_pipeline.sandbox.api.totals import show_totals
from dcycle_pipeline.sandbox.api.treatments import list_treatments, show_treatment
from dcycle_pipeline.sandbox.faults.behaviour import Behaviour
from dcycle_pipeline.sandbox.faults.echo import echoed
from dcycle_pipeline.sandbox.faults.matching import Fault, Target
from dcycle_pipeline.sandbox.faults.wire import answer_with
from dcycle_pipeline.sandbox.world.items import encode
from dcycle_pipeline.sandbox.world.world import World

API_KEY = "sk_live_sandbox_1234567890abcdef"
EMAIL, PASSWORD = "sandbox@example.org", "sandbox-password"
LISTS = ("/v1/facilities", "/api/v1/facilities", "/v1/waste-water-treatments")
NO_BEHAVIOUR = Behaviour()
NO_KEYS: Mapping[str, Set[str]] = {}

Answer = Callable[[Service, Request], Awaitable[bytes]]


async def show_tree(service: Service, request: Request) -> bytes:
    """GET /v2/organizations/tree (code.dcycle.io/api-reference/organizations/tree): the whole group.

    Any organisation of the group may be named, whichever of them the key belongs to. Refusals: 401, 404, 422.
    """
    service.gate.organizations_for(request.headers)
    organization_id = named_organization(request.headers)
    if organization_id not in service.world.organization_ids():
        raise not_found("Organization", organization_id)
    return encode(service.world.tree())


async def log_in(service: Service, request: Request) -> bytes:
    """POST /auth/login (docs.dcycle.io/docs/authentication): `{access_token, token_type, expires_in}`, in seconds.

    Refusals: 401, 422.
    """
    return encode(service.gate.log_in(await request.body(), service.behaviour))


class SandboxApp(Starlette):
    """Answers, fails on purpose, and notes each request in `service.requests`.

    An error of the sandbox itself gives a 500 and is noted in `service.crashes`.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        reads: dict[str, Answer] = {
            "/v2/organizations/tree": show_tree,
            "/v1/facilities": list_facilities,
            "/v1/facilities/{id}": show_facility,
            "/api/v1/facilities": list_legacy_facilities,
            "/v1/waste-water-treatments": list_treatments,
            "/v1/waste-water-treatments/{id}/detail": show_treatment,
            "/v1/total-impacts": show_totals,
        }
        routes = [Route(path, self._route(answer), methods=["GET"]) for path, answer in reads.items()]
        routes.append(Route("/auth/login", self._route(log_in), methods=["POST"]))
        super().__init__(routes=routes, exception_handlers={HTTPException: _no_such_route})
        self.router.redirect_slashes = False

    def _route(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        async def run(request: Request) -> Response:
            try:
                return _json(200, echoed(await answer(self.service, request), request, self.service.behaviour))
            except Refusal as refusal:
                text = echoed(self._refusal_text(refusal), request, self.service.behaviour)
                return _json(refusal.status, text)
            except Exception as error:
                self.service.crashes.append(error)
                return _json(500, encode({"detail": "Internal Server Error"}))

        return run

    def _refusal_text(self, refusal: Refusal) -> bytes:
        detail = refusal.body["detail"]
        if refusal.status == 422 and self.service.behaviour.validation_as_text:
            return encode({"detail": f"{detail[0]['loc'][-1]}: {detail[0]['msg']}", "code": "VALIDATION_ERROR"})
        return encode(refusal.body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        target, behaviour = self._target(scope), self.service.behaviour
        fault = self.service.fault_dice.choose(target)
        watched = self._watched(scope, target, fault, send)
        if behaviour.latency_seconds:
            await asyncio.sleep(behaviour.latency_seconds)
        if fault is None:
            await super().__call__(scope, receive, watched)
        else:
            if fault.kind == "reset":
                self._note(scope, target, fault, None)
            clock = time.time() + behaviour.clock_ahead_seconds
            await answer_with(fault, super().__call__, scope, receive, watched, raw_send=send, clock=clock)

    def _target(self, scope: Scope) -> Target:
        query = QueryParams(scope["query_string"])
        path = str(scope["path"])
        page = query.get("page", "1" if path in LISTS else "")
        return Target(
            method=scope["method"],
            path=path,
            query=tuple(query.multi_items()),
            organization_id=Headers(scope=scope).get("x-organization-id"),
            facility_id=query.get("facility_id") or self._facility_in(path),
            page=int(page) if page.isdecimal() else None,
        )

    def _facility_in(self, path: str) -> str | None:
        if path.startswith("/v1/facilities/"):
            return path.removeprefix("/v1/facilities/")
        if path.endswith("/detail") and (record := self.service.world.find_record(path.split("/")[-2])):
            return str(record["facility_id"])
        return None

    def _watched(self, scope: Scope, target: Target, fault: Fault | None, send: Send) -> Send:
        async def watched(message: Message) -> None:
            # Before the first byte leaves: a client that has read an answer finds its request in the list.
            if message["type"] == "http.response.start":
                self._note(scope, target, fault, message["status"])
                message = {**message, "headers": [*message["headers"], *self._headers(target)]}
            await send(message)

        return watched

    def _headers(self, target: Target) -> list[tuple[bytes, bytes]]:
        behaviour = self.service.behaviour
        date = formatdate(time.time() + behaviour.clock_ahead_seconds, usegmt=True)
        cookies = [f"session=of-{target.organization_id}; Path=/"] if behaviour.set_cookie else []
        return [(b"date", date.encode()), *((b"set-cookie", cookie.encode()) for cookie in cookies)]

    def _note(self, scope: Scope, target: Target, fault: Fault | None, status: int | None) -> None:
        names = tuple(name.decode("latin-1") for name, _ in scope["headers"])
        kind = fault.kind if fault else None
        seen = RequestSeen(
            target.method, target.path, list(target.query), target.organization_id, status, names, fault=kind
        )
        self.service.requests.append(seen)


def create_app(
    world: World,
    behaviour: Behaviour = NO_BEHAVIOUR,
    *,
    api_key: str = API_KEY,
    organization_keys: Mapping[str, Set[str]] | None = None,
    email: str = EMAIL,
    password: str = PASSWORD,
) -> SandboxApp:
    """The application for a server of one's own; `Sandbox` and `serve` bring theirs.

    `api_key` opens every organisation, each of `organization_keys` only those named with it.
    """
    return SandboxApp(Service(world, behaviour, Gate(api_key, organization_keys or NO_KEYS, email, password)))


def _json(status: int, body: bytes) -> Response:
    return Response(body, status, media_type="application/json")


async def _no_such_route(request: Request, error: Exception) -> Response:
    # The real API takes writes at addresses that the sandbox does not know. It refuses all of them alike.
    if request.method in ("GET", "HEAD") and isinstance(error, HTTPException) and error.status_code == 404:
        return _json(404, b'{"detail":"Not Found"}')
    return _json(405, b'{"detail":"Method Not Allowed"}')
