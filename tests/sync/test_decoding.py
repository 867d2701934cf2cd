"""What another process has decoded meanwhile gives the same tables; without that process the same sync takes longer, and nothing else."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from dcycle_pipeline.landing.lists import ListResult
from dcycle_pipeline.sandbox import Behaviour, Sandbox
from dcycle_pipeline.sync import decoding
from dcycle_pipeline.sync.decoding import FEWEST_ROWS
from dcycle_pipeline.warehouse.decoded import Decoded
from tests.conftest import assert_equal, settings_for, sync
from tests.sync.test_quiet_nights import contents, lived_in

pytestmark = pytest.mark.usefixtures("few_summaries")
# A process that answers once and dies, one that answers nonsense, and one that is not there.
BROKEN = {
    "dies": "import sys; sys.stdin.readline(); print('null', flush=True)",
    "raves": "import sys; sys.stdin.readline(); print('no place', flush=True); sys.stdin.read()",
    "fails": "raise SystemExit(1)",
}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[ListResult]:
    """The process starts with the first list. Gives the lists that were taken from what it decoded."""
    found: list[ListResult] = []
    tables = Decoded.tables

    def noting(self: Decoded, result: ListResult) -> Iterator[pa.Table]:
        found.append(result)
        return tables(self, result)

    monkeypatch.setattr(decoding, "FEWEST_ROWS", 0)
    monkeypatch.setattr(decoding, "_has_another_core", lambda: True)
    monkeypatch.setattr(Decoded, "tables", noting)
    return found


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
