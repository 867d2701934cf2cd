"""A folder of Parquet files as its readers see it: each of three libraries, the manifest, and whether a set is whole."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow.parquet
from pyarrow import compute

Row = tuple[Any, ...]


def _by_duckdb(file: Path) -> list[Row]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(f"FROM '{file}'").fetchall()


def _by_pyarrow(file: Path) -> list[Row]:
    columns = pyarrow.parquet.read_table(file).to_pydict()
    return list(zip(*columns.values(), strict=True))


def _by_polars(file: Path) -> list[Row]:
    return polars.read_parquet(file).rows()


READERS: dict[str, Callable[[Path], list[Row]]] = {
    "duckdb": _by_duckdb,
    "pyarrow": _by_pyarrow,
    "polars": _by_polars,
}

# The sum of a column, as each library adds it up.
TOTALS: dict[str, Callable[[Path, str], Any]] = {
    "duckdb": lambda file, name: duckdb.sql(f"SELECT sum({name}) FROM '{file}'").fetchall()[0][0],
    "pyarrow": lambda file, name: compute.sum(pyarrow.parquet.read_table(file)[name]).as_py(),
    "polars": lambda file, name: polars.read_parquet(file)[name].sum(),
}


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return found


def check_whole(folder: Path) -> str:
    """Every file is there, is what the manifest says, and is of one publication. Returns its run."""
    manifest = manifest_of(folder)
    there = {path.name for path in folder.glob("*.parquet")}
    assert there == {table["file"] for table in manifest["tables"].values()}
    for table in manifest["tables"].values():
        content = (folder / table["file"]).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (table["sha256"], table["bytes"])
        told = pyarrow.parquet.read_metadata(folder / table["file"])
        assert told.num_rows == table["rows"]
        assert told.metadata[b"run_id"].decode() == manifest["run_id"]
    run_id: str = manifest["run_id"]
    return run_id


def latest(root: Path) -> tuple[str, str]:
    """The runs that a reader finds by the link and by `latest.json`, each a whole set."""
    named = json.loads((root / "latest.json").read_text(encoding="utf-8"))
    by_manifest = check_whole(root / named["folder"])
    assert by_manifest == named["run_id"]
    return check_whole((root / "latest").resolve()), by_manifest


def publications(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "publications").iterdir())
