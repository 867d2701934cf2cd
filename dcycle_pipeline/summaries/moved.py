"""What moved since the summaries were last brought up to date: which of their sources, and in which facilities.

It is seen by the prints of the rows, and remembered in the same transaction as the summaries. So a run that died, a rollback or a
restored file need no word here. What is made again, and how, belongs to the room itself.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from typing import Any

import duckdb

from dcycle_pipeline.endpoints import facilities, waste_water_treatments
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.schema import Table
from dcycle_pipeline.summaries.declaration import COUNTED, FACILITIES, WWT, Summary
from dcycle_pipeline.summaries.months import FACILITY_MONTH
from dcycle_pipeline.summaries.scopes import SCOPE_MAPPING
from dcycle_pipeline.summaries.twice import LISTED_TWICE
from dcycle_pipeline.warehouse import kept, run_tables
from dcycle_pipeline.warehouse.history import VALID_NOW, versions
from dcycle_pipeline.warehouse.prints import Printer, can_be_named, different, spans, within

_RECORDS, _FACILITIES = versions(waste_water_treatments.ENDPOINT), versions(facilities.V1)
# Each table that the summaries are made from, with the names under which they read it.
_SOURCES: tuple[tuple[Table, frozenset[str]], ...] = (
    (_RECORDS, frozenset({_RECORDS.qualified, WWT, COUNTED})),
    (_FACILITIES, frozenset({_FACILITIES.qualified, FACILITIES})),
    (ORGANIZATIONS, frozenset({ORGANIZATIONS.qualified})),
    (SCOPE_MAPPING, frozenset({SCOPE_MAPPING.qualified})),
)
# A facility's rows are made from these alone, and from the rows of the facility in other summaries.
_BY_FACILITY = (_RECORDS, _FACILITIES)
AT_ONCE = 250_000  # records: their months fit the memory with which a step begins, however many there are in all
MOST_SHARE = 4  # if more than one facility in four moved, all are made again in one go
# Which years the facilities of an organisation may owe: it depends on all of them.
CALENDAR = f"""SELECT coalesce(sum(hash(hash(*COLUMNS(*)))), 0)::VARCHAR FROM (
    SELECT organization_id, year(month) AS year FROM {FACILITY_MONTH} GROUP BY ALL
    UNION ALL SELECT organization_id, -max(year(start_date)) FROM {COUNTED}
    WHERE is_counted(status, start_date, end_date) GROUP BY ALL)"""
_PUBLICATIONS = f"""SELECT coalesce(sum(hash(hash(run_id, published_at))) FILTER (published_at < $1), 0)::VARCHAR,
    coalesce(sum(hash(hash(run_id, published_at))), 0)::VARCHAR, coalesce(max(published_at) = $1, false)
FROM {run_tables.RUNS.qualified} WHERE outcome IN {run_tables.PUBLISHED}"""


def made_with(texts: tuple[str, ...]) -> str:
    """A digest of all that a summary is made with beside its sources: the package, DuckDB, the rules, the queries."""
    said = (version("dcycle_pipeline"), duckdb.__version__, *texts)
    return hashlib.sha256("\0".join(said).encode()).hexdigest()


@dataclass
class Moved:
    """What moved: `names` are the tables and views of which rows changed, `facilities` where; all of them if `wholly`.

    `stored` are the tables that hold the summaries' rows, by the name of the summary.
    """

    printer: Printer
    names: set[str] = field(default_factory=set)
    facilities: set[str] = field(default_factory=set)
    wholly: bool = False
    stored: dict[str, Table] = field(default_factory=dict)
    records_count: int = 0
    _known: dict[str, Any] = field(default_factory=dict)
    _now: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def since_last(
        cls,
        connection: duckdb.DuckDBPyConnection,
        printer: Printer,
        moment: datetime,
        digest: str,
        stored: dict[str, Table],
    ) -> "Moved":
        """What moved since summaries were last made with the same `digest`; everything if they were not."""
        known = kept.read(connection, kept.SUMMARISED)
        before, now, is_publication = connection.execute(_PUBLICATIONS, [moment]).fetchall()[0]
        facts = {"made_with": digest, "publications": now, "is_publication": is_publication}
        count = connection.execute(f"SELECT count(*) FROM {_RECORDS.qualified} WHERE {VALID_NOW}").fetchall()[0][0]
        anew = known.get("made_with") != digest
        moved = cls(printer, wholly=anew, stored=stored, records_count=count, _known=known, _now=facts)
        for table, names in _SOURCES:
            if moved._differs(table):
                moved.names |= names
        for name, table in stored.items():
            if moved._differs(table):  # somebody else wrote in it
                moved.names.add(name)
        # What changed after the last publication is told of the next one, even if nothing changed between the two.
        if (known.get("publications"), known.get("is_publication")) != (before, True):
            moved.names.add(run_tables.RUNS.qualified)
        return moved

    def _differs(self, table: Table) -> set[str]:
        parts = different(self._known.get("prints", {}).get(table.qualified, {}), self.printer.of(table))
        if table in _BY_FACILITY or table in self.stored.values():
            self.facilities |= parts
        return parts

    def concerns(self, summary: Summary) -> bool:
        """Whether the summary has to be made again. What the run tables say moves with every run."""
        sources = {name for name in summary.sources if name != run_tables.RUNS.qualified}
        of_runs = any(name.startswith(("sync.", "dcycle.total_impacts")) for name in sources)
        if summary == LISTED_TWICE:  # if nothing is, no list that is read again changes that, unless its rows do
            of_runs = bool(self.printer.of(self.stored[summary.name]))
        return self.wholly or of_runs or bool(self.names & {summary.name, summary.qualified, *summary.sources})

    @property
    def is_few(self) -> bool:
        """Whether it is some facilities that moved, so few that it is worth while to look for their rows alone."""
        few = len(self.facilities) * MOST_SHARE < len(self.printer.of(_RECORDS))
        return not self.wholly and few and can_be_named(self.facilities)

    @property
    def conditions(self) -> list[str]:
        """SQL conditions for the facilities to make again, some at a time. A row meets one of them, or its facility did not move."""
        if self.is_few:
            return [within(self.facilities)]
        return spans(sorted(self.printer.of(_RECORDS)), -(-self.records_count // AT_ONCE))

    def made(self, connection: duckdb.DuckDBPyConnection, summary: Summary, rows_changed: int) -> None:
        """Say that the summary was made again, so that what is made from it knows."""
        table = self.stored[summary.name]
        if rows_changed:
            self.printer.changed(table)
            self.names |= {summary.qualified, table.qualified}
        if summary == LISTED_TWICE and (parts := self._differs(table)):  # records count elsewhere than before
            self.names.add(COUNTED)
            self.facilities |= parts
        if summary.qualified == FACILITY_MONTH:
            self._now["calendar"] = connection.execute(CALENDAR).fetchall()[0][0]
            self.wholly |= self._now["calendar"] != self._known.get("calendar")

    def remember(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Remember how things are, once all summaries are made."""
        tables = [table for table, _ in _SOURCES] + list(self.stored.values())
        calendar = {"calendar": self._known.get("calendar")}
        fresh = calendar | self._now | {"prints": {table.qualified: self.printer.of(table) for table in tables}}
        if fresh != self._known:
            kept.write(connection, kept.SUMMARISED, fresh)
