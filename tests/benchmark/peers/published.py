"""How many records a file holds and what their co2e adds up to: a fast run that lost rows is no result. Prints one JSON line.

`python -m tests.benchmark.peers.published FILE TABLE COLUMN`, in a process of its own to keep DuckDB out of the benchmark's.
"""

import json
import sys

import duckdb


def main() -> None:
    file, table, column = sys.argv[1:]
    with duckdb.connect(file, read_only=True) as connection:
        query = f"SELECT count(*), sum({column}::DECIMAL(28, 9)) FROM {table}"
        count, total = connection.execute(query).fetchall()[0]
    print(json.dumps([count, str(total)]))


if __name__ == "__main__":
    main()
