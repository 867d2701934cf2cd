"""Composition root for Dagster: `workspace.yaml` points here. Importing it reads two settings and has no effect."""

from dcycle_pipeline import settings
from dcycle_pipeline.orchestration.jobs import build
from dcycle_pipeline.orchestration.step import Environment

defs = build(Environment(settings.load, ends_at_signals=True), settings.load_schedule())
