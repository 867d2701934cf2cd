"""What staged lists show, compared with the versions: rows that vanished, rows that several lists show, rows in doubt.

It reads the temporary tables that `merge` fills. What becomes of such rows belongs to `sync`.
"""

import duckdb

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.errors import few
from dcycle_pipeline.warehouse import history, run_tables
from dcycle_pipeline.warehouse.decode import QuarantinedItem

STAGED = "temp.staged"
_IS_KEPT = "EXISTS (SELECT 1 FROM kept_lists WHERE list_facility_id IS NOT DISTINCT FROM {})"
NO_ROWS = "0:0"
MOST_NAMED = 5  # contradictory rows in one message


class Comparison:
    """The staged lists of one organisation and endpoint beside its versions. A kept list is not staged: the versions hold exactly
    its rows, and those that were off the list before. `lists_are_staged` is whether any is.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, endpoint: Endpoint, organization_id: str) -> None:
        self.connection = connection
        self._endpoint = endpoint
        self._organization_id = organization_id
        self._versions = history.versions(endpoint).qualified
        self._id = endpoint.id_column
        self._facility = endpoint.parent_parameter or "NULL::VARCHAR"
        self.lists_are_staged = False

    def current_count(self) -> int:
        """How many rows the organisation has now."""
        query = f"SELECT count(*) FROM {self._versions} WHERE valid_to IS NULL AND organization_id = ?"
        return int(self.connection.execute(query, [self._organization_id]).fetchall()[0][0])

    def vanished(self) -> dict[str, str | None]:
        """The ids of current rows of the lists that the API no longer showed, each with the facility of its list.

        Of a kept list these are those that it did not show before either.
        """
        old = f"SELECT {self._id}, {self._facility} FROM {self._versions} AS old WHERE {history.VALID_NOW} AND organization_id = $1"
        not_quarantined = f"NOT EXISTS (SELECT 1 FROM staged_quarantined WHERE item_id = old.{self._id})"
        rows = []
        if self.lists_are_staged:
            rows += self.connection.execute(
                f"""{old} AND {not_quarantined}
                AND EXISTS (SELECT 1 FROM staged_lists WHERE list_facility_id IS NOT DISTINCT FROM {self._facility})
                AND NOT EXISTS (SELECT 1 FROM {STAGED} AS new WHERE new.{self._id} = old.{self._id})""",
                [self._organization_id],
            ).fetchall()
        if off := self.known_to_be_off_the_list():
            rows += self.connection.execute(
                f"{old} AND {not_quarantined} AND {_IS_KEPT.format(self._facility)} AND {self._id} IN (SELECT unnest($2::VARCHAR[]))",
                [self._organization_id, sorted(off)],
            ).fetchall()
        return dict(rows)

    def prints_of_staged(self) -> dict[str | None, str]:
        """How many rows of each facility are staged, and a print of their ids."""
        return self._prints(STAGED, [])

    def prints_of_versions(self, quarantined: list[QuarantinedItem]) -> dict[str | None, str]:
        """The same of the current versions, without the rows that no list shows and those whose items are `quarantined`."""
        values: list[object] = [self._organization_id]
        rows = f"{self._versions} WHERE {history.VALID_NOW} AND organization_id = $1"
        off = sorted(self.known_to_be_off_the_list())
        pairs = [f"{item.result.key.facility_id or ''} {item.identity}" for item in quarantined]
        for texts, text in ((off, self._id), (pairs, f"concat({self._facility}, ' ', {self._id})")):
            if texts:
                values.append(texts)
                rows += f" AND {text} NOT IN (SELECT unnest(${len(values)}::VARCHAR[]))"
        return self._prints(rows, values)

    def _prints(self, rows: str, values: list[object]) -> dict[str | None, str]:
        query = f"SELECT {self._facility} AS facility, count(*), sum(hash({self._id})) FROM {rows} GROUP BY facility"
        found = self.connection.execute(query, values).fetchall()
        return {facility: f"{count}:{total}" for facility, count, total in found}

    @property
    def _off_the_list(self) -> str:
        return f"""SELECT item_id FROM ({run_tables.LAST_DOUBTFUL_ROWS}) WHERE organization_id = $1 AND endpoint = $2
            UNION SELECT {self._id} FROM {self._versions} WHERE organization_id = $1 AND {history.VALID_NOW} AND change = 'unlisted'"""

    def known_to_be_off_the_list(self) -> set[str]:
        """The ids of rows that the last sweep left in doubt or unlisted: that they are not listed is no news."""
        rows = self.connection.execute(self._off_the_list, [self._organization_id, self._endpoint.name]).fetchall()
        return {row[0] for row in rows}

    def holds_a_nameless_row(self) -> bool:
        """Whether a row came whose id cannot be read: it may be any that seems to have vanished."""
        return bool(self.connection.execute("SELECT 1 FROM staged_quarantined WHERE item_id = '' LIMIT 1").fetchall())

    def a_listed_id(self) -> str | None:
        """The id of one row that the API listed in this sweep; None if it listed none."""
        for listed in (f"SELECT {self._id} FROM {STAGED}", self._rows_of_kept_lists(self._id)):
            where = [self._organization_id, self._endpoint.name] if "$1" in listed else []
            found: str | None = self.connection.execute(f"SELECT min({self._id}) FROM ({listed})", where).fetchall()[0][
                0
            ]
            if found is not None:
                return found
        return None

    def _rows_of_kept_lists(self, columns: str) -> str:
        return f"""SELECT {columns} FROM {self._versions} WHERE {history.VALID_NOW} AND organization_id = $1
            AND {_IS_KEPT.format(self._facility)} AND {self._id} NOT IN ({self._off_the_list})"""

    def facility_of(self, ids: list[str]) -> dict[str, str | None]:
        """The facility of whose list each of these rows is now; a row that is no more is left out."""
        rows = self.connection.execute(
            f"""SELECT {self._id}, {self._facility} FROM {self._versions}
            WHERE {history.VALID_NOW} AND organization_id = ? AND {self._id} IN (SELECT unnest(?::VARCHAR[]))""",
            [self._organization_id, ids],
        ).fetchall()
        return dict(rows)

    def contradictions(self) -> dict[str | None, str]:
        """Each facility whose list shows a row that another list shows too, with the ids of such rows in words."""
        if self._endpoint.parent is None or not self.lists_are_staged:
            return {}
        # Numbers instead of ids: with ids, a million rows do not fit the memory that loading has. Rows with the same number are looked at.
        doubles = f"""SELECT hash({self._id}) AS number FROM listed GROUP BY ALL
            HAVING min(hash({self._facility})) <> max(hash({self._facility}))"""
        both = f"{self._facility}, {self._id}"
        rows = self.connection.execute(
            f"""WITH listed AS (SELECT {both} FROM {STAGED} UNION ALL {self._rows_of_kept_lists(both)}
                AND {self._id} IN (SELECT {self._id} FROM {STAGED})),
            alike AS (SELECT * FROM listed WHERE hash({self._id}) IN ({doubles}))
            SELECT {both}, others FROM alike JOIN (
                SELECT {self._id}, list_sort(list(DISTINCT {self._facility})) AS others FROM alike GROUP BY ALL HAVING len(others) > 1
            ) USING ({self._id}) ORDER BY ALL""",
            [self._organization_id, self._endpoint.name],
        ).fetchall()
        found: dict[str | None, list[str]] = {}
        for facility, item, others in rows:
            found.setdefault(facility, []).append(f"{item} (facilities {', '.join(others)})")
        return {
            facility: f"the API lists one row under several facilities: {few(items, MOST_NAMED, ', ')}"
            for facility, items in found.items()
        }
