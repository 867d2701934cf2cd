"""The rows of the table, and the command: `python -m tests.benchmark peers [latency]`."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from dataclasses import replace
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

from tests.benchmark.peers.children import ROOT, Cost, Server, measured, served
from tests.benchmark.peers.world import ORGANIZATION, World

BARE, DLT = "bare httpx: each page once, 8 at once, nothing stored", "dlt, tuned: each page once, whole replacement"
FIRST, AGAIN, CHANGED = "ours first", "ours again, nothing changed", "ours again, 1 % of the records of 10 % changed"
OURS = "dcycle.waste_water_treatments", "co2e_kg"
CONNECTIONS = 16  # the default of DCYCLE_MAX_CONNECTIONS
Costs = dict[str, list[Cost]]


def sync(server: Server, world: World, data: Path) -> Cost:
    """One `dcycle-pipeline sync`, and the check of what it published."""
    settings = {
        "DCYCLE_BASE_URL": server.base_url,
        "DCYCLE_API_KEY": "benchmark-key",
        "DCYCLE_ORGANIZATION_ID": ORGANIZATION,
        "DCYCLE_DATA_DIR": str(data),
    }
    command = [str(Path(sys.executable).parent / "dcycle-pipeline"), "sync"]
    cost = measured(command, data.with_suffix(".log"), settings)
    check(world, data / "dcycle_warehouse.duckdb", *OURS)
    return replace(cost, requests=server.requests())


def bare(server: Server, world: World, log: Path) -> Cost:
    """The bare download. Its time is that of the download alone, without the start of Python."""
    words = [server.base_url, str(world.facilities), str(world.records)]
    cost = measured([sys.executable, "-m", "tests.benchmark.peers.bare", *words], log)
    return replace(cost, seconds=json.loads(log.read_text())["seconds"], requests=server.requests())


def dlt(server: Server, world: World, folder: Path) -> Cost:
    """dlt into an empty DuckDB file, the whole process."""
    words = [server.base_url, str(folder)]
    folder.mkdir()
    before = Counter(server.requests())
    cost = measured([sys.executable, "-m", "tests.benchmark.peers.with_dlt", *words], folder / "log")
    check(world, folder / "peer.duckdb", "dcycle.waste_water_treatments", "co2e")
    return replace(cost, requests=dict(Counter(server.requests()) - before))


def check(world: World, file: Path, table: str, column: str) -> None:
    """Raises RuntimeError if a file holds anything else than the server serves."""
    command = [sys.executable, "-m", "tests.benchmark.peers.published", str(file), table, column]
    output = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    count, total = json.loads(output)
    if (count, Decimal(total)) != world.expected():
        raise RuntimeError(f"{file} holds {count} records with {total} kg, but the server has {world.expected()}.")


def once(world: World, folder: Path, costs: Costs, with_dlt: bool, latency_ms: float = 0) -> None:
    """All rows of one size, in turn. Each server is a new one, so signatures differ from run to run, but not the address."""
    changed, data, size = replace(world, changes=1), folder / "data", (world.facilities, world.records)
    with served(*size, 0, latency_ms, 0) as server:
        port = server.port
        if not latency_ms:
            costs[BARE].append(bare(server, world, folder / "bare.log"))
        if with_dlt:
            costs[DLT].append(dlt(server, world, folder / "dlt"))
    nights = ((FIRST, world), (AGAIN, world), (CHANGED, changed))
    for name, present in nights[:2] if latency_ms else nights:
        with served(*size, present.changes, latency_ms, port) as server:
            costs[name].append(sync(server, present, data))
        print(f"{size[0]} × {size[1]}, {name}: {costs[name][-1]}", file=sys.stderr, flush=True)


def table(world: World, costs: Costs) -> None:
    """Ratios of each run to the bare download of the same run, of which the median."""
    print(f"\n{world.facilities:,} facilities × {world.records:,} records, median of {len(costs[FIRST])}\n")
    print("| what | time | processor time | seconds | peak memory | requests |\n| --- | --- | --- | --- | --- | --- |")
    for name, runs in costs.items():
        pairs = list(zip(runs, costs[BARE], strict=True))
        time = statistics.median(run.seconds / beside.seconds for run, beside in pairs)
        work = statistics.median(run.processor / beside.processor for run, beside in pairs)
        seconds, memory = (statistics.median(getattr(run, field) for run in runs) for field in ("seconds", "peak_mb"))
        print(f"| {name} | {time:.2f} × | {work:.2f} × | {seconds:.1f} | {memory:.0f} MB | {asked(runs[-1])} |")


def asked(cost: Cost) -> str:
    counts = {name: count for name, count in cost.requests.items() if name != "not ready"}
    late = cost.requests.get("not ready", 0)
    return f"{sum(counts.values()):,}" + (f", {late:,} of them not ready" if late else "") if counts else ""


def table_of_latency(world: World, costs: Costs, latency_ms: float) -> None:
    """Against requests × latency ÷ connections, the least that so many requests take."""
    print(f"\n{world.facilities:,} facilities × {world.records:,} records, {latency_ms:g} ms latency, 16 connections\n")
    print("| what | requests | seconds | against requests × latency ÷ connections | peak memory |")
    print("| --- | --- | --- | --- | --- |")
    for name, runs in costs.items():
        count = sum(count for what, count in runs[-1].requests.items() if what != "not ready")
        seconds, memory = (statistics.median(getattr(run, field) for run in runs) for field in ("seconds", "peak_mb"))
        ratio = seconds / (count * latency_ms / 1000 / CONNECTIONS)
        print(f"| {name} | {asked(runs[-1])} | {seconds:.1f} | {ratio:.2f} × | {memory:.0f} MB |")


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark peers")
    parser.add_argument("what", nargs="?", choices=("throughput", "latency"), default="throughput")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--facilities", type=int, nargs="+", help="default: 100 1000, with latency 10000")
    parser.add_argument("--records", type=int, help="of each facility; default: 1000, with latency 3")
    parser.add_argument("--latency-ms", type=float, default=100)
    parser.add_argument("--without-dlt", action="store_true")
    parser.add_argument("--dlt-facilities", type=int, default=100, help="dlt takes part up to so many facilities")
    options = parser.parse_args(words)
    slow = options.what == "latency"
    latency_ms = options.latency_ms if slow else 0
    has_dlt = not (slow or options.without_dlt)
    if has_dlt and not find_spec("dlt"):
        print("dlt is not installed (pip install -e '.[benchmark]'), so its row is left out.", file=sys.stderr)
        has_dlt = False
    for facilities in options.facilities or ([10_000] if slow else [100, 1000]):
        world = World(facilities, options.records or (3 if slow else 1000))
        costs: Costs = defaultdict(list)
        for _ in range(options.runs):
            with tempfile.TemporaryDirectory() as name:
                once(world, Path(name), costs, has_dlt and facilities <= options.dlt_facilities, latency_ms)
        table_of_latency(world, costs, latency_ms) if slow else table(world, costs)
