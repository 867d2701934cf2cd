"""One partition an organisation, kept in step with the tree of organisations; each account has partitions of its own."""

from collections.abc import Iterable, Mapping

import dagster as dg

from dcycle_pipeline.errors import UsageError
from dcycle_pipeline.sync.organizations import organizations_last_read
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.text import plain

# Run tags that Dagster documents, without a public constant: github.com/dagster-io/dagster/discussions/11653
_PARTITION = "dagster/partition"
_FIRST_PARTITION = "dagster/asset_partition_range_start"
_LAST_PARTITION = "dagster/asset_partition_range_end"
_NAME = "dcycle_organizations"
_BESIDE = " · "  # between name and id; an id is ASCII, so it has none
_LONGEST_NAME = 80
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


def organization_of(key: str) -> str:
    """The organisation of a partition."""
    return key.rpartition(_BESIDE)[2]


def names(instance: dg.DagsterInstance, account: str = "") -> dict[str, str]:
    """What the organisations are called whose partitions have a name, by id."""
    return {each: name for each, key in _keys(instance, account).items() if (name := key.rpartition(_BESIDE)[0])}


def keep_in_step(
    instance: dg.DagsterInstance,
    organization_ids: Iterable[str],
    account: str = "",
    called: Mapping[str, str] | None = None,
    asking: dg.DagsterRun | None = None,
) -> None:
    """Add partitions of new organisations; remove those of organisations that are no longer synced, if no run may still read one.

    `called` are names by id. An organisation with another name than before gets another partition. `asking` is the run that does this.
    """
    wanted = _wanted(instance, organization_ids, account, called)
    gone = set(instance.get_dynamic_partitions(_name(account))) - set(wanted)
    if gone and not _may_be_read(instance, asking):
        for each in gone:
            instance.delete_dynamic_partition(_name(account), each)
    add(instance, organization_ids, account, called)


def _may_be_read(instance: dg.DagsterInstance, asking: dg.DagsterRun | None) -> bool:
    unfinished = set(instance.get_run_ids(dg.RunsFilter(statuses=_UNFINISHED)))
    if asking and reads_all(asking):  # it needs no partition
        unfinished.discard(asking.run_id)
    return bool(unfinished)


def add(
    instance: dg.DagsterInstance,
    organization_ids: Iterable[str],
    account: str = "",
    called: Mapping[str, str] | None = None,
) -> None:
    """Add partitions of new organisations, and of those that `called` gives another name than before."""
    there = instance.get_dynamic_partitions(_name(account))
    wanted = _wanted(instance, organization_ids, account, called)
    instance.add_dynamic_partitions(_name(account), [new for new in wanted if new not in there])


def _wanted(
    instance: dg.DagsterInstance,
    organization_ids: Iterable[str],
    account: str,
    called: Mapping[str, str] | None,
) -> list[str]:
    there, called = _keys(instance, account), called or {}
    return [_key(each, called[each]) if each in called else there.get(each, each) for each in organization_ids]


def _key(organization_id: str, name: str) -> str:
    """The name in front, which people know, and the id, which stays the same. Dagster forbids three dots in a row."""
    shown = plain(name)[:_LONGEST_NAME].replace("...", "…").strip()
    return f"{shown}{_BESIDE}{organization_id}" if shown not in ("", organization_id) else organization_id


def _keys(instance: dg.DagsterInstance, account: str) -> dict[str, str]:
    """The partition of each organisation. One that was renamed may have two for a while: then the newer one."""
    return {organization_of(key): key for key in instance.get_dynamic_partitions(_name(account))}


def all_of_them(instance: dg.DagsterInstance, account: str = "") -> Mapping[str, str]:
    """Tags of one run over every partition, as the UI gives them; none if there is no partition."""
    there = instance.get_dynamic_partitions(_name(account))
    return {_FIRST_PARTITION: there[0], _LAST_PARTITION: there[-1]} if there else {}


def whole(instance: dg.DagsterInstance, account: str = "") -> Mapping[str, str]:
    """Tags of one run over every organisation that the tree shows.

    The partitions that are known now are among them: Dagster shows a partition as failed only if its run had it from the start.
    """
    return {**all_of_them(instance, account), FULL_SYNC_TAG: "true"}


def only(key: str) -> Mapping[str, str]:
    """Tags of a run over one partition."""
    return {_PARTITION: key}


def key_of(instance: dg.DagsterInstance, organization_id: str, account: str = "") -> str:
    """The partition of an organisation; its id as long as its name is not known."""
    return _keys(instance, account).get(organization_id, organization_id)


def known(instance: dg.DagsterInstance, account: str = "") -> list[str]:
    """The organisations that have a partition."""
    return list(_keys(instance, account))


def keys_of(context: dg.AssetExecutionContext) -> dict[str, str]:
    """The partition of each organisation that a step was asked for."""
    return {organization_of(key): key for key in context.partition_keys}


def reads_all(run: dg.DagsterRun) -> bool:
    """Whether a run is over every organisation that the tree shows, because nobody chose partitions for it."""
    return FULL_SYNC_TAG in run.tags or not _is_partitioned(run)


def _is_partitioned(run: dg.DagsterRun) -> bool:
    return bool({_PARTITION, _FIRST_PARTITION} & run.tags.keys())


def take_all(instance: dg.DagsterInstance, run: dg.DagsterRun, account: str = "") -> None:
    """Let a run for which nobody chose partitions be one over all that are known now.

    Dagster makes no partitioned asset without a partition. It asks the tags of the run in its hands as each step begins, so they
    may come late; a re-execution gets those that it stored.
    """
    if reads_all(run):
        tags = dict(whole(instance, account))
        instance.add_run_tags(run.run_id, tags)
        run.tags.update(tags)  # type: ignore[attr-defined]  # a dict, whatever its type says


def asked_for(context: dg.AssetExecutionContext, run: Run) -> list[str]:
    """The organisations that a step is to read.

    Raises UsageError for a partition that is no organisation that is synced, and if there is none.
    """
    if not _is_partitioned(context.run):
        raise UsageError(
            "No partition says which organisations to read: launch the whole job `sync`, which finds them, or choose partitions."
        )
    if reads_all(context.run):
        return organizations_last_read(run)
    try:
        asked = list(keys_of(context))
    except dg.DagsterInvalidInvocationError:
        asked = []
    # A partition stays as long as a run may read it, also if its organisation was excluded meanwhile.
    found = [each for each in asked if run.settings.organizations.wants(each)]
    if not found:
        named = context.run.tags.get(_PARTITION) or context.run.tags[_LAST_PARTITION]
        raise UsageError(
            f"Partition {named} is no organisation that is synced (any more), or has another name now: launch `sync` for another one, or for all."
        )
    return found
