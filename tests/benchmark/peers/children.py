"""A process of its own, and what it cost: time by the clock, time of the processors, memory.

The memory is that of its largest process, as the kernel keeps it for the child and all that it waited for. The benchmark itself stays
small: what a child had in memory before it began is the benchmark's.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Cost:
    """What a process cost. `seconds` may be less than by the clock, if the process measured its own work."""

    seconds: float
    processor: float
    peak_mb: float
    requests: dict[str, int] = field(default_factory=dict)


def measured(command: list[str], log: Path, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a command; its output goes to `log`. Raises RuntimeError with the end of it if the command fails."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("DCYCLE_", "DAGSTER_"))}
    settings |= {"NO_PROXY": "127.0.0.1", **(environment or {})}
    started = time.perf_counter()
    with log.open("wb") as output:
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=settings, cwd=ROOT)
        _, status, used = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{command} ended with {child.returncode}: {log.read_text()[-2000:]}")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


@dataclass(frozen=True)
class Server:
    """The server while it runs."""

    base_url: str
    port: int

    def requests(self) -> dict[str, int]:
        """What was asked for so far, by address. Raises RuntimeError if the server had to refuse something."""
        with urllib.request.urlopen(f"{self.base_url}/-/requests") as answer:
            counts: dict[str, int] = json.load(answer)
        if refused := counts.pop("refused", 0):
            raise RuntimeError(f"The server refused {refused} requests: it does not know what was asked for.")
        return counts


@contextmanager
def served(facilities: int, records: int, changes: int, latency_ms: float, port: int) -> Iterator[Server]:
    """A server of its own, with signatures of its own, until the end of the block. Port 0 is any free one."""
    words = [str(word) for word in (facilities, records, changes, latency_ms, port)]
    command = [sys.executable, "-m", "tests.benchmark.peers.server", *words]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert child.stdout is not None
        found = child.stdout.readline().strip()
        if not found:
            raise RuntimeError("The server did not start.")
        yield Server(f"http://127.0.0.1:{found}", int(found))
    finally:
        child.terminate()
        child.wait()
