"""What staged lists show, compared with the versions: rows that vanished, rows that several lists show, rows in doubt.

It reads the temporary tables that `merge` fills. What becomes of such rows belongs to `sync`.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property

import duckdb

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.errors import few
from dcycle_pipeline.schema import quoted
from dcycle_pipeline.warehouse import doubts, history
from dcycle_pipeline.warehouse.decode import QuarantinedItem

STAGED = "temp.staged"
NO_ROWS = "0:0"
MOST_NAMED = 5  # contradictory rows in one message
Place = tuple[str, str | None]  # organisation and facility of a list


@dataclass(frozen=True)
class Seen:
    """What the staged lists of one organisation show, beside its versions.

    `vanished` are the current rows of the lists that the API no longer showed, each with the facility of its list; `contradictions`
    the facilities whose lists show rows that another list shows too, in words; `off_the_list` rows of which that is no news.
    `doubts` are rows that the last sweep left in doubt, with the facility of their list and the reason.
    `current_count` is how many rows it has now, `a_listed_id` the id of one that the API listed in this sweep, None if it listed
    none. If `holds_a_nameless_row`, a row came whose id cannot be read: it may be any that seems to have vanished.
    """

    vanished: dict[str, str | None] = field(default_factory=dict)
    contradictions: dict[str | None, str] = field(default_factory=dict)
    off_the_list: frozenset[str] = frozenset()
    current_count: int = 0
    a_listed_id: str | None = None
    holds_a_nameless_row: bool = False
    doubts: dict[str, tuple[str | None, str]] = field(default_factory=dict)

    @property
    def leaves_questions(self) -> bool:
        return bool(self.vanished or self.contradictions)


class Comparison:
    """The staged lists of some organisations and one endpoint beside their versions. A kept list is not staged: the versions hold
    exactly its rows, and those that were off the list before. `staged` are the lists that are.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, endpoint: Endpoint, organization_ids: Collection[str]
    ) -> None:
        self.connection = connection
        self._endpoint = endpoint
        self.organization_ids = list(organization_ids)
        self._versions = history.versions(endpoint).qualified
        self._id = endpoint.id_column
        self._facility = endpoint.parent_parameter or "NULL::VARCHAR"
        self._current = f"{self._versions} AS old WHERE {history.VALID_NOW} AND {within(self.organization_ids)}"
        self.staged: set[Place] = set()
        self.kept: set[Place] = set()

    def seen(self) -> dict[str, Seen]:
        """What there is to see of each organisation."""
        vanished, contradictions = self._vanished(), self._contradictions()
        found = {}
        for each in self.organization_ids:
            found[each] = Seen()
            if each in vanished or each in contradictions:
                off_the_list = frozenset(self._off_the_list[each])
                facts = self._current_count(each), self._a_listed_id(each), self._holds_a_nameless_row(each)
                found[each] = Seen(vanished[each], contradictions[each], off_the_list, *facts, self._doubts[each])
        return found

    def _current_count(self, organization_id: str) -> int:
        query = f"SELECT count(*) FROM {self._versions} WHERE valid_to IS NULL AND organization_id = ?"
        return int(self.connection.execute(query, [organization_id]).fetchall()[0][0])

    def _vanished(self) -> defaultdict[str, dict[str, str | None]]:
        """Of a kept list these are the rows that it did not show before either."""
        old = f"SELECT organization_id, {self._id}, {self._facility} FROM {self._current}"
        not_quarantined = (
            f"NOT EXISTS (FROM staged_quarantined AS bad WHERE {_same('bad')} AND item_id = old.{self._id})"
        )
        # A list may show a row that another list of its organisation held.
        shown = f"EXISTS (FROM {STAGED} AS new WHERE {_same('new')} AND new.{self._id} = old.{self._id})"
        gone = f"{old} AND {not_quarantined} AND NOT {shown}"
        rows = []
        if self.staged:
            rows += self.connection.execute(f"{gone} AND {self._is_of('staged_lists')}").fetchall()
        off = sorted((each, item) for each, items in self._off_the_list.items() for item in items)
        if off and self.kept:
            values: list[object] = []
            is_off = _among(values, off, "old.organization_id", f"old.{self._id}")
            rows += self.connection.execute(f"{gone} AND {self._is_of('kept_lists')} AND {is_off}", values).fetchall()
        found: defaultdict[str, dict[str, str | None]] = defaultdict(dict)
        for organization, item, facility in rows:
            found[organization][item] = facility
        return found

    def _is_of(self, lists: str) -> str:
        """SQL: `old` is a row of one of these lists."""
        facility = f"list_facility_id IS NOT DISTINCT FROM {self._facility}"
        return f"EXISTS (FROM {lists} AS list WHERE {_same('list')} AND {facility})"

    def prints_of_staged(self) -> dict[Place, str]:
        """How many rows of each list's facility are staged, and a print of their ids."""
        return self._prints(STAGED, [])

    def prints_of_versions(self, quarantined: list[QuarantinedItem]) -> dict[Place, str]:
        """The same of the current versions, without the rows that no list shows and those whose items are `quarantined`."""
        values: list[object] = []
        rows = self._current
        off = sorted((each, item) for each, items in self._off_the_list.items() for item in items)
        bad = [
            (item.result.key.organization_id, item.result.key.facility_id or "", item.identity) for item in quarantined
        ]
        if off:
            rows += f" AND NOT {_among(values, off, 'organization_id', self._id)}"
        if bad:
            facility = f"coalesce({self._facility}, '')"
            rows += f" AND NOT {_among(values, bad, 'organization_id', facility, self._id)}"
        return self._prints(rows, values)

    def _prints(self, rows: str, values: list[object]) -> dict[Place, str]:
        query = f"SELECT organization_id, {self._facility} AS facility, count(*), sum(hash({self._id})) FROM {rows} GROUP BY ALL"
        found = self.connection.execute(query, values).fetchall()
        return {(organization, facility): f"{count}:{total}" for organization, facility, count, total in found}

    @cached_property
    def _doubts(self) -> defaultdict[str, dict[str, tuple[str | None, str]]]:
        found: defaultdict[str, dict[str, tuple[str | None, str]]] = defaultdict(dict)
        last = doubts.last_doubtful(self.connection, self._endpoint.name, self.organization_ids)
        for organization, item, facility, reason in last:
            found[organization][item] = facility, reason
        return found

    @cached_property
    def _off_the_list(self) -> defaultdict[str, set[str]]:
        """The ids of rows that the last sweep left in doubt or unlisted: that they are not listed is no news."""
        rows = [(organization, item) for organization, items in self._doubts.items() for item in items]
        rows += self.connection.execute(
            f"SELECT organization_id, {self._id} FROM {self._current} AND change = 'unlisted'"
        ).fetchall()
        found: defaultdict[str, set[str]] = defaultdict(set)
        for organization, item in rows:
            found[organization].add(item)
        return found

    def _holds_a_nameless_row(self, organization_id: str) -> bool:
        nameless = "SELECT 1 FROM staged_quarantined WHERE organization_id = ? AND item_id = '' LIMIT 1"
        return bool(self.connection.execute(nameless, [organization_id]).fetchall())

    def _a_listed_id(self, organization_id: str) -> str | None:
        values: list[object] = []
        for listed in (f"FROM {STAGED} AS old", self._rows_of_kept_lists(values)):
            where = [*values, organization_id] if "kept_lists" in listed else [organization_id]
            one = f"SELECT min({self._id}) FROM (SELECT old.* {listed}) WHERE organization_id = ${len(where)}"
            found: str | None = self.connection.execute(one, where).fetchall()[0][0]
            if found is not None:
                return found
        return None

    def _rows_of_kept_lists(self, values: list[object]) -> str:
        """SQL for the rows that kept lists show; what it compares with is added to `values`."""
        off = sorted((each, item) for each, items in self._off_the_list.items() for item in items)
        not_off = f"AND NOT {_among(values, off, 'old.organization_id', f'old.{self._id}')}" if off else ""
        return f"FROM {self._current} AND {self._is_of('kept_lists')} {not_off}"

    def facility_of(self, organization_id: str, ids: list[str]) -> dict[str, str | None]:
        """The facility of whose list each of these rows is now; a row that is no more is left out."""
        rows = self.connection.execute(
            f"""SELECT {self._id}, {self._facility} FROM {self._versions}
            WHERE {history.VALID_NOW} AND organization_id = ? AND {self._id} IN (SELECT unnest(?::VARCHAR[]))""",
            [organization_id, ids],
        ).fetchall()
        return dict(rows)

    def _contradictions(self) -> defaultdict[str, dict[str | None, str]]:
        """Each facility whose list shows a row that another list of its organisation shows too, with the ids of such rows in words."""
        found: defaultdict[str, dict[str | None, list[str]]] = defaultdict(lambda: defaultdict(list))
        words: defaultdict[str, dict[str | None, str]] = defaultdict(dict)
        if not self._several_lists_of_one():
            return words
        for organization, facility, item, others in self._listed_twice():
            found[organization][facility].append(f"{item} (facilities {', '.join(others)})")
        for organization, facilities in found.items():
            for facility, items in facilities.items():
                named = few(items, MOST_NAMED, ", ")
                words[organization][facility] = f"the API lists one row under several facilities: {named}"
        return words

    def _several_lists_of_one(self) -> bool:
        with_staged = {organization for organization, _ in self.staged}
        lists = [organization for organization, _ in (*self.staged, *self.kept) if organization in with_staged]
        return len(lists) > len(with_staged)

    def _listed_twice(self) -> list[tuple[str, str | None, str, list[str]]]:
        # Numbers instead of ids: with ids, a million rows do not fit the memory that loading has. Rows with the same number are looked at.
        number = f"hash({self._id}, organization_id)" if len(self.organization_ids) > 1 else f"hash({self._id})"
        doubles = f"""SELECT {number} AS number FROM listed GROUP BY ALL
            HAVING min(hash({self._facility})) <> max(hash({self._facility}))"""
        both, values = f"organization_id, {self._facility}, {self._id}", list[object]()
        return self.connection.execute(
            f"""WITH listed AS (SELECT {both} FROM {STAGED} UNION ALL SELECT {both} {self._rows_of_kept_lists(values)}
                AND EXISTS (FROM {STAGED} AS new WHERE {_same("new")} AND new.{self._id} = old.{self._id})),
            alike AS (SELECT * FROM listed WHERE {number} IN ({doubles}))
            SELECT {both}, others FROM alike JOIN (
                SELECT organization_id, {self._id}, list_sort(list(DISTINCT {self._facility})) AS others FROM alike
                GROUP BY ALL HAVING len(others) > 1
            ) USING (organization_id, {self._id}) ORDER BY ALL""",
            values,
        ).fetchall()


def within(organization_ids: Collection[str]) -> str:
    """SQL: the row is of one of these organisations."""
    return f"organization_id IN ({', '.join(map(quoted, organization_ids))})"


def _same(name: str) -> str:
    """SQL: the rows `old` and `name` are of one organisation."""
    return f"{name}.organization_id = old.organization_id"


def _among(values: list[object], rows: Collection[tuple[str, ...]], *columns: str) -> str:
    """SQL: the columns have the values of one of these rows, which are added to `values`."""
    first = len(values) + 1
    values += [list(column) for column in zip(*rows, strict=True)]
    numbers = range(len(columns))
    listed = ", ".join(f"unnest(${first + number}::VARCHAR[]) AS value_{number}" for number in numbers)
    same = " AND ".join(f"value_{number} = {columns[number]}" for number in numbers)
    return f"EXISTS (FROM (SELECT {listed}) WHERE {same})"
