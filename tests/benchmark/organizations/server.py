"""The sandbox with a group of organisations: `python -m tests.benchmark.organizations.server FIRST COUNT FACILITIES RECORDS TROUBLED LATENCY_MS`.

It prints its address when it is ready, and serves until it is ended.
"""

import sys

from dcycle_pipeline.sandbox import Behaviour, serve
from tests.benchmark.organizations.world import group, trouble

if __name__ == "__main__":
    first, count, facilities, records, troubled = (int(word) for word in sys.argv[1:6])
    behaviour = Behaviour(faults=trouble(troubled), latency_seconds=float(sys.argv[6]) / 1000)
    serve(group(first, count, facilities, records), behaviour, port=0, on_ready=lambda url: print(url, flush=True))
