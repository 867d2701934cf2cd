"""Runs that are born to be killed: a warm process that forks one child a run, so that each costs no import.

A child does what `tests.conftest.stages` or the command line does; nothing of the product knows of it.
"""

import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.properties.disks import refuse
from tests.properties.places import Place, Touch, die_at

SMALL_COPIES = 4096
# What a run imports, some of it only on its way.
WARM = (
    "anyio._backends._asyncio",
    "dcycle_pipeline.cli",
    "dcycle_pipeline.cli.syncing",
    "dcycle_pipeline.orchestration.in_process",
    "httpcore",
    "pandas",
    "pyarrow.dataset",
    "pyarrow.fs",
    "pyarrow.pandas_compat",
    "tests.conftest",
)


@dataclass(frozen=True)
class Life:
    """What a child does: the stages of a sync with `settings`, or `words` of the command line.

    `place` is where it stops itself by `stop_signal`. No file of it grows beyond `largest_file_bytes`: writing more fails as on a full
    disk, or kills the child in the middle of the write where it `dies_when_full`. `refused` are functions of the system that the disk
    does not know, each with the number of the error that it answers: see `tests.properties.disks`.
    """

    settings: dict[str, Any]
    place: Place | Touch | None = None
    stop_signal: int = signal.SIGKILL
    words: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    largest_file_bytes: int | None = None
    dies_when_full: bool = False
    clock_seconds: float = 0
    accepted_drops: frozenset[str] = frozenset()
    refused: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Death:
    """How a child ended: by a signal or with an exit code; what it printed; of the steps, the run and its content hash."""

    signal: int
    exit_code: int
    said: str
    error: str
    run_id: str
    content_hash: str

    @property
    def killed(self) -> bool:
        return self.signal == signal.SIGKILL


class Nursery:
    """The warm process, from outside. `temporary` is where its children put temporary files."""

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self._process = _warm(temporary)

    def run(self, life: Life, **changes: Any) -> Death:
        """Let one child live to its end."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            pickle.dump(replace(life, **changes), self._process.stdin)
            self._process.stdin.flush()
            death: Death = pickle.load(self._process.stdout)
        except BaseException:  # a test that took too long must not leave its answer to the next one
            self.end()
            self._process = _warm(self.temporary)
            raise
        return death

    def end(self) -> None:
        """End the warm process."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def nursery(temporary: Path) -> Iterator[Nursery]:
    """The warm process until the block ends."""
    temporary.mkdir(parents=True, exist_ok=True)
    warm = Nursery(temporary)
    try:
        yield warm
    finally:
        warm.end()


def _warm(temporary: Path) -> "subprocess.Popen[bytes]":
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DCYCLE_", "DAGSTER_"))}
    # A fork has no other thread than its own: none may be at work in the parent.
    quiet = {"TMPDIR": str(temporary), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "HOME": str(temporary)}
    root = Path(__file__).parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", "from tests.properties.nursery import serve; serve()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=root,
        env=kept | quiet,
    )


def serve() -> None:
    """The warm process: a `Life` in, a `Death` out, until there are no more."""
    for name in WARM:
        import_module(name)
    import_module("dcycle_pipeline.warehouse.database").THREADS = 1

    # Whatever a child prints must not get into the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            life = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(_bear(life), answers)
        answers.flush()


def _bear(life: Life) -> Death:
    said, results = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        _live(life, said[1], results[1])
    os.close(said[1])
    os.close(results[1])
    with os.fdopen(said[0], "rb") as output, os.fdopen(results[0], "rb") as answer:
        text, result = output.read().decode(), answer.read()
    _, status = os.waitpid(child, 0)
    error, run_id, content_hash = pickle.loads(result) if result else ("", "", "")
    by_signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return Death(by_signal, os.WEXITSTATUS(status) if not by_signal else 0, text, error, run_id, content_hash)


def _live(life: Life, output: int, answer: int) -> None:
    code = 70
    try:
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.close(output)
        os.environ.update(life.environment)
        tempfile.tempdir = None
        _bound(life)
        refuse(life.refused)
        if life.place is not None:
            die_at(life.place, life.stop_signal)
        code, result = (_command(life), ("", "", "")) if life.words else _stages(life)
        os.write(answer, pickle.dumps(result))
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _bound(life: Life) -> None:
    copy = shutil.copyfileobj
    # In small steps there is a middle of a copy to be killed in.
    shutil.copyfileobj = lambda source, target, length=0: copy(source, target, SMALL_COPIES)  # type: ignore[assignment]
    if life.largest_file_bytes is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if life.dies_when_full else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (life.largest_file_bytes, resource.RLIM_INFINITY))


def _command(life: Life) -> int:
    from dcycle_pipeline.__main__ import main

    sys.argv = ["dcycle-pipeline", *life.words]
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def _stages(life: Life) -> tuple[int, tuple[str, str, str]]:
    from dcycle_pipeline.errors import DcycleError
    from dcycle_pipeline.settings import load
    from dcycle_pipeline.sync.run import Run
    from tests.conftest import steps

    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=life.clock_seconds)

    run = Run(str(uuid4()), load(**life.settings), now=now, wait_for_folder_seconds=0)
    run.accepted_drops = life.accepted_drops
    try:
        synced = steps(run)
    except DcycleError as error:
        return 3, (f"{type(error).__name__}: {error}", run.run_id, "")
    return 0, ("", run.run_id, synced.publication.content_hash)
