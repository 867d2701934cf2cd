"""A run in a process of Dagster's, stopped by a signal or from the UI: it ends at once, is canceled, and nothing tries it again."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from tests.cli.conftest import variables
from tests.conftest import CHILD, ROOT

PROGRAM = Path(sys.executable).with_name("dagster")
TERMINATED = "terminated in the UI"


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, TERMINATED])
def test_a_run_stops_and_is_canceled(sandbox: Sandbox, tmp_path: Path, how: signal.Signals | str) -> None:
    sandbox.behaviour = Behaviour(faults=(Fault("500", path="/v1/waste-water"),))
    patient = {"DCYCLE_RETRY_ATTEMPTS": "1000", "DCYCLE_RETRY_FIRST_WAIT_SECONDS": "30"}
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    environment = os.environ | variables(sandbox, tmp_path / "data", **patient) | {"DAGSTER_HOME": str(tmp_path)}
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        partitions.keep_in_step(instance, [ROOT, CHILD], ROOT)
        tags = json.dumps(dict(partitions.all_of_them(instance, ROOT)))
        command = [PROGRAM, "job", "execute", "-m", "dcycle_pipeline.definitions", "-j", "sync", "--tags", tags]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr
            assert any("waste_water_treatments: 1 list to read" in line for line in process.stderr)
            (run,) = instance.get_runs()
            if isinstance(how, signal.Signals):
                process.send_signal(how)
            else:  # as for a run that another process than the UI's started
                instance.report_run_canceling(run)
            said = process.stderr.read()
        assert process.returncode == 128 + (how if isinstance(how, signal.Signals) else signal.SIGTERM), said
        (ended,) = instance.get_runs()
        assert ended.status is dg.DagsterRunStatus.CANCELED
        events = {
            record.event_log_entry.dagster_event_type for record in instance.get_records_for_run(run.run_id).records
        }
        assert dg.DagsterEventType.STEP_UP_FOR_RETRY not in events
        assert dg.DagsterEventType.STEP_FAILURE not in events
