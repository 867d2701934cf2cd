"""Dagster: assets, checks, partitions, job and schedule over the steps of a sync. The only importer of Dagster."""

import warnings

from dagster import BetaWarning

# Backfill policies are beta in 1.13 and its documented way to read many partitions in one run.
warnings.filterwarnings("ignore", message=".*backfill_policy.*", category=BetaWarning)
