"""Python runs this before a process that has this folder in PYTHONPATH: see `tests.properties.dev`."""

import sys

# Dagster's code server starts each run as a process of `multiprocessing`.
if "--multiprocessing-fork" in sys.orig_argv:
    from tests.properties.dev import begin_worker

    begin_worker()
