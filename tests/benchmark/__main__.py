"""Rows a second and peak memory, beside the bare download of the same pages: `python -m tests.benchmark [runs]`.

`python -m tests.benchmark peers` and `organizations` are other benchmarks, of whole syncs: see the packages of these names.
"""

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.benchmark import pages
from tests.benchmark.organizations import run as organizations
from tests.benchmark.peers import run as peers

SMALL, LARGE = 100_000, 1_000_000


def measured(module: str, *arguments: str) -> dict[str, Any]:
    """The JSON line of a process of its own."""
    command = [sys.executable, "-m", f"tests.benchmark.{module}", *arguments]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def tables(folder: Path, records: int) -> dict[str, Any]:
    source = folder / f"bodies-{records}"
    if not source.exists():
        pages.write(source, records)
    with tempfile.TemporaryDirectory(dir=folder) as data:
        return measured("tables", str(source), data)


def summaries(folder: Path, records: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=folder) as data:
        return measured("summaries", data, str(records))


def download(source: Path) -> dict[str, Any]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-m", "tests.benchmark.download", "serve", str(source), str(port)])
    try:
        for _ in range(600):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        return measured("download", "get", str(source), f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pages.write(folder / f"bodies-{SMALL}", SMALL)
        pairs = [(tables(folder, SMALL), download(folder / f"bodies-{SMALL}")) for _ in range(runs)]
        large = tables(folder, LARGE)
        derived = summaries(folder, LARGE)
    rates = [(small["rows"] + small["quarantined"]) / small["seconds"] for small, _ in pairs]
    peak = statistics.median(small["peak_mb"] for small, _ in pairs)
    ratio = statistics.median(small["seconds"] / bare["seconds"] for small, bare in pairs)
    print("| what | figure |\n| --- | --- |")
    print(
        f"| page bodies → committed tables, {SMALL:,} records, median of {runs} | {statistics.median(rates):,.0f} rows/s |"
    )
    print(f"| the same, {LARGE:,} records | {LARGE / large['seconds']:,.0f} rows/s |")
    print(
        f"| time of that against bare httpx downloading the same {SMALL // pages.PAGE:,} pages, 16 at once | {ratio:.2f} × |"
    )
    print(f"| bare download, median | {statistics.median(bare['seconds'] for _, bare in pairs):.2f} s |")
    print(f"| peak memory, {SMALL:,} records | {peak:.0f} MB |")
    print(f"| peak memory, {LARGE:,} records | {large['peak_mb']:.0f} MB, {large['peak_mb'] / peak:.2f} × |")
    print(f"| all summaries, {LARGE:,} records, by the clock | {derived['first'][0]:.1f} s |")
    print(f"| the same, seconds of the two processors together | {derived['first'][1]:.1f} s |")
    print(
        f"| processor time of that against one plain sum by facility and month | {derived['first'][1] / derived['plain'][1]:.0f} × |"
    )
    print(f"| the same again, nothing changed, seconds of the processors | {derived['again'][1]:.1f} s |")
    print(f"| the same after a change in ten facilities | {derived['moved'][1]:.1f} s |")
    print(f"| peak memory, with the memory limit of a sync | {derived['peak_mb']:.0f} MB |")


if __name__ == "__main__":
    others = {"peers": peers.main, "organizations": organizations.main}
    if sys.argv[1:2] and sys.argv[1] in others:
        others[sys.argv[1]](sys.argv[2:])
    else:
        main()
