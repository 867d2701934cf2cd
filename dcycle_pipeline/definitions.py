"""Composition root for Dagster: `workspace.yaml` points here. Importing it reads two settings and has no effect."""

from dcycle_pipeline import settings
from dcycle_pipeline.orchestration.context import Environment
from dcycle_pipeline.orchestration.jobs import build

defs = build(Environment(settings.load), settings.load_schedule())
