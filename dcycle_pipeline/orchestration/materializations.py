"""Which partitions a step materialises: those that it read. Dagster alone would take all that the step was asked for."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from dcycle_pipeline.endpoints.declaration import Declared
from dcycle_pipeline.landing.lists import ANSWERED, PROVEN, ListResult
from dcycle_pipeline.orchestration import partitions
from dcycle_pipeline.sync.lists import SweepResult

# A step of Dagster 1.13 cannot say which of its partitions it made: github.com/dagster-io/dagster/issues/17836
# With this in an output's metadata, Dagster takes it that the step has said so itself, and notes none.
_SAID_ALREADY = "__source_asset_observation__"


def was_read(results: list[ListResult]) -> bool:
    """Whether anything of an organisation was read, or nothing was to be read."""
    return any(each.outcome in (PROVEN, ANSWERED) for each in results) or all(each.nothing_missing for each in results)


def materialize(
    context: dg.AssetExecutionContext,
    endpoint: Declared,
    swept: SweepResult,
    read: Mapping[str, bool],
    facts: Mapping[str, Mapping[str, Any]],
    **of_step: Any,
) -> dict[str, Any]:
    """Materialise the partition of each organisation that was `read`, and note what became of the others; metadata for the output.

    `facts` are about the rows of each organisation; `of_step` is metadata that all partitions share.
    """
    keys = partitions.keys_of(context)
    for organization_id, is_read in read.items():
        event = dg.AssetMaterialization if is_read else dg.AssetObservation
        told = {**of_step, **_facts(swept, organization_id), **facts[organization_id]}
        context.log_event(event(endpoint.name, partition=keys[organization_id], metadata=told))
    return {_SAID_ALREADY: True}


def _facts(swept: SweepResult, organization_id: str) -> dict[str, Any]:
    """What the step did for one organisation."""
    results = swept.lists.get(organization_id, [])
    return {
        "records": sum(result.rows_count for result in results),
        "lists": len(results),
        "lists_unproven": sum(not result.nothing_missing for result in results),
        "quarantined": sum(result.quarantined_count for result in results),
        "deleted": sum(result.deleted_count for result in results),
        "undeclared_fields": sorted(swept.undeclared.get(organization_id, ())),
    }
