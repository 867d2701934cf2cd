"""One partition an organisation, kept in step with the tree of organisations."""

from collections.abc import Iterable, Mapping

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PARTITION_NAME_TAG,
)

_NAME = "dcycle_organizations"
ORGANIZATIONS = dg.DynamicPartitionsDefinition(name=_NAME)
FULL_SYNC_TAG = "dcycle_pipeline/full_sync"


def keep_in_step(instance: dg.DagsterInstance, organization_ids: Iterable[str]) -> None:
    """Add partitions of new organisations, remove those of organisations that are no longer synced.

    Not within a run: it may be about to read a partition that would be removed.
    """
    wanted = list(organization_ids)
    for gone in set(known(instance)) - set(wanted):
        instance.delete_dynamic_partition(_NAME, gone)
    add(instance, wanted)


def add(instance: dg.DagsterInstance, organization_ids: Iterable[str]) -> None:
    """Add partitions of new organisations."""
    there = known(instance)
    instance.add_dynamic_partitions(_NAME, [new for new in organization_ids if new not in there])


def all_of_them(instance: dg.DagsterInstance) -> Mapping[str, str]:
    """Tags of one run over every organisation."""
    there = known(instance)
    return {ASSET_PARTITION_RANGE_START_TAG: there[0], ASSET_PARTITION_RANGE_END_TAG: there[-1], FULL_SYNC_TAG: "true"}


def only(organization_id: str) -> Mapping[str, str]:
    """Tags of a run over one organisation."""
    return {PARTITION_NAME_TAG: organization_id}


def known(instance: dg.DagsterInstance) -> list[str]:
    return list(instance.get_dynamic_partitions(_NAME))
