"""Composition root for Dagster: `workspace.yaml` points here. Importing it reads three settings; its one effect is that they beat `.env`."""

from dcycle_pipeline import settings
from dcycle_pipeline.orchestration.jobs import build
from dcycle_pipeline.orchestration.step import Environment

settings.let_environment_win()
_before_a_run = settings.load_schedule()
defs = build(
    Environment(settings.load, ends_at_signals=True, account=_before_a_run.organization_id or ""), _before_a_run
)
