"""Prints of tables, facility by facility: if a print is the same as before, so are the rows. And the content hash, made with them.

A print rests on the rows alone, not on what anybody noted of them, so nothing that changes rows can be overlooked: a merge, a run
that was killed, a restored file, a person with an SQL prompt. It is compared within one file; nobody else is promised it.
"""

import hashlib
from collections.abc import Iterable

import duckdb

from dcycle_pipeline.schema import Table, View, quoted
from dcycle_pipeline.warehouse import kept

Prints = dict[str, int]
_Sums = tuple[int, int, int]
_64_BITS = (1 << 64) - 1
_NO_FACILITY = ""
_RULE = "rule"  # beside the names of tables, which have a schema
MOST_NAMED = 4_000  # facilities in one condition; with more, all rows are asked for


class Printer:
    """Takes the prints of tables, each once until somebody says that its rows changed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._taken: dict[str, Prints] = {}

    def of(self, table: Table) -> Prints:
        """The print of each facility's rows; that of all rows, by an empty name, if the table has no facilities."""
        if table.qualified not in self._taken:
            # Hashed twice: DuckDB joins the hashes of columns so weakly that an exchange of values might show in no sum of them.
            found = self._connection.execute(
                f"""SELECT {_part(table)} AS part, sum(hash(hash({", ".join(table.names())}))) FROM {table.qualified}
                GROUP BY part"""
            ).fetchall()
            self._taken[table.qualified] = {part: int(total) & _64_BITS for part, total in found}
        return self._taken[table.qualified]

    def changed(self, table: Table) -> None:
        """Say that rows of the table may have changed."""
        self._taken.pop(table.qualified, None)


def different(before: Prints, now: Prints) -> set[str]:
    """The facilities of which rows came, went or changed."""
    return {part for part in before.keys() | now.keys() if before.get(part) != now.get(part)}


def within(facilities: Iterable[str]) -> str:
    """An SQL condition for the rows of these facilities. DuckDB brings one that names them to where the rows are read."""
    return f"facility_id IN ({', '.join(map(quoted, sorted(facilities)))})"


def can_be_named(facilities: set[str]) -> bool:
    """Whether `within` serves: for some facilities, each of which has a name."""
    return 0 < len(facilities) <= MOST_NAMED and _NO_FACILITY not in facilities


def spans(facilities: list[str], count: int) -> list[str]:
    """SQL conditions for about `count` equal parts of these facilities, which are in order. Each row there may be meets one of them."""
    bounds = sorted({facilities[len(facilities) * part // count] for part in range(1, count)} - {_NO_FACILITY})
    lower = ["true", *(f"facility_id >= {quoted(bound)}" for bound in bounds)]
    upper = [*(f"facility_id < {quoted(bound)}" for bound in bounds), "true"]
    found = [f"{above} AND {below}" for above, below in zip(lower, upper, strict=True)]
    return [f"({found[0]} OR facility_id IS NULL)", *found[1:]] if bounds else ["true"]


def content_hash(connection: duckdb.DuckDBPyConnection, tables: Iterable[Table], printer: Printer | None = None) -> str:
    """One SHA-256 over the content of the tables, in hex. It depends neither on the order of rows nor on when we saw them.

    What each facility adds to it is remembered, and reckoned again only if the print of its rows is another one, or the rule is.
    """
    printer, known, parts = printer or Printer(connection), kept.read(connection, kept.HASHED), []
    fresh: dict[str, dict[str, tuple[int, ...]]] = {}
    rule = hashlib.sha256("; ".join([duckdb.__version__, *map(_sums_of, tables := list(tables))]).encode()).hexdigest()
    if known.pop(_RULE, None) != rule:
        known = {}
    for table in sorted(tables, key=lambda table: table.qualified):
        if isinstance(table, View):
            sums = _sums(connection, table, "true")
        else:
            fresh[table.qualified] = _by_facility(connection, table, printer.of(table), known.get(table.qualified, {}))
            sums = {part: (count, lower, upper) for part, (_, count, lower, upper) in fresh[table.qualified].items()}
        totals = [sum(each) for each in zip(*sums.values(), strict=True)] if sums else [0, None, None]
        parts.append(f"{table.qualified}:{':'.join(map(str, totals))}")
    if fresh != {name: {part: tuple(sums) for part, sums in own.items()} for name, own in known.items()}:
        kept.write(connection, kept.HASHED, {**fresh, _RULE: rule})
    digest = connection.execute("SELECT sha256(?)", ["\n".join(parts)]).fetchall()[0][0]
    return str(digest)


def _by_facility(
    connection: duckdb.DuckDBPyConnection, table: Table, prints: Prints, known: dict[str, list[int]]
) -> dict[str, tuple[int, ...]]:
    """What each facility adds to the hash, after the print that it was reckoned for."""
    moved = {part for part, taken in prints.items() if part not in known or known[part][0] != taken}
    same = {part: tuple(known[part]) for part in prints.keys() - moved}
    if not moved:
        return same
    named = "facility_id" in table.names() and can_be_named(moved)
    sums = _sums(connection, table, within(moved) if named else "true")
    return same | {part: (prints[part], *sums[part]) for part in moved}


def _sums(connection: duckdb.DuckDBPyConnection, table: Table, condition: str) -> dict[str, _Sums]:
    """Count and sums of the MD5 of the rows that meet a condition, by facility. Sums of parts add up to that of the whole."""
    found = connection.execute(_sums_of(table, condition)).fetchall()
    return {part: (count, lower, upper) for part, count, lower, upper in found}


def _sums_of(table: Table, condition: str = "true") -> str:
    relation = f"({table.query})" if isinstance(table, View) else table.qualified
    exact = {column.name for column in table.columns if column.type.endswith(",9)")}
    row = ", ".join(
        f"coalesce({_in_64_bits(name) if name in exact else ''}({name})::VARCHAR, chr(0))" for name in table.hashed
    )
    # The two halves of one MD5: md5_number_lower and md5_number_upper would each reckon it.
    return f"""SELECT part, count(*), sum((md5 >> 64)::HUGEINT), sum((md5 & 18446744073709551615::UHUGEINT)::HUGEINT)
        FROM (SELECT {_part(table)} AS part, md5_number(concat_ws(chr(31), {row})) AS md5 FROM {relation} WHERE {condition})
        GROUP BY part"""


def _in_64_bits(name: str) -> str:
    """The text of a quantity below 10^9, which is the same and takes a quarter of the time; null for any other."""
    return f"TRY_CAST({name} AS DECIMAL(18,9))::VARCHAR, "


def _part(table: Table) -> str:
    return f"coalesce(facility_id, '{_NO_FACILITY}')" if "facility_id" in table.names() else f"'{_NO_FACILITY}'"
