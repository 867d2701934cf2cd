"""Dagster: assets, checks, partitions, job and schedule over the steps of a sync. The only importer of Dagster."""

import warnings

from dagster import BetaWarning

# Beta in 1.13, and its documented ways to read many partitions in one run and to link the code of an asset.
_BETA = "backfill_policy|CodeReference|with_source_code_references"
warnings.filterwarnings("ignore", message=f".*({_BETA})", category=BetaWarning)
