"""What the sandbox's tests share: a small world, an opened server with a plain httpx client, the documented bodies."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from dcycle_pipeline.sandbox import Behaviour, Sandbox, World

ROOT = "11111111-1111-4111-8111-111111111111"
CHILD = "22222222-2222-4222-8222-222222222222"
DOCUMENTED = Path(__file__).parent.parent / "documented"


@pytest.fixture
def documented() -> Callable[[str], Any]:
    return lambda name: json.loads((DOCUMENTED / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def small() -> SimpleNamespace:
    """Two organisations: three facilities in the first (one archived, one a hub), one in the second."""
    world = World(ROOT, "Holding X")
    world.add_organization(CHILD, "Water North", ROOT)
    plant = world.add_facility(ROOT, name="Planta Álamo", country="ES", created_at="2024-01-15T10:30:00Z")
    old = world.add_facility(
        ROOT, name="Ancienne Station", country="FR", status="archived", created_at="2023-06-10T08:15:00Z"
    )
    hub = world.add_facility(ROOT, name="Nave", type="warehouse", hub_category="warehouse_ambient")
    foreign = world.add_facility(CHILD, name="Nordwerk", country="DE")
    world.add_records(plant, 12)
    world.add_records(old, 3, start_date="2020-01-01")
    world.add_records(foreign, 2)
    return SimpleNamespace(world=world, root=ROOT, child=CHILD, plant=plant, old=old, hub=hub, foreign=foreign)


class Opened:
    """A running sandbox and a client that asks for the root organisation if no other is named."""

    def __init__(self, sandbox: Sandbox, client: httpx.Client) -> None:
        self.sandbox = sandbox
        self.client = client

    def get(self, path: str, organization_id: str | None = None, **params: Any) -> httpx.Response:
        headers = {"x-organization-id": organization_id} if organization_id else {}
        return self.client.get(
            path, params={name.replace("__", "[]"): value for name, value in params.items()} or None, headers=headers
        )

    def page(self, facility_id: str, organization_id: str | None = None, **params: Any) -> Any:
        answer = self.get("/v1/waste-water-treatments", organization_id, facility_id=facility_id, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ids(self, facility_id: str, **params: Any) -> list[str]:
        return [item["id"] for item in self.page(facility_id, **params)["items"]]


@pytest.fixture
def opened() -> Iterator[Callable[..., Opened]]:
    with ExitStack() as stack:

        def start(world: World, behaviour: Behaviour = Behaviour(), **options: Any) -> Opened:  # noqa: B008
            sandbox = stack.enter_context(Sandbox(world, behaviour, **options))
            headers = {"x-api-key": sandbox.api_key, "x-organization-id": world.root_id, "x-user-id": "u-1"}
            client = stack.enter_context(httpx.Client(base_url=sandbox.base_url, headers=headers, verify=False))
            return Opened(sandbox, client)

        yield start
