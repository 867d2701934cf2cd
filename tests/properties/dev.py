"""A real `dagster dev`, whose runs can be stopped at places of the code.

Each run's process says through a pipe when it is at its place, and the pipe closes when it ends: nobody waits for a clock.
"""

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import httpx

from tests.properties.places import Place, at_place

ROOM = "TESTS_DAGSTER_DEV"
# Dagster waits so long before it tries a step again. Without it, it waits for the minutes that the pipeline asks for.
RETRY_SECONDS = "TESTS_DAGSTER_RETRY_SECONDS"
TERMINATE = "terminate"
# No tick of the clock starts a run beside those of a test: pipe and place are for one run.
UNSCHEDULED = {"DCYCLE_SCHEDULE_CRON": "0 0 29 2 *", "DCYCLE_PENDING_CRON": "off"}
_REPOSITORY = Path(__file__).parents[2]
_LAUNCH = """mutation ($run: ExecutionParams!) { launchRun(executionParams: $run) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } } }"""
_TERMINATE = """mutation ($id: String!) { terminateRun(runId: $id, terminatePolicy: SAFE_TERMINATE) {
    __typename ... on TerminateRunFailure { message } ... on PythonError { message } } }"""


def begin_worker() -> None:
    """In the process of a run: hold the pipe open, and stand still at the place that is noted, if one is."""
    room = Path(os.environ.pop(ROOM))  # processes that this one starts are no runs
    if seconds := os.environ.pop(RETRY_SECONDS, ""):
        dg.RetryPolicy.calculate_delay = lambda *_: float(seconds)  # type: ignore[method-assign]
    pipe = (room / "pipe").open("wb", buffering=0)
    place: Place | None = pickle.loads((room / "place").read_bytes())
    (room / "place").write_bytes(pickle.dumps(None))  # it is for one run, and not for the one that makes up for it

    def stand_still() -> None:
        pipe.write(b"%d\n" % os.getpid())
        threading.Event().wait()

    at_place(place, stand_still) if place else None
    sys.tests_pipe = pipe  # type: ignore[attr-defined]  # open until the process ends


@dataclass(frozen=True)
class Dev:
    """Dagster's services on a home of its own. `room` is where we meet the processes of runs, `location` names the definitions.

    `said` is what they printed until the webserver was up, if we started them.
    """

    url: str
    home: Path
    room: Path
    location: str = "dcycle_pipeline"
    said: list[str] = field(default_factory=list)

    def run(
        self,
        place: Place | None = None,
        how: str | signal.Signals | Callable[[], None] = TERMINATE,
        *,
        job: str = "sync",
        once_more: bool = False,
    ) -> str:
        """Launch a run over every organisation, stop it where it comes to the place, and return its id when its process has ended.

        `how` is a signal, *terminate*, or what a test does itself. `once_more` lets Dagster start it again if its process dies.
        """
        (self.room / "place").write_bytes(pickle.dumps(place))
        run_id = self.launch(job, **{} if once_more else {"dagster/max_retries": "0"})
        with (self.room / "pipe").open("rb") as pipe:
            if process := pipe.readline():
                self._stop(run_id, int(process), how)
            else:
                assert place is None, f"never came to {place}"
            pipe.read()
        return run_id

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """A run that somebody else launches next, or has just launched, is under way in the block; after it, its process has ended."""
        with (self.room / "pipe").open("rb") as pipe:
            yield
            pipe.read()

    def next_run(self) -> dg.DagsterRun:
        """The run that somebody else launches next, or has just launched, when its process has ended."""
        (self.room / "pipe").read_bytes()
        ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            return instance.get_runs(dg.RunsFilter(statuses=ended), limit=1)[0]

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            run = instance.get_run_by_id(run_id)
            assert run
            return run.status

    def knows_the_code(self) -> bool:
        """Whether the webserver has read the definitions of the code server that runs now."""
        entries = self.ask(_LOCATIONS)["workspaceOrError"]["locationEntries"]
        return all((each["locationOrLoadError"] or {}).get("__typename") == "RepositoryLocation" for each in entries)

    def launch(self, job: str = "sync", **tags: str) -> str:
        """Launch a run over every organisation, and return its id."""
        run = {
            "selector": {
                "repositoryLocationName": self.location,
                "repositoryName": "__repository__",
                "jobName": job,
            },
            "runConfigData": {},
            "mode": "default",
            "executionMetadata": {"tags": [{"key": name, "value": value} for name, value in tags.items()]},
        }
        return str(self._ask(_LAUNCH, "launchRun", run=run)["run"]["runId"])

    def _stop(self, run_id: str, process: int, how: str | signal.Signals | Callable[[], None]) -> None:
        if isinstance(how, signal.Signals):
            os.kill(process, how)
        elif callable(how):
            how()
        else:
            self._ask(_TERMINATE, "terminateRun", id=run_id)

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """What GraphQL answers."""
        answer = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60).json()
        assert "errors" not in answer, answer
        found: dict[str, Any] = answer["data"]
        return found

    def _ask(self, query: str, name: str, **variables: Any) -> dict[str, Any]:
        result: dict[str, Any] = self.ask(query, **variables)[name]
        assert result["__typename"].endswith("Success"), result
        return result


def free_port() -> int:
    (port,) = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """So many, no two alike."""
    with ExitStack() as held:
        servers = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def end_group(group: int) -> None:
    """End what is left of the processes that we started in one group."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def server_info(url: str) -> dict[str, str]:
    """The versions that Dagster's webserver tells. It says that it serves before it listens, so who is refused tries again."""
    patient = httpx.HTTPTransport(retries=8)  # the waits double: a minute in all
    with httpx.Client(transport=patient, timeout=60) as client:
        found: dict[str, str] = client.get(f"{url}/server_info").raise_for_status().json()
        return found


def others() -> dict[str, str]:
    """The environment without what is Dagster's or ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("DCYCLE_", "DAGSTER_"))}


def with_hook(room: Path) -> dict[str, str]:
    """Variables for whoever starts the processes of runs, so that each begins with `begin_worker`. Makes the room."""
    room.mkdir(parents=True)
    os.mkfifo(room / "pipe")
    (room / "place").write_bytes(pickle.dumps(None))
    hook = Path(__file__).with_name("worker_hook")
    return {"PYTHONPATH": os.pathsep.join([str(hook), str(_REPOSITORY)]), ROOM: str(room)}


@contextmanager
def dagster_dev(folder: Path, environment: Mapping[str, str]) -> Iterator[Dev]:
    """`dagster dev` in the repository, as README has it, until the block ends."""
    home = folder / "home"
    home.mkdir(parents=True)
    (home / "dagster.yaml").write_bytes((_REPOSITORY / ".dagster" / "dagster.yaml").read_bytes())
    room = folder / "room"
    ours = with_hook(room) | {"DAGSTER_HOME": str(home)}
    program = [Path(sys.executable).with_name("dagster"), "dev", "--host", "127.0.0.1", "--port", str(free_port())]
    with subprocess.Popen(
        program,
        cwd=_REPOSITORY,
        env=others() | UNSCHEDULED | environment | ours,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        said = process.stdout
        try:
            lines = [next(said)]
            while "Serving dagster-webserver on" not in lines[-1]:
                lines.append(next(said))
            threading.Thread(target=said.read, daemon=True).start()  # a full pipe would stop the server
            url = lines[-1].split()[-4]
            server_info(url)
            yield Dev(url, home, room, said=lines)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(150)  # it gives each of its services a minute
            finally:
                end_group(process.pid)
