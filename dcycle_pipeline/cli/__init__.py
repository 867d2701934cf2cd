"""The command line: thin verbs over the steps of a sync, the published file and the sandbox.

How a sync or a report is made belongs to the rooms above; what people see on a terminal belongs here. Exit codes: 0 everything
asked for is published; 1 published, but a list is unproven, an item quarantined, or a destination lacks it; 2 wrong settings or usage, nothing done;
3 nothing could be published.
"""

from dcycle_pipeline.cli import backfill, deployment, export, inspect, restore, sync, ui
from dcycle_pipeline.cli.app import app, main

__all__ = ["app", "backfill", "deployment", "export", "inspect", "main", "restore", "sync", "ui"]
