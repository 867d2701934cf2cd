"""The command line: thin verbs over the Dagster job, the published file and the sandbox.

Exit codes: 0 everything asked for is published; 1 published, but something is open or quarantined; 2 wrong settings or
usage, nothing done; 3 nothing could be published.
"""

from dcycle_pipeline.cli import inspect, restore, sync
from dcycle_pipeline.cli.app import app, main

__all__ = ["app", "inspect", "main", "restore", "sync"]
