"""How things stand now: what is published, how fresh, what is wrong since when, the last runs, and what to do next.

`status` shows it, and a notification rests on it.
"""

from datetime import datetime, timedelta
from typing import Any

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.readers import published_file
from dcycle_pipeline.sync.endings import Ending, Endings, read_endings
from dcycle_pipeline.sync.freshness import Freshness, freshness
from dcycle_pipeline.sync.outcome import GAPS, OK
from dcycle_pipeline.sync.result import result_in
from dcycle_pipeline.sync.trouble import DOCTOR, SYNC, Trouble, next_command, troubles

RUNS_SHOWN = 7


def standing(
    folder: DataFolder, now: datetime, max_age: timedelta | None = None, endings: Endings | None = None
) -> dict[str, Any]:
    """The result of the last publication with all that an operator asks beside it. With `max_age`, its exit code says whether all was
    proven within it, and only that. `endings` are those that the folder notes, if nobody knows of others. Raises UnavailableError if
    nothing is published.
    """
    endings = endings or read_endings(folder)
    with published_file.Published(folder.readable) as published:
        result = result_in(published, published.rows(published_file.LAST_RUN)[0]["run_id"], [])
        result["organizations"] = published.rows(published_file.BY_ORGANIZATION)
        result["missing_members"] = published.rows(published_file.MISSING_MEMBERS)
        noted = published.rows(published_file.LAST_RUNS, [RUNS_SHOWN])
        fresh = freshness(published, now)
    found = [*failures(endings, result["organizations"]), *troubles(result), *_stale(fresh, max_age)]
    result |= fresh.as_facts() | {"freshness": str(fresh), "troubles": [vars(one) for one in found]}
    result |= {"runs": _with_endings(endings, noted), "next_command": next_command(found)}
    if max_age is not None:
        is_fresh = fresh.is_within(max_age)
        code = OK if is_fresh else GAPS
        result |= {"max_age_seconds": max_age.total_seconds(), "is_fresh": is_fresh, "exit_code": code}
    return result


def failures(endings: Endings, organizations: list[dict[str, Any]]) -> list[Trouble]:
    """The last runs that failed, each with the organisation that its reason names. `organizations` have `organization_id` and `name`."""
    return [_of_failure(ending, organizations) for ending in endings.failures]


def _of_failure(failed: Ending, organizations: list[dict[str, Any]]) -> Trouble:
    named = next((row for row in organizations if row["organization_id"] in failed.reason), {"organization_id": ""})
    what = f"run {failed.run_id}" if failed.run_id else "the run could not begin"
    return Trouble(f"{what}: {failed.reason}", DOCTOR, named["organization_id"], named.get("name") or "")


def _stale(fresh: Freshness, max_age: timedelta | None) -> list[Trouble]:
    if max_age is None or fresh.is_within(max_age):
        return []
    return [Trouble(f"stale: {fresh}", SYNC, since=fresh.proven_at and fresh.proven_at + max_age)]


def _with_endings(endings: Endings, noted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last syncs, latest first: those that a snapshot knows, and those that ended without one. `reason` says why one failed.

    Runs over pending records are many and light, so they are not among them.
    """
    syncs = [ending for ending in endings.runs if not ending.pending_only]
    ended = {ending.run_id or str(at): ending for at, ending in enumerate(syncs)}
    runs = [run | {"reason": _reason_of(run, ended.pop(run["run_id"], None))} for run in noted]
    unknown = dict.fromkeys(noted[0], None) if noted else {}
    runs += [
        unknown | {"run_id": one.run_id, "started_at": one.started_at, "outcome": "failed", "published_at": None, "reason": one.reason}
        for one in ended.values()
        if one.reason
    ]  # fmt: skip
    return sorted(runs, key=lambda run: run["started_at"], reverse=True)[:RUNS_SHOWN]


def _reason_of(run: dict[str, Any], ending: Ending | None) -> str:
    if ending is None and run["published_at"] is None:
        return "it died or was stopped before it published"
    return ending.reason if ending else ""
