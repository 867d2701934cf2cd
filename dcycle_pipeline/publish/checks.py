"""Checks what must hold in the working file after a step. The checks follow from the declarations and are asked in SQL.

Showing findings in Dagster belongs to `orchestration`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb

from dcycle_pipeline.endpoints.declaration import Endpoint, YearTotal
from dcycle_pipeline.errors import UnsoundError, few
from dcycle_pipeline.landing.lists import PROVEN
from dcycle_pipeline.schema import Table
from dcycle_pipeline.summaries.declaration import Conserved, Summary
from dcycle_pipeline.summaries.twice import LISTED_TWICE
from dcycle_pipeline.text import counted, with_id
from dcycle_pipeline.warehouse import last_sweeps, run_log

EVERY_LIST_PROVEN = "every_list_proven"
COUNTERS_AGREE = "counters_agree"
KEYS_UNIQUE = "keys_unique"
EVERY_TOTAL_READ = "every_total_read"
KILOGRAMS_CONSERVED = "kilograms_conserved"
LISTED_ONCE = "listed_once"
DESTINATIONS_REACHED = "destinations_reached"
DATA_IS_FRESH = "data_is_fresh"
EVERYTHING_READ = "everything_read"
MOST_NAMED = 20  # lists, rows or totals in one message; the rest is counted
MEANINGS = {
    EVERY_LIST_PROVEN: "Every list is proven. The last rows of an unproven list stay, so this only warns.",
    COUNTERS_AGREE: "A proven list has as many rows in the table as the API's counter says.",
    KEYS_UNIQUE: "No key occurs twice.",
    EVERY_TOTAL_READ: "Every total was read and understood. If one was not, its last row stays. Totals inform, so this only warns.",
    KILOGRAMS_CONSERVED: "Quantities of the summary add up to those of what it is made from, to the last decimal.",
    LISTED_ONCE: "One organisation lists each facility and record. One that several list counts once, so this only warns.",
    DATA_IS_FRESH: "Every list was proven within DCYCLE_MAX_AGE_HOURS, whatever runs did since. It blocks nothing.",
    EVERYTHING_READ: "All of each organisation was read. If one is left out, this is an error, and the run fails after it published. Else it warns.",
    DESTINATIONS_REACHED: "Each destination that is set got the publication. The file is in place whatever they say, so this only warns.",
}


@dataclass(frozen=True)
class Finding:
    """The outcome of one check of a `subject`, which is the name of an endpoint or summary.

    `blocks` says whether the published file would be wrong if the check fails; `what` tells people what was found.
    """

    subject: str
    check: str
    passed: bool
    blocks: bool
    what: str


def endpoint_findings(connection: duckdb.DuckDBPyConnection, endpoint: Endpoint) -> list[Finding]:
    """The findings of one endpoint: completeness, counters and keys."""
    return [
        _every_list_proven(connection, endpoint),
        _counters_agree(connection, endpoint),
        _keys_unique(connection, endpoint.name, endpoint.tables),
    ]


def summary_findings(connection: duckdb.DuckDBPyConnection, summary: Summary) -> list[Finding]:
    """The findings of one summary: keys, and the sums that it declares to conserve."""
    conserved = [_conserved(connection, summary)] if summary.conserves else []
    listed = [_listed_once(connection)] if summary == LISTED_TWICE else []
    return [_keys_unique(connection, summary.name, (summary,)), *conserved, *listed]


def summary_checks(summary: Summary) -> tuple[str, ...]:
    """The names of the checks whose findings `summary_findings` gives."""
    conserved = (KILOGRAMS_CONSERVED,) if summary.conserves else ()
    return (KEYS_UNIQUE, *conserved, *((LISTED_ONCE,) if summary == LISTED_TWICE else ()))


def total_findings(connection: duckdb.DuckDBPyConnection, endpoint: YearTotal) -> list[Finding]:
    """The finding of one endpoint of totals: whether each was read and understood. It never blocks."""
    unread = connection.execute(
        f"""SELECT organization_id, year, reason FROM ({last_sweeps.CURRENT_YEAR_TOTALS})
            WHERE endpoint = $1 AND is_unproven
        UNION ALL SELECT organization_id, year, reason FROM ({last_sweeps.YEAR_TOTALS_QUARANTINE}) WHERE endpoint = $1 ORDER BY ALL""",
        [endpoint.name],
    ).fetchall()
    called = _names(connection, [row[0] for row in unread])
    named = "; ".join(f"{called[organization]} {year}: {reason}" for organization, year, reason in unread[:MOST_NAMED])
    said = f"{len(unread)} not read or not understood: {named}" if unread else "every total was read"
    return [Finding(endpoint.name, EVERY_TOTAL_READ, not unread, False, said)]


def _names(connection: duckdb.DuckDBPyConnection, ids: Iterable[str | None]) -> dict[str | None, str]:
    """How people read organisations and facilities, by id. What has no name, or is neither, is its id."""
    wanted = list({each for each in ids if each})
    found = dict(
        connection.execute(
            """SELECT facility_id, any_value(name) FROM dcycle.facilities WHERE facility_id IN (SELECT unnest($1)) GROUP BY ALL
            UNION ALL SELECT organization_id, name FROM dcycle.organizations WHERE organization_id IN (SELECT unnest($1))""",
            [wanted],
        ).fetchall()
    )
    return {each: with_id(found.get(each), each) for each in wanted}


def verify_publishable(findings: Sequence[Finding]) -> None:
    """Raise UnsoundError if a finding blocks the publication, whichever run caused it."""
    if wrong := [f"{finding.check}: {finding.what}" for finding in findings if is_blocking(finding)]:
        raise UnsoundError(
            f"Not published, the last published file stays. A check failed: {'; '.join(wrong)}. Sync again.", findings
        )


def is_blocking(finding: Finding) -> bool:
    """Whether the finding is a reason to publish nothing."""
    return finding.blocks and not finding.passed


def _every_list_proven(connection: duckdb.DuckDBPyConnection, endpoint: Endpoint) -> Finding:
    """The last rows of unproven lists stay, so they warn and do not block."""
    unproven = [found for found in run_log.unproven_lists(connection) if found[1] == endpoint.name]
    called = _names(connection, [found[at] for found in unproven for at in (0, 2)])
    alike: dict[tuple[str, str], list[tuple[str | None, str]]] = {}
    for organization, _, facility, outcome, reason in unproven:
        alike.setdefault((organization, outcome), []).append((facility, reason))
    named = [
        f"{called[organization]}: {outcome}{f', {called[facility]}' if facility else ''}"
        f"{f' and {len(others)} more' if others else ''}: {reason}"
        for (organization, outcome), ((facility, reason), *others) in alike.items()
    ]
    said = f"{len(unproven)} unproven: {few(named, MOST_NAMED)}" if unproven else "all lists are proven"
    return Finding(endpoint.name, EVERY_LIST_PROVEN, not unproven, False, said)


def _counters_agree(connection: duckdb.DuckDBPyConnection, endpoint: Endpoint) -> Finding:
    """A proven list has at most as many rows as its counter says, and lacks at most those that were quarantined or ended since.

    Rows beyond the counter are right if they are older versions of items that moved to another list and were quarantined there,
    or rows that the list no longer shows and nobody confirms to be gone.
    """
    main = endpoint.table
    wrong = connection.execute(_disagreeing(endpoint), [endpoint.name]).fetchall()
    called = _names(connection, [found[at] for found in wrong for at in (0, 1)])
    named = "; ".join(
        f"{called[o]}{f', {called[f]}' if f else ''}: {counted(rows, 'row')}, counter {counter}, {quarantined} quarantined"
        for o, f, counter, quarantined, rows in wrong[:MOST_NAMED]
    )
    return Finding(
        endpoint.name,
        COUNTERS_AGREE,
        not wrong,
        True,
        named or f"{main.qualified} has as many rows as the counters say",
    )


def _disagreeing(endpoint: Endpoint) -> str:
    """A query for the proven lists whose rows do not agree with their counter."""
    main = endpoint.table
    facility = f"main.{endpoint.parent_parameter}" if endpoint.parent else "NULL::VARCHAR"
    # Which rows are kept although no list shows them is asked only where there are more than the counter says: nearly nowhere.
    return f"""WITH rows AS (
        SELECT organization_id, {facility} AS facility_id, count(*) AS row_count FROM {main.qualified} AS main GROUP BY ALL
    ), lists AS MATERIALIZED (
        SELECT s.organization_id, s.facility_id, s.merged_at, s.counter, s.quarantined_count, coalesce(rows.row_count, 0) AS row_count
        FROM ({last_sweeps.CURRENT_LISTS}) AS s
        LEFT JOIN rows ON rows.organization_id = s.organization_id AND rows.facility_id IS NOT DISTINCT FROM s.facility_id
        WHERE s.endpoint = $1 AND s.outcome = '{PROVEN}'
    ), crowded AS MATERIALIZED (
        SELECT main.organization_id, {facility} AS facility_id, main.{endpoint.id_column} AS item_id FROM {main.qualified} AS main
        JOIN lists ON lists.organization_id = main.organization_id AND lists.facility_id IS NOT DISTINCT FROM {facility}
        WHERE lists.row_count > lists.counter
    ), kept AS (
        SELECT organization_id, facility_id, count(*) AS kept_count FROM crowded WHERE EXISTS (
            SELECT 1 FROM ({last_sweeps.CURRENT_QUARANTINE}) AS q WHERE q.endpoint = $1 AND q.organization_id = crowded.organization_id
                AND q.item_id = crowded.item_id AND q.facility_id IS DISTINCT FROM crowded.facility_id) OR EXISTS (
            SELECT 1 FROM ({last_sweeps.LAST_DOUBTFUL_ROWS}) AS d WHERE d.endpoint = $1
                AND d.organization_id = crowded.organization_id AND d.item_id = crowded.item_id) OR EXISTS (
            SELECT 1 FROM history.{main.name} AS v WHERE v.organization_id = crowded.organization_id AND v.valid_to IS NULL
                AND v.{endpoint.id_column} = crowded.item_id AND v.change = 'unlisted')
        GROUP BY organization_id, facility_id
    ), ended AS (
        SELECT lists.organization_id, lists.facility_id, count(*) AS ended_count FROM lists JOIN history.{main.name} AS main
        ON main.organization_id = lists.organization_id AND lists.facility_id IS NOT DISTINCT FROM {facility}
        WHERE row_count < counter - quarantined_count AND change = 'deleted' AND decided_by IS NULL AND valid_from > merged_at GROUP BY ALL
    )
    SELECT lists.organization_id, lists.facility_id, counter, quarantined_count, row_count FROM lists
    LEFT JOIN kept ON kept.organization_id = lists.organization_id AND kept.facility_id IS NOT DISTINCT FROM lists.facility_id
    LEFT JOIN ended ON ended.organization_id = lists.organization_id AND ended.facility_id IS NOT DISTINCT FROM lists.facility_id
    WHERE row_count + coalesce(ended_count, 0) < counter - quarantined_count OR row_count - coalesce(kept_count, 0) > counter"""


def _keys_unique(connection: duckdb.DuckDBPyConnection, subject: str, tables: tuple[Table, ...]) -> Finding:
    doubles = []
    for table in tables:
        key = ", ".join(table.key)
        # As many hashes as rows are as many keys. Only if there are fewer, which two keys may share, are the keys themselves grouped.
        total, hashes = connection.execute(
            f"SELECT count(*), count(DISTINCT hash({key})) FROM {table.qualified}"
        ).fetchall()[0]
        if total == hashes:
            continue
        count = connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {table.qualified} GROUP BY {key} HAVING count(*) > 1)"
        ).fetchall()[0][0]
        if count:
            doubles.append(f"{table.qualified}: {count} keys ({key}) occur more than once")
    return Finding(subject, KEYS_UNIQUE, not doubles, True, "; ".join(doubles) or "every key occurs once")


def _listed_once(connection: duckdb.DuckDBPyConnection) -> Finding:
    """What several organisations list counts once, so it warns and does not block."""
    twice = connection.execute(last_sweeps.LISTED_TWICE).fetchall()
    called = _names(
        connection, [each for _, item, counted, organizations in twice for each in (item, counted, *organizations)]
    )
    named = [
        f"{endpoint} {called[item]} by {' and '.join(called[each] for each in organizations)}, counts in {called[counted]}"
        for endpoint, item, counted, organizations in twice
    ]
    said = (
        f"{len(twice)} listed twice: {few(named, MOST_NAMED)}"
        if twice
        else "one organisation lists each facility and record"
    )
    return Finding(LISTED_TWICE.name, LISTED_ONCE, not twice, False, said)


def _conserved(connection: duckdb.DuckDBPyConnection, summary: Summary) -> Finding:
    """Each declared sum of a summary equals that of its source, to the last decimal."""
    wrong = [
        difference for conserved in summary.conserves for difference in _differences(connection, summary, conserved)
    ]
    names = [name for conserved in summary.conserves for name in conserved.columns]
    return Finding(
        summary.name, KILOGRAMS_CONSERVED, not wrong, True, "; ".join(wrong) or f"{', '.join(names)} add up exactly"
    )


def _differences(connection: duckdb.DuckDBPyConnection, summary: Summary, conserved: Conserved) -> list[str]:
    mine, theirs = (
        ", ".join(f"coalesce(sum({name}), 0)" for name in side) for side in zip(*conserved.pairs, strict=True)
    )
    here = connection.execute(f"SELECT {mine} FROM {summary.qualified}").fetchall()[0]
    there = connection.execute(f"SELECT {theirs} FROM {conserved.source} WHERE {conserved.where}").fetchall()[0]
    return [
        f"{name}: {a} in {summary.qualified}, {b} in {conserved.source}"
        for name, a, b in zip(conserved.columns, here, there, strict=True)
        if a != b
    ]
