"""Destination `parquet`: the tables of a publication as Parquet files in a folder of their own, with a manifest.

A folder is complete before it has its name. Which publications are kept, and which one readers find, belongs to `parquet_folder`.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from dcycle_pipeline.data_folder import file_name, permissions, sync_folder, write_whole
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.publish import parquet_folder
from dcycle_pipeline.publish.catalog import copied_tables
from dcycle_pipeline.publish.delivery import Delivery
from dcycle_pipeline.publish.parquet_folder import LAYOUT_VERSION, MANIFEST, MANIFEST_MODE
from dcycle_pipeline.publish.snapshots import publication_name
from dcycle_pipeline.schema import Table, quoted
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.warehouse.database import set_memory
from dcycle_pipeline.warehouse.run_tables import RUNS

BY_ORGANIZATION = "organizations"
KEPT_AT_LEAST = 2  # readers that opened the one before are still under way
_FILE_MODE = 0o444
_ROOTS = f"""SELECT root_organization_id FROM {RUNS.qualified} WHERE root_organization_id IS NOT NULL
GROUP BY ALL ORDER BY max(started_at) DESC"""


def send(delivery: Delivery) -> None:
    """Write the publication to a folder of its own, lead readers there, and delete old ones.

    Raises SettingsError if the folder is not ours or cannot be used, UnavailableError if the snapshot cannot be read.
    """
    root = _root(delivery.settings)
    name = publication_name(delivery.run_id, delivery.published_at)
    try:
        with _reading(delivery) as connection:
            parquet_folder.claim(root, [row[0] for row in connection.execute(_ROOTS).fetchall()])
            with parquet_folder.completed(root, name) as part:
                if part is not None:
                    connection.execute(f"SET temp_directory = {quoted(str(part / parquet_folder.SPILL))}")
                    _write(connection, delivery, part)
    except duckdb.Error as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise UnavailableError(
            f"The publication cannot be written to {root}: {said}. Check its disk, then sync again."
        ) from None
    parquet_folder.switch(root, name)
    parquet_folder.forget_old(root, name, max(KEPT_AT_LEAST, delivery.settings.keep_snapshots))


def attempt(settings: Settings) -> str:
    """What a trial of the folder found, without data. Raises SettingsError if nothing could be written there."""
    return parquet_folder.attempt(_root(settings))


def _root(settings: Settings) -> Path:
    assert settings.parquet_dir  # the registry says that it is needed
    return settings.parquet_dir


@contextmanager
def _reading(delivery: Delivery) -> Iterator[duckdb.DuckDBPyConnection]:
    """The snapshot, read-only, in the memory that is granted."""
    with duckdb.connect() as connection:
        set_memory(connection, delivery.settings.memory_limit_mb)
        connection.execute("SET enable_progress_bar = false; SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH {quoted(str(delivery.snapshot))} AS published (READ_ONLY); USE published")
        yield connection


def _write(connection: duckdb.DuckDBPyConnection, delivery: Delivery, folder: Path) -> None:
    tables = copied_tables()
    _write_set(connection, delivery, folder, tables, "true")
    if not delivery.settings.parquet_by_organization:
        return
    own = [table for table in tables if "organization_id" in table.names()]
    found = connection.execute("SELECT organization_id FROM dcycle.organizations ORDER BY ALL").fetchall()
    (folder / BY_ORGANIZATION).mkdir()
    for (organization,) in found:
        below = folder / BY_ORGANIZATION / file_name(organization)
        below.mkdir()
        _write_set(connection, delivery, below, own, f"organization_id = {quoted(organization)}")
        parquet_folder.show(below)
    parquet_folder.show(folder / BY_ORGANIZATION)


def _write_set(
    connection: duckdb.DuckDBPyConnection, delivery: Delivery, folder: Path, tables: list[Table], where: str
) -> None:
    """The rows of each table that meet a condition, a file each, and last the manifest over them."""
    publication = {
        "run_id": delivery.run_id,
        "published_at": delivery.published_at.astimezone(UTC).isoformat(),
        "content_hash": delivery.content_hash,
    }
    written = {table.qualified: _write_table(connection, table, where, folder, publication) for table in tables}
    manifest = {
        "layout_version": LAYOUT_VERSION,
        "pipeline_version": version("dcycle_pipeline"),
        **publication,
        "tables": written,
    }
    content = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
    write_whole(folder / MANIFEST, content, permissions.published(MANIFEST_MODE))
    sync_folder(folder)


def _write_table(
    connection: duckdb.DuckDBPyConnection, table: Table, where: str, folder: Path, publication: dict[str, str]
) -> dict[str, Any]:
    """One file, durable, and what the manifest says of it. Each file names its publication, so that a mixture would show."""
    file = folder / f"{table.qualified}.parquet"
    told = ", ".join(f"{name}: {quoted(value)}" for name, value in publication.items())
    names = ", ".join(table.names())
    rows = connection.execute(
        f"""COPY (SELECT {names} FROM {table.qualified} WHERE {where} ORDER BY {", ".join(table.key)})
        TO {quoted(str(file))} (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{told}}})"""
    ).fetchall()[0][0]
    with file.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
        os.fsync(written.fileno())
    permissions.set_mode(file, permissions.published(_FILE_MODE))
    columns = [
        {
            "name": each.name,
            "type": each.type,
            "unit": each.unit,
            "additivity": each.additivity,
            "comment": table.comment_of(each),
        }
        for each in table.columns
    ]
    return {
        "file": file.name,
        "rows": rows,
        "bytes": file.stat().st_size,
        "sha256": digest,
        "comment": table.comment,
        "key": list(table.key),
        "columns": columns,
    }
