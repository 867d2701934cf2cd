"""`doctor` shows each finding as soon as it is known and does not try for long; what a signal means for data is said by each verb."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from tests.cli.conftest import PROGRAM, Account, Invoke, variables
from tests.conftest import CHILD, ROOT, without_heartbeat

USUAL_PATIENCE = {"DCYCLE_RETRY_ATTEMPTS": "8", "DCYCLE_RETRY_FIRST_WAIT_SECONDS": "0.001"}
STOPPED_THERE = """
import os, signal, sys, threading
from {module} import {function}
import {module} as module

def stopped(*_, **__):
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait()

module.{function} = stopped
from dcycle_pipeline.__main__ import main
sys.argv = ["dcycle-pipeline", *{words!r}]
main()
"""


def lived_in(environment: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DCYCLE_", "DAGSTER_"))}
    return kept | environment


def test_what_is_known_is_shown_while_the_api_hangs_and_a_signal_says_nothing_of_a_sync(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        account = {
            "DCYCLE_API_KEY": "sk_live_doctor_0123",
            "DCYCLE_ORGANIZATION_ID": ROOT,
            "DCYCLE_BASE_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "DCYCLE_DATA_DIR": str(tmp_path / "data"),
        }
        words, environment = [str(PROGRAM), "doctor"], lived_in(account)
        with subprocess.Popen(
            words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            assert process.stderr
            silent.accept()  # it asks, and gets no answer
            process.send_signal(signal.SIGINT)
            shown, said = process.stdout.read().splitlines(), process.stderr.read().splitlines()
    subjects = [line[6:].partition(":")[0] for line in shown]
    assert subjects[:3] == ["versions", "output", "settings"]
    assert subjects[-2:] == ["proxy", "certificates"]
    assert (process.returncode, [*without_heartbeat(said)]) == (130, ["Stopped by SIGINT."])


@pytest.mark.parametrize("path", ["/v2/organizations/tree", "/v1/facilities"])
def test_no_request_is_tried_more_than_twice(sandbox: Sandbox, invoke: Invoke, tmp_path: Path, path: str) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault("500", path=path),))
    told = invoke("doctor", **variables(sandbox, tmp_path / "data", **USUAL_PATIENCE))
    assert told.exit_code == 3, told.output
    asked = Counter((one.path, one.organization_id) for one in sandbox.requests if one.path.startswith(path))
    assert asked
    assert set(asked.values()) <= {1, 2}, "one that does not answer may be asked less often"


def test_who_wants_to_try_less_often_does(sandbox: Sandbox, invoke: Invoke, tmp_path: Path) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault("500", path="/v2/"),))
    assert invoke("doctor", **variables(sandbox, tmp_path / "data", DCYCLE_RETRY_ATTEMPTS="1")).exit_code == 3
    assert len(sandbox.requests) == 1


def test_organisations_that_can_be_read_are_one_line_beside_the_one_that_cannot(
    sandbox: Sandbox, invoke: Invoke, tmp_path: Path
) -> None:
    sandbox.world.add_organization("third", "Third Water", ROOT)
    sandbox.behaviour = Behaviour(denied={CHILD: 403})
    environment = variables(sandbox, tmp_path / "data")
    told, answer = invoke("doctor", **environment), json.loads(invoke("doctor", "--json", **environment).stdout)
    lines = [line for line in told.stdout.splitlines() if "credential: " in line]
    assert sorted(line[:5].strip() for line in lines) == ["ok", "warn"]
    assert "ok    credential: 2 organisations can be read" in lines
    assert "Water North" in " ".join(lines)
    credentials = [one for one in answer["findings"] if one["subject"] == "credential"]
    assert Counter(one["level"] for one in credentials) == {"ok": 2, "warn": 1}
    assert answer["exit_code"] == told.exit_code == 1


@pytest.mark.parametrize(
    ("words", "module", "function", "means"),
    [
        (["sync"], "dcycle_pipeline.sync.organizations", "read_tree", "what landed is taken over by the next sync"),
        (["rollback"], "dcycle_pipeline.sync.rollback", "roll_back", "`dcycle-pipeline status` says which"),
        (["report"], "dcycle_pipeline.report.writing", "write_report", ""),
        (["resolve"], "dcycle_pipeline.readers.published_file", "Published", ""),
        pytest.param(
            ["replay"], "dcycle_pipeline.sync.replay", "replay", "`dcycle-pipeline status` says which",
            marks=pytest.mark.exhaustive,
        ),
        pytest.param(
            ["facilities"], "dcycle_pipeline.readers.published_file", "Published", "", marks=pytest.mark.exhaustive
        ),
        pytest.param(
            ["backfill", "--from", "2025-01-01", "--to", "2025-01-31", "--yes"], "dcycle_pipeline.cli.backfilling",
            "make_plan", "what landed is taken over by the next sync", marks=pytest.mark.exhaustive,
        ),
    ],
)  # fmt: skip
def test_a_signal_says_of_data_what_the_verb_can_have_done(
    synced: Account, words: list[str], module: str, function: str, means: str
) -> None:
    code = STOPPED_THERE.format(module=module, function=function, words=words)
    ended = subprocess.run(
        [sys.executable, "-c", code], env=lived_in(synced.environment), check=False, capture_output=True, text=True
    )
    meaning = f": readers see a whole publication; {means}" if means else ""
    last = ended.stderr.splitlines()[-1]
    assert (ended.returncode, last) == (143, f"Stopped by SIGTERM{meaning}."), ended.stderr
