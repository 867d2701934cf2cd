"""A run waits for whoever writes in the data folder, in a process of its own, and then publishes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Sandbox
from tests.cli.conftest import variables
from tests.conftest import Published

HOLDER = """
import sys, pathlib
from dcycle_pipeline.data_folder import DataFolder
with DataFolder(pathlib.Path(sys.argv[1])).writing("another run"):
    print("held", flush=True)
    sys.stdin.read()
"""
JOB_IN_A_PROCESS = """
import sys
import dagster as dg
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.definitions import defs
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.jobs import JOB

writing = DataFolder.writing
def told(folder, *arguments):
    print("asks for the folder", flush=True)
    return writing(folder, *arguments)
DataFolder.writing = told
account = sys.argv[1]
with dg.DagsterInstance.ephemeral() as instance:
    partitions.keep_in_step(instance, sys.argv[1:], account)
    tags = dict(partitions.all_of_them(instance, account))
    result = defs.resolve_job_def(JOB).execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    print(result.success, flush=True)
"""


@pytest.mark.exhaustive
def test_a_run_waits_for_whoever_writes_and_then_publishes(sandbox: Sandbox, tmp_path: Path) -> None:
    data = tmp_path / "data"
    environment = variables(sandbox, data) | {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    def started(program: str, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            env=environment,
            cwd=tmp_path,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    with started(HOLDER, str(data)) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with started(JOB_IN_A_PROCESS, *sandbox.world.organization_ids()) as job:
            assert job.stdout
            assert job.stdout.readline() == "asks for the folder\n"
            assert not (data / "dcycle_warehouse.duckdb").exists()
            holder.communicate("")
            assert job.communicate(timeout=120)[0].split()[-1] == "True"
    assert Published(data / "dcycle_warehouse.duckdb").query("SELECT outcome FROM sync.runs") == [("published",)]
