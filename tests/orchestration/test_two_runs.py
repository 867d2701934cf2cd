"""Two runs over one data folder, each in a process of its own: the second waits for the first, and both publish."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Event

from dcycle_pipeline.sandbox import Behaviour, Sandbox, World
from dcycle_pipeline.sandbox.world.mutations import Mutation
from tests.cli.conftest import variables
from tests.conftest import Published

JOB_IN_A_PROCESS = """
import dagster as dg
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.orchestration.jobs import JOB
from dcycle_pipeline.definitions import defs
with dg.DagsterInstance.ephemeral() as instance:
    partitions.keep_in_step(instance, ["{root}", "{child}"])
    tags = dict(partitions.all_of_them(instance))
    result = defs.resolve_job_def(JOB).execute_in_process(instance=instance, tags=tags, raise_on_error=False)
    print(result.success, flush=True)
"""


def test_the_second_waits_for_the_first_and_both_publish(sandbox: Sandbox, tmp_path: Path) -> None:
    reading, let_go = Event(), Event()

    def hold(world: World) -> None:
        reading.set()
        assert let_go.wait(60)

    sandbox.behaviour = Behaviour(mutations=(Mutation(1, hold, path="/v1/facilities"),))
    root, child = sandbox.world.organization_ids()
    program = [sys.executable, "-c", JOB_IN_A_PROCESS.format(root=root, child=child)]
    environment = variables(sandbox, tmp_path / "data") | {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    def started() -> "subprocess.Popen[str]":
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(program, env=environment, cwd=tmp_path, text=True, **pipes)  # type: ignore[call-overload,no-any-return]

    with started() as first:
        assert reading.wait(60)
        with started() as second:
            while sum(request.path == "/v2/organizations/tree" for request in sandbox.requests) < 2:
                assert second.poll() is None
                assert first.stdout
                reading.wait(0.05)
            let_go.set()
            assert second.communicate(timeout=120)[0].split()[-1] == "True"
        assert first.communicate(timeout=60)[0].split()[-1] == "True"
    runs = Published(tmp_path / "data" / "dcycle.duckdb").query(
        "SELECT outcome, content_changed FROM sync.runs ORDER BY published_at"
    )
    assert runs == [("published", True), ("published", False)]
