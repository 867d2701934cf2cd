"""One partition an organisation, kept in step with the tree of organisations; each account has partitions of its own."""

from collections.abc import Collection, Iterable, Mapping

import dagster as dg

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.settings import Settings

# Run tags that Dagster documents, without a public constant: github.com/dagster-io/dagster/discussions/11653
_PARTITION = "dagster/partition"
_FIRST_PARTITION = "dagster/asset_partition_range_start"
_LAST_PARTITION = "dagster/asset_partition_range_end"
_NAME = "dcycle_organizations"
FULL_SYNC_TAG = "dcycle_pipeline/full_sync"
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def definition(account: str) -> dg.DynamicPartitionsDefinition:
    """The partitions of an account, which is named by its DCYCLE_ORGANIZATION_ID."""
    return dg.DynamicPartitionsDefinition(name=_name(account))


def _name(account: str) -> str:
    return f"{_NAME}_{account}" if account else _NAME


def keep_in_step(instance: dg.DagsterInstance, organization_ids: Iterable[str], account: str = "") -> None:
    """Add partitions of new organisations; remove those of organisations that are no longer synced, if no run may still read one."""
    wanted = list(organization_ids)
    gone = set(known(instance, account)) - set(wanted)
    if gone and not instance.get_runs_count(dg.RunsFilter(statuses=_UNFINISHED)):
        for each in gone:
            instance.delete_dynamic_partition(_name(account), each)
    add(instance, wanted, account)


def add(instance: dg.DagsterInstance, organization_ids: Iterable[str], account: str = "") -> None:
    """Add partitions of new organisations."""
    there = known(instance, account)
    instance.add_dynamic_partitions(_name(account), [new for new in organization_ids if new not in there])


def all_of_them(instance: dg.DagsterInstance, account: str = "") -> Mapping[str, str]:
    """Tags of one run over every organisation."""
    there = known(instance, account)
    return {_FIRST_PARTITION: there[0], _LAST_PARTITION: there[-1], FULL_SYNC_TAG: "true"}


def only(organization_id: str) -> Mapping[str, str]:
    """Tags of a run over one organisation."""
    return {_PARTITION: organization_id}


def known(instance: dg.DagsterInstance, account: str = "") -> list[str]:
    return list(instance.get_dynamic_partitions(_name(account)))


def refuse_none(run: dg.DagsterRun, partitioned: Collection[str]) -> None:
    """Raises SettingsError if a run without a partition is to make an asset that has partitions: Dagster cannot take it for all."""
    # None, or an empty selection, is all. A step is named like its asset.
    steps = run.step_keys_to_execute or [key.to_user_string() for key in run.asset_selection or ()] or partitioned
    if set(partitioned) & set(steps) and not {_PARTITION, _FIRST_PARTITION} & run.tags.keys():
        raise SettingsError(
            "No partition says which organisations to read: launch `sync` again with all partitions, or with one. "
            "If none is there to choose, materialise `organizations` alone first."
        )


def asked_for(context: dg.AssetExecutionContext, settings: Settings) -> list[str]:
    """The organisations that a step is to read. Raises SettingsError for a partition that is no organisation that is synced."""
    try:
        asked = list(context.partition_keys)
    except dg.DagsterInvalidInvocationError:
        asked = []
    # A partition stays as long as a run may read it, also if its organisation was excluded meanwhile.
    found = [each for each in asked if settings.organizations.wants(each)]
    if not found:
        named = context.run.tags.get(_PARTITION) or context.run.tags[_LAST_PARTITION]
        raise SettingsError(
            f"Partition {named} is no organisation that is synced (any more): launch `sync` for another one, or for all."
        )
    return found
