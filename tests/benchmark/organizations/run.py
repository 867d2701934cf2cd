"""The tables, and the command: `python -m tests.benchmark organizations`.

A good organisation is published when the published file that holds it is first there. That is timed from the start of the command, so
the start of Python is in both times. Alone and in company run in turn, and only their ratio counts.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dcycle_pipeline.sandbox import API_KEY
from tests.benchmark.organizations.world import ROOT, organization
from tests.benchmark.peers.children import ROOT as REPOSITORY

GOOD = "SELECT DISTINCT organization_id FROM dcycle.waste_water_treatments"
NAMED = "SELECT DISTINCT organization_id FROM sync.lists WHERE reason <> ''"


@dataclass(frozen=True)
class Group:
    """So many organisations from the number `first` on, of which the first `troubled` are in trouble."""

    count: int
    facilities: int = 1
    records: int = 3
    first: int = 0
    troubled: int = 0
    latency_ms: float = 0


@dataclass(frozen=True)
class Cost:
    """Seconds until the good ones were published and until the end, those of the processors, and peak memory."""

    published: float
    ended: float
    processor: float
    peak_mb: float


@contextmanager
def served(group: Group) -> Iterator[str]:
    """The address of a sandbox of its own."""
    words = [group.first, group.count, group.facilities, group.records, group.troubled, group.latency_ms]
    command = [sys.executable, "-m", "tests.benchmark.organizations.server", *map(str, words)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    try:
        assert child.stdout is not None
        yield child.stdout.readline().strip()
    finally:
        child.kill()  # it may hang on purpose
        child.wait()


def sync(group: Group, folder: Path) -> Cost:
    """One `dcycle-pipeline sync` into an empty folder, and the check of what it published."""
    data, log = folder / "data", folder / "log"
    settings = {"BASE_URL": "", "API_KEY": API_KEY, "ORGANIZATION_ID": ROOT, "DATA_DIR": str(data)}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DCYCLE_", "DAGSTER_"))}
    with served(group) as settings["BASE_URL"], log.open("wb") as output:
        environment = clean | {f"DCYCLE_{name}": value for name, value in settings.items()}
        command = [str(Path(sys.executable).parent / "dcycle-pipeline"), "sync"]
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=folder)
        shown: list[float] = []
        watch = threading.Thread(target=_watch, args=(data / "dcycle_warehouse.duckdb", child, shown))
        watch.start()
        _, _, used = os.wait4(child.pid, 0)
        ended, child.returncode = time.perf_counter(), 0
        watch.join()
    if not shown:
        raise RuntimeError(f"Nothing was published: {log.read_text()[-2000:]}")
    check(group, data)
    return Cost(shown[0] - started, ended - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _watch(file: Path, child: "subprocess.Popen[bytes]", shown: list[float]) -> None:
    while not file.exists():
        if child.returncode is not None:
            return
        time.sleep(0.01)
    shown.append(time.perf_counter())


def check(group: Group, data: Path) -> None:
    """Raises RuntimeError unless the first publication holds all good organisations, and names all others."""
    first = min((data / "snapshots").iterdir()) / "dcycle_warehouse.duckdb"
    with duckdb.connect(str(first), read_only=True) as connection:
        good, named = ({row[0] for row in connection.execute(query).fetchall()} for query in (GOOD, NAMED))
    numbers = range(group.first, group.first + group.count)
    troubled = {organization(number) for number in numbers[: group.troubled]}
    if (good, named) != ({organization(number) for number in numbers} - troubled, troubled):
        raise RuntimeError(f"{len(good)} organisations are published and {len(named)} named, of {group}.")


def company(options: argparse.Namespace) -> None:
    """180 organisations alone, and with 20 in trouble."""
    good = Group(options.count - options.troubled, options.facilities, options.records, options.troubled, 0)
    print(
        "| what | alone | with those in trouble | ratio of the medians | the command's end |\n| --- | --- | --- | --- | --- |"
    )
    for latency in options.latency_ms:
        pairs = []
        for number in range(options.runs):
            alone = Group(**vars(good) | {"latency_ms": latency})
            both = Group(options.count, options.facilities, options.records, 0, options.troubled, latency)
            # By turns first: a machine that has rested while the silent ones were waited for is faster, by a fifth here.
            turn = -1 if number % 2 else 1
            pairs.append([measured(group) for group in (alone, both)[::turn]][::turn])
        median = [statistics.median(pair[side].published for pair in pairs) for side in (0, 1)]
        ratio = median[1] / median[0]
        ended = statistics.median(both.ended for _, both in pairs)
        what = f"{good.count} organisations published, {latency:g} ms latency"
        print(f"| {what} | {median[0]:.1f} s | {median[1]:.1f} s | {ratio:.2f} × | {ended:.1f} s |", flush=True)


def memory(options: argparse.Namespace) -> None:
    """The same facilities and records in one organisation, and in many."""
    print("\n| facilities, as many in each row | seconds of the processors | peak memory |\n| --- | --- | --- |")
    for count in options.memory:
        for group in (Group(1, count, options.records), Group(count, 1, options.records)):
            costs = [measured(group) for _ in range(options.runs)]
            processor, peak = (
                statistics.median(getattr(cost, name) for cost in costs) for name in ("processor", "peak_mb")
            )
            print(f"| {count} in {group.count} organisations | {processor:.1f} s | {peak:.0f} MB |", flush=True)


def measured(group: Group) -> Cost:
    with tempfile.TemporaryDirectory() as name:
        cost = sync(group, Path(name))
    print(f"{group}: {cost}", file=sys.stderr, flush=True)
    return cost


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark organizations")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--troubled", type=int, default=20)
    parser.add_argument("--facilities", type=int, default=1)
    parser.add_argument("--records", type=int, default=3, help="of each facility")
    parser.add_argument("--latency-ms", type=float, nargs="*", default=[0, 100])
    parser.add_argument("--memory", type=int, nargs="*", default=[200, 800], help="facilities of a group")
    options = parser.parse_args(words)
    company(options)
    memory(options)
