"""Typed batches of landed lists in a file without a name, where another process put them while the next lists were read.

Making them belongs to `decode`, the other process to `decoding_process`. Nobody has to tidy up after a kill: the file ends with those
who hold it.
"""

import os
from collections.abc import Iterator
from datetime import datetime

import pyarrow as pa

from dcycle_pipeline.landing.lists import ListResult

# A million records take 90 MB instead of 330 MB, in the same time.
_WRITING = pa.ipc.IpcWriteOptions(compression="lz4")
Place = tuple[int, int]  # the first byte of a batch, and how many it has


def append(file: int, at: int, items: pa.Table) -> Place:
    """Write a batch into the file with this descriptor, from byte `at`. Raises OSError if it does not take it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, items.schema, options=_WRITING) as writer:
        writer.write_table(items)
    batch = memoryview(sink.getvalue())
    written = 0
    while written < len(batch):
        written += os.pwrite(file, batch[written:], at + written)
    return at, written


class Decoded:
    """The lists whose batches are in the file with this descriptor. A list that was read again is another one."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._places: dict[tuple[str | None, datetime], list[Place]] = {}

    def add(self, result: ListResult, places: list[Place]) -> None:
        self._places[_name(result)] = places

    def __contains__(self, result: ListResult) -> bool:
        return _name(result) in self._places

    def tables(self, result: ListResult) -> Iterator[pa.Table]:
        """The batches of a list, in order. Each has the columns of `arrow.Layout`."""
        for at, length in self._places[_name(result)]:
            with pa.ipc.open_stream(os.pread(self._file, length, at)) as batch:
                yield batch.read_all()


def _name(result: ListResult) -> tuple[str | None, datetime]:
    return result.landed_file, result.finished_at
