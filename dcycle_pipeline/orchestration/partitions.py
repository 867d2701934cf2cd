"""One partition an organisation, kept in step with the tree of organisations."""

from collections.abc import Iterable, Mapping

import dagster as dg

# Run tags that Dagster documents, without a public constant: github.com/dagster-io/dagster/discussions/11653
_PARTITION = "dagster/partition"
_FIRST_PARTITION = "dagster/asset_partition_range_start"
_LAST_PARTITION = "dagster/asset_partition_range_end"
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
    return {_FIRST_PARTITION: there[0], _LAST_PARTITION: there[-1], FULL_SYNC_TAG: "true"}


def only(organization_id: str) -> Mapping[str, str]:
    """Tags of a run over one organisation."""
    return {_PARTITION: organization_id}


def known(instance: dg.DagsterInstance) -> list[str]:
    return list(instance.get_dynamic_partitions(_NAME))
