"""Lets the SQL file of a summary read some facilities only: relations of the connection stand in for the sources that it names.

Which facilities these are belongs to `moved`.
"""

import duckdb


class Window:
    """Relations of a connection that show the rows of some facilities, until somebody says that a source changed, or `close`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._shown: dict[str, tuple[str, str]] = {}

    def query(self, text: str, sources: tuple[str, ...], within: str, *, few: bool) -> str:
        """The query as it is, but of these sources it reads, and it gives, only the rows that meet the condition `within`.

        The rows of a `few` facilities are kept, because the files read some sources several times.
        """
        for source in sources:
            self._show(source, "TABLE" if few else "VIEW", within)
            text = text.replace(source, f"temp.{_bare(source)}")
        return f"SELECT * FROM ({text}) WHERE {within}"

    def _show(self, source: str, kind: str, within: str) -> None:
        if self._shown.get(source) != (kind, within):
            self.changed(source)
            self._connection.execute(f"CREATE TEMP {kind} {_bare(source)} AS SELECT * FROM {source} WHERE {within}")
            self._shown[source] = kind, within

    def changed(self, source: str) -> None:
        """Say that rows of a source changed."""
        if shown := self._shown.pop(source, None):
            self._connection.execute(f"DROP {shown[0]} temp.{_bare(source)}")

    def close(self) -> None:
        """Leave nothing behind in the connection."""
        for source in list(self._shown):
            self.changed(source)


def _bare(source: str) -> str:
    """The name without its schema, as that is what the files may call the columns by."""
    return source.split(".")[1]
