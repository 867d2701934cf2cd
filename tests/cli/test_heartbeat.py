"""Nothing is silent for more than five seconds: what is said, how often, and that an API that does not answer is named at once."""

import math
import os
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest

from dcycle_pipeline.api import waiting
from dcycle_pipeline.cli import heartbeat
from dcycle_pipeline.cli.heartbeat import SHOWN_ALREADY, Heartbeat
from dcycle_pipeline.sandbox import Behaviour, Sandbox
from dcycle_pipeline.telemetry import log_lines
from tests.cli.conftest import PROGRAM, variables
from tests.conftest import small_world


@pytest.fixture
def now() -> Iterator[list[float]]:
    """The seconds that the clock shows. Nothing was said or answered before."""
    began = math.floor(time.monotonic() * 1024) / 1024  # every half second after it is exact, whatever the uptime
    with (
        patch.object(heartbeat, "SILENCE_SECONDS", 4.0),
        patch.object(log_lines, "_said_at", began),
        patch.object(waiting, "_last_answer", float("-inf")),
    ):
        yield [began]


def said(now: list[float], seconds: int, state: str = "") -> list[float]:
    """After how many seconds something is said, if it is looked at twice a second and nothing else is said."""
    heart, began = Heartbeat(lambda: now[0]), now[0]
    moments = []
    for half in range(2 * seconds):
        now[0] = began + half / 2
        if heart.look(lambda: state):
            moments.append(now[0] - began)
    return moments


def test_silence_is_broken_before_five_seconds_and_after_a_minute_once_a_minute(now: list[float]) -> None:
    moments = said(now, 300)
    assert moments[:3] == [4.0, 8.0, 12.0]
    gaps = [after - before for before, after in pairwise(moments)]
    assert set(gaps) == {4.0, 60.0}
    assert gaps == sorted(gaps)


def test_what_is_said_ends_the_silence(now: list[float]) -> None:
    heart, began = Heartbeat(lambda: now[0]), now[0]
    now[0] = began + 3.9
    with patch.object(log_lines, "_said_at", began + 3.5):
        assert heart.look() == ""
        now[0] = began + 7.4
        assert heart.look() == ""
        now[0] = began + 7.6
        assert heart.look() == "Still at work after 8 s."


def test_bars_are_enough_until_nothing_is_answered(now: list[float]) -> None:
    assert said(now, 30, SHOWN_ALREADY) == []
    with waiting.Waiting("GET /v1/facilities (organisation x)", lambda: "It is try 1 of 8."):
        assert said(now, 10, SHOWN_ALREADY)


def test_it_says_what_is_read_and_what_waits_longest(now: list[float]) -> None:
    heart, began = Heartbeat(lambda: now[0]), now[0]
    with (
        waiting.Waiting("GET a", lambda: "It is try 1 of 8."),
        waiting.Waiting("GET b", lambda: "It is try 2 of 8.", 7.0),
    ):
        now[0] = began + 5
        line = heart.look(lambda: "3 of 7 lists are read")
    assert line == "Still at work after 5 s: 3 of 7 lists are read: GET a: no answer for 5 s. It is try 1 of 8."


def test_a_pause_says_when_the_next_try_comes(now: list[float]) -> None:
    with waiting.Waiting("GET b", lambda: "It is try 2 of 8.", 7.0):
        one = waiting.longest(now[0] + 5, 4)
    assert one is not None
    assert one.told(one.since + 5) == "GET b: the next try comes in 2 s. It is try 2 of 8."
    assert waiting.longest(now[0] + 5, 4) is None, "nothing waits any more"


def test_an_answer_to_any_request_is_no_silence(now: list[float]) -> None:
    with waiting.Waiting("GET a", lambda: ""):
        with waiting.Waiting("GET b", lambda: ""):
            pass
        assert waiting.longest(time.monotonic(), 4) is None


@pytest.mark.exhaustive
def test_an_api_that_hangs_is_named_within_five_seconds_and_all_the_time(tmp_path: Path) -> None:
    with Sandbox(small_world(), Behaviour(latency_seconds=9)) as sandbox:
        patient = {"DCYCLE_REQUEST_SECONDS": "7", "DCYCLE_RETRY_SECONDS": "12", "DCYCLE_RETRY_FIRST_WAIT_SECONDS": "1"}
        settings = variables(sandbox, tmp_path / "data", **patient)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DCYCLE_", "DAGSTER_"))}
        process = subprocess.Popen([str(PROGRAM), "sync"], env=kept | settings, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        lines = list(process.stderr)
        assert process.wait(timeout=60) == 3
    where = "GET /v2/organizations/tree"
    assert lines[0].startswith("Still at work after 4 s: ")
    assert f"{where} (organisation {sandbox.world.root_id}): no answer for" in lines[0]
    assert "It is try 1 of 3, and none begins after " in lines[0]
    (failed,) = [line for line in lines if "no whole answer within 7 s" in line and not line.startswith("Error")]
    assert "Trying again" in failed
    assert lines[-1].startswith(f"Error: {where}")
    assert not [line for line in lines if "stamina" in line or "Traceback" in line]
