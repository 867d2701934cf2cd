"""What another process has decoded meanwhile gives the same tables; without that process the same sync takes longer, and nothing else."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from dcycle_pipeline.landing.lists import ListResult
from dcycle_pipeline.sandbox import Behaviour, Sandbox
from dcycle_pipeline.sync import decoding
from dcycle_pipeline.sync.decoding import FEWEST_ROWS, Decoding
from dcycle_pipeline.warehouse.decoded import Decoded
from tests.conftest import assert_equal, settings_for, sync
from tests.sync.test_quiet_nights import contents, lived_in
from tests.warehouse.test_decode import NOW, RECORDS
from tests.warehouse.test_decoded import landed, records

pytestmark = pytest.mark.usefixtures("few_summaries")
# A process that answers once and dies, one that answers nonsense, and one that is not there.
BROKEN = {
    "dies": "import sys; sys.stdin.readline(); print('null', flush=True)",
    "raves": "import sys; sys.stdin.readline(); print('no place', flush=True); sys.stdin.read()",
    "fails": "raise SystemExit(1)",
}


async def until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110 - it is of another process
        await asyncio.sleep(0.01)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[ListResult]:
    """The process starts with the first list. Gives the lists that were taken from what it decoded."""
    found: list[ListResult] = []
    tables = Decoded.tables

    def noting(self: Decoded, result: ListResult) -> Iterator[pa.Table]:
        found.append(result)
        return tables(self, result)

    has_decoded = Decoding.has_decoded

    async def all_decoded(self: Decoding, results: list[ListResult]) -> None:
        """The lists of a test have landed before the process has started."""
        await until(lambda: not (self._waiting or self._in_work) or self._work is None or self._work.done())
        await has_decoded(self, results)

    monkeypatch.setattr(Decoding, "has_decoded", all_decoded)
    monkeypatch.setattr(decoding, "FEWEST_ROWS", 0)
    monkeypatch.setattr(decoding, "_has_another_core", lambda: True)
    monkeypatch.setattr(Decoded, "tables", noting)
    return found


@pytest.mark.exhaustive
def test_what_another_process_decodes_gives_the_same_tables(
    taken: list[ListResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = lived_in()
    odd = world.facility_records("f-north")[0]["id"]
    with Sandbox(world, replace(Behaviour(), malformed={odd: "number_garbage"})) as sandbox:
        beside = sync(settings_for(sandbox, tmp_path / "beside"))
        listed = {result.key.facility_id for result in taken}
        assert "f-large" in listed
        assert "f-north" not in listed, "whoever loads it says what is odd"
        monkeypatch.setattr(decoding, "_has_another_core", lambda: False)
        taken.clear()
        alone = sync(settings_for(sandbox, tmp_path / "alone"))
        assert not taken
    assert contents(beside) == contents(alone)


@pytest.mark.parametrize("how", BROKEN)
def test_a_process_that_fails_costs_nothing_but_time(
    how: str, taken: list[ListResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.py").write_text(BROKEN[how])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(decoding, "PROCESS", "broken")
    with Sandbox(lived_in()) as sandbox:
        synced = sync(settings_for(sandbox, tmp_path / "data"))
        assert_equal(synced, sandbox.world)
    assert not taken


def test_few_rows_are_decoded_without_another_process(
    taken: list[ListResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "FEWEST_ROWS", FEWEST_ROWS)
    monkeypatch.setattr(decoding.asyncio, "create_subprocess_exec", None)
    with Sandbox(lived_in()) as sandbox:
        assert sync(settings_for(sandbox, tmp_path / "data")).outcome == "published"
    assert not taken


def offering(root: Path) -> Any:
    """What a Decoding asks of a run."""
    folder = SimpleNamespace(spill=root, landing=root)
    return SimpleNamespace(folder=folder, settings=SimpleNamespace(facilities_api="v1"))


def test_a_list_that_is_read_again_while_others_land_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "FEWEST_ROWS", 5)
    monkeypatch.setattr(decoding, "_has_another_core", lambda: True)

    async def live() -> list[bool]:
        async with Decoding(offering(tmp_path), RECORDS.name, 2) as one:
            first = landed(tmp_path, "a", *records("a", 1))
            one.offer(first)
            await one.has_decoded([first])
            again = replace(landed(tmp_path, "a", *records("a", 2)), finished_at=NOW + timedelta(seconds=1))
            others = [landed(tmp_path, facility, *records(facility, 3)) for facility in "bcd"]
            for result in (again, *others):
                one.offer(result)
            await until(lambda: not (one._in_work or one._waiting))
            await one.has_decoded(others)
            assert one.decoded is not None
            return [result in one.decoded for result in (first, again, *others)]

    assert asyncio.run(live()) == [False, True, True, True, True]


def test_a_process_that_is_stopped_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stopped.py").write_text("import sys; sys.stdin.read()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(decoding, "PROCESS", "stopped")
    monkeypatch.setattr(decoding, "FEWEST_ROWS", 1)
    monkeypatch.setattr(decoding, "SILENT_SECONDS", 0.1)
    monkeypatch.setattr(decoding, "_has_another_core", lambda: True)

    async def live() -> bool:
        async with Decoding(offering(tmp_path), RECORDS.name, 1) as one:
            results = [landed(tmp_path, facility, *records(facility, 3)) for facility in "ab"]
            for result in results:
                one.offer(result)
            await until(lambda: bool(one._in_work))
            await one.has_decoded(results)
            assert one.decoded is not None
            return any(result in one.decoded for result in results)

    assert not asyncio.run(live())
