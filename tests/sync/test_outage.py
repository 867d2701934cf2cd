"""An API that is down costs one request's patience, not that of every list; one bad list or organisation is not an API that is down."""

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dcycle_pipeline.api.breaker import Outages
from dcycle_pipeline.api.client import DcycleApi
from dcycle_pipeline.errors import DcycleError
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox, World
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.run import Run
from tests.api.clock import Clock
from tests.conftest import CHILD, ROOT, Synced, settings_for, steps, sync

RECORDS = "/v1/waste-water-treatments"
THIRD = "33333333-3333-4333-8333-333333333333"
PATIENCE = {"retry_first_wait_seconds": 0.5, "retry_attempts": 8, "retry_seconds": 180}
ONE_PATIENCE = 61.5 + 7 * 0.5  # seconds: eight tries, with the most jitter
WHY = "gave no answer to"


def world_of(**facilities: int) -> World:
    """Three organisations with as many facilities, without records."""
    world = World(ROOT, "Holding X")
    for name, identifier in (("child", CHILD), ("third", THIRD)):
        world.add_organization(identifier, name, ROOT)
    for name, identifier in (("root", ROOT), ("child", CHILD), ("third", THIRD)):
        for number in range(facilities.get(name, 1)):
            world.add_facility(identifier, id=f"f-{name}-{number}")
    return world


def patient_sync(settings: Settings, clock: Clock) -> Synced:
    return steps(Run(str(uuid4()), settings, outages=Outages(clock, clock.sleep)))


def asked(api: DcycleApi, lists: Iterable[tuple[str, str]]) -> Any:
    """What the first pages of the lists of facilities come to, asked side by side."""
    one = (
        api.get(RECORDS, (("facility_id", facility), ("page", "1")), organization, f"GET {RECORDS} ({facility})")
        for organization, facility in lists
    )
    return asyncio.gather(*one, return_exceptions=True)


@pytest.mark.exhaustive
def test_an_api_that_goes_down_decides_the_rest_of_the_run(
    tmp_path: Path, few_summaries: None, caplog: pytest.LogCaptureFixture
) -> None:
    clock, lists = Clock(tick=0.001), 60
    with Sandbox(world_of(root=lists), Behaviour(faults=(Fault("503", path=RECORDS),))) as sandbox:
        after = patient_sync(settings_for(sandbox, tmp_path / "data", **PATIENCE), clock)
        requests = [seen for seen in sandbox.requests if seen.path == RECORDS]
    assert sum(clock.slept) < (16 + 2) * ONE_PATIENCE
    reasons = [reason for (_, endpoint, _), (_, reason) in after.unproven_lists().items() if endpoint != "facilities"]
    assert len(reasons) == lists + 2
    given_up = [reason for reason in reasons if WHY in reason]
    assert len(given_up) >= lists - 16
    assert all("503" in reason and sandbox.base_url in reason for reason in given_up)
    assert len(requests) < (16 + 2) * 8 + lists / 2
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "Trying again for up to" in told[0]
    assert WHY in told[1]
    assert len(told) == 2


@pytest.mark.exhaustive
def test_an_answer_within_the_run_closes_the_breaker(
    tmp_path: Path, few_summaries: None, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock(tick=0.001)
    with Sandbox(world_of(root=3, child=3)) as sandbox:
        settings = settings_for(sandbox, tmp_path / "data", **PATIENCE)
        sync(settings)
        sandbox.behaviour = Behaviour(faults=(Fault("503", path="/v1/facilities"),))
        after = patient_sync(settings, clock)
    assert {key[1] for key in after.unproven_lists() if key[2] is not None} == set()
    assert {key[0] for key in after.unproven_lists() if key[1] == "facilities"} == {ROOT, CHILD, THIRD}
    assert caplog.records[-1].getMessage() == f"{sandbox.base_url} answers again."


@pytest.mark.exhaustive
def test_one_list_that_always_fails_opens_nothing(tmp_path: Path, few_summaries: None) -> None:
    with Sandbox(world_of(root=20), Behaviour(faults=(Fault("500", facility_id="f-root-3"),))) as sandbox:
        after = patient_sync(settings_for(sandbox, tmp_path / "data", **PATIENCE), Clock(tick=0.001))
    (((_, _, facility), (_, reason)),) = after.unproven_lists().items()
    assert facility == "f-root-3"
    assert WHY not in reason


@pytest.mark.parametrize("fault", ["503", "429"])
def test_an_organisation_that_fails_stops_no_other(sandbox: Sandbox, tmp_path: Path, fault: str) -> None:
    clock = Clock(tick=0.001)
    sandbox.world = world_of(root=12, child=40)
    always = Fault(fault, organization_id=CHILD, retry_after="seconds", retry_after_seconds=3600)
    sandbox.behaviour = Behaviour(faults=(always,))
    broken, sound = (
        [(name, f"f-{which}-{n}") for n in range(12)] for name, which in ((CHILD, "child"), (ROOT, "root"))
    )

    async def ask() -> tuple[list[Any], list[Any], float]:
        async with DcycleApi(settings_for(sandbox, tmp_path, **PATIENCE), Outages(clock, clock.sleep)) as api:
            assert all(isinstance(outcome, DcycleError) for outcome in await asked(api, broken[:6]))
            sandbox.clear_requests()
            began = clock.now
            both = await asked(api, [one for pair in zip(broken, sound, strict=True) for one in pair])
            return both[::2], both[1::2], clock.now - began

    failed, answered, seconds = asyncio.run(ask())
    assert all(isinstance(outcome, bytes) for outcome in answered)
    assert all(isinstance(outcome, DcycleError) for outcome in failed)
    if fault == "429":  # the other organisation shows that the host is there, but not that this one may ask again
        assert all(WHY in str(outcome) for outcome in failed)
        assert seconds < 1


@pytest.mark.parametrize(
    ("address", "lists"),
    [("http://127.0.0.1:9", 200), pytest.param("https://nobody.invalid", 20, marks=pytest.mark.exhaustive)],
)
def test_nobody_there_is_told_at_once(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture, address: str, lists: int
) -> None:
    told_before_sleep: list[int] = []
    clock = Clock(tick=0.001, at_sleep=lambda: told_before_sleep.append(len(caplog.records)))
    settings = settings_for(sandbox, tmp_path, **PATIENCE, base_url=address)

    async def ask() -> list[Any]:
        async with DcycleApi(settings, Outages(clock, clock.sleep)) as api:
            first = await asked(api, [(ROOT, f"f-{number}") for number in range(4)])
            return first + await asked(api, [(ROOT, f"f-{number}") for number in range(4, lists)])

    outcomes = asyncio.run(ask())
    assert told_before_sleep[0] == 1
    assert "ConnectError" in caplog.records[0].getMessage()
    assert sum(clock.slept) < 4 * ONE_PATIENCE
    assert all(WHY in str(outcome) for outcome in outcomes[4:])


@pytest.mark.exhaustive
def test_requests_that_wait_for_their_turn_are_decided_too(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault("slow", seconds=3600),))
    clock = Clock(tick=0.001)
    hasty = {"retry_first_wait_seconds": 0, "retry_attempts": 2, "request_seconds": 0.05, "max_connections": 4}

    async def ask() -> list[Any]:
        async with DcycleApi(settings_for(sandbox, tmp_path, **hasty), Outages(clock, clock.sleep)) as api:
            return list(await asked(api, [(ROOT, f"f-{number}") for number in range(100)]))

    outcomes = asyncio.run(ask())
    assert sum(WHY in str(outcome) for outcome in outcomes) >= 80
    assert len(sandbox.requests) < 40
