"""The other process answers each list, ends with its input, and what it wrote reads as what is decoded here."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import IO

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcycle_pipeline.api.types import Page, Proof
from dcycle_pipeline.landing.files import Landing, Trailer
from dcycle_pipeline.landing.lists import ListKey, ListResult
from dcycle_pipeline.warehouse import decoding_process
from dcycle_pipeline.warehouse.decode import batches
from dcycle_pipeline.warehouse.decoded import Decoded, Place, append
from tests.warehouse.test_decode import NOW, RECORDS, item


def landed(root: Path, facility: str, *items: str) -> ListResult:
    landing, key = Landing(root, "run"), ListKey("o", RECORDS.name, facility)
    proof = Proof(True, "", len(items), len(items), len(items), 1, 1)
    with landing.write(key) as file:
        file.keep(Page(1, (), {}, ("[" + ",".join(items) + "]").encode()))
        file.finish(Trailer(proof, NOW, NOW))
    return ListResult(key, "proven", "", NOW, NOW, "run", proof, landing.file(key))


def records(facility: str, count: int) -> list[str]:
    return [
        item(f"{facility}-{number}", facility_id=f'"{facility}"', quantity=f"{number}.5") for number in range(count)
    ]


@pytest.fixture
def file() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        yield file


def test_the_process_answers_each_list_and_ends_with_its_input(tmp_path: Path, file: IO[bytes]) -> None:
    asked = [
        landed(tmp_path, "a", *records("a", 3)),
        landed(tmp_path, "odd", *records("odd", 2), item("other", facility_id='"a"')),
        landed(tmp_path, "b", *records("b", 9_000)),
        landed(tmp_path, "gone"),
        landed(tmp_path, "none"),
    ]
    (tmp_path / (asked[3].landed_file or "")).unlink()
    command = [sys.executable, "-m", decoding_process.__name__, "v1", RECORDS.name, str(tmp_path), str(file.fileno())]
    lines = b"".join(msgspec.json.encode(result) + b"\n" for result in asked)
    ended = subprocess.run(command, input=lines, stdout=subprocess.PIPE, check=True, pass_fds=[file.fileno()])
    answers = [msgspec.json.decode(line, type=list[Place] | None) for line in ended.stdout.splitlines()]
    assert [answer and len(answer) for answer in answers] == [1, None, 2, None, 1]
    decoded = Decoded(file.fileno())
    for result, places in zip(asked, answers, strict=True):
        if places is not None:
            decoded.add(result, places)
    assert pa.concat_tables(decoded.tables(asked[2])).equals(here([asked[2]], tmp_path))
    assert asked[1] not in decoded


def here(results: list[ListResult], root: Path, decoded: Decoded | None = None) -> pa.Table:
    return pa.concat_tables(batch.items for batch in batches(RECORDS, results, root, decoded)).combine_chunks()


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), min_size=1, max_size=6))
def test_the_order_of_rows_does_not_depend_on_who_decoded_them(
    tmp_path_factory: pytest.TempPathFactory, lists: list[tuple[str, int, bool]]
) -> None:
    root, end = tmp_path_factory.mktemp("landing"), 0
    results = []
    with tempfile.TemporaryFile() as file:
        decoded = Decoded(file.fileno())
        for number, (facility, count, is_decoded) in enumerate(lists):
            result = landed(root, f"{facility}{number}", *records(f"{facility}{number}", count))
            results.append(result)
            if is_decoded:
                places = [append(file.fileno(), end, here([result], root))]
                decoded.add(result, places)
                end = sum(places[-1])
        assert here(results, root, decoded).equals(here(results, root))


def test_a_full_disk_ends_the_process_and_gives_its_part_back(tmp_path: Path, file: IO[bytes]) -> None:
    asked = landed(tmp_path, "a", *records("a", 2_000))
    command = [sys.executable, "-m", decoding_process.__name__, "v1", RECORDS.name, str(tmp_path), str(file.fileno())]
    small = ["sh", "-c", 'ulimit -f 16; exec "$@"', "sh", *command]  # blocks: a file of that size is the disk
    ended = subprocess.run(
        small, input=msgspec.json.encode(asked) + b"\n", capture_output=True, check=False, pass_fds=[file.fileno()]
    )
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout == b""
    assert os.fstat(file.fileno()).st_size == 0


def test_a_list_that_was_read_again_is_another_one(tmp_path: Path, file: IO[bytes]) -> None:
    result = landed(tmp_path, "a", *records("a", 1))
    decoded = Decoded(file.fileno())
    decoded.add(result, [append(file.fileno(), 0, here([result], tmp_path))])
    assert result in decoded
    assert replace(result, finished_at=NOW + timedelta(seconds=1)) not in decoded
