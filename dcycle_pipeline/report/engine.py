"""Has charts drawn by a process of their own (`drawer`): a chart that the engine cannot draw costs neither the run nor another chart.

What a chart shows belongs to `charts`, where its picture goes to `drawing`.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dcycle_pipeline.text import plain

CHART_SECONDS = 30.0  # usual is 0.03
PAGE_SECONDS = 120.0
_COMMAND = (sys.executable, "-P", "-W", "ignore", str(Path(__file__).with_name("drawer.py")))
_LONGEST_REASON = 200


@dataclass(frozen=True)
class Order:
    """A Vega-Lite specification to be drawn: as SVG, or with `colors` (what stands for a colour, and the colour) as PNG."""

    specification: Mapping[str, Any]
    colors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """What came of an order: SVG, or PNG in base64; or why there is none."""

    drawn: str = ""
    failed: str = ""


@dataclass(frozen=True)
class _Work:
    """What one process did: its pictures in order, whether the engine runs at all, and why the process ended too early."""

    pictures: list[Picture]
    engine_runs: bool
    failed: str


def draw(orders: Sequence[Order]) -> list[Picture]:
    """Draw all orders, in their order. The process that dies of one of them is followed by another one for the rest."""
    deadline = time.monotonic() + PAGE_SECONDS
    pictures: list[Picture] = []
    while len(pictures) < len(orders):
        work = _in_a_process(orders[len(pictures) :], deadline - time.monotonic())
        pictures += work.pictures
        left = len(orders) - len(pictures)
        pictures += [Picture(failed=work.failed)] * (min(left, 1) if work.engine_runs else left)
    return pictures


def _in_a_process(orders: Sequence[Order], seconds: float) -> _Work:
    work = {"parent": os.getpid(), "seconds": CHART_SECONDS, "orders": [asdict(order) for order in orders]}
    if seconds <= 0:
        return _Work([], False, _too_long(PAGE_SECONDS, "the charts of the page"))
    try:
        ended = subprocess.run(  # noqa: S603 - our own script
            _COMMAND, input=json.dumps(work).encode(), capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired as error:
        return _work(error.stdout or b"", _too_long(PAGE_SECONDS, "the charts of the page"))
    except OSError as error:
        return _Work([], False, f"the chart engine cannot be started ({error.strerror})")
    return _work(ended.stdout, _why(ended.returncode, ended.stderr))


def _work(answers: bytes, failed: str) -> _Work:
    found = [Picture(**json.loads(line)) for line in answers.splitlines(keepends=True) if line.endswith(b"\n")]
    trial, pictures = found[:1], [_told(picture) for picture in found[1:]]
    runs = [picture for picture in trial if picture.drawn]
    return _Work(pictures if runs else [], bool(runs), _told(trial[0]).failed if trial and not runs else failed)


def _told(picture: Picture) -> Picture:
    return Picture(picture.drawn, failed=f"the chart engine failed: {_short(picture.failed)}" if picture.failed else "")


def _why(code: int, said: bytes) -> str:
    if code >= 0:
        last = said.decode(errors="replace").strip().splitlines()[-1:]
        return f"the chart engine ended with code {code}: {_short(''.join(last))}"
    if code == -signal.SIGALRM:
        return _too_long(CHART_SECONDS, "the chart")
    return f"the chart engine crashed ({signal.Signals(-code).name})"


def _too_long(seconds: float, what: str) -> str:
    return f"{what} took longer than {seconds:g} s"


def _short(text: str) -> str:
    return plain(text)[:_LONGEST_REASON]
