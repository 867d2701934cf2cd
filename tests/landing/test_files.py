"""What was landed is read back as it was, or not at all; no id leaves the folder or meets another's file."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcycle_pipeline.api.types import Page, Proof
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.files import Landing, Trailer
from dcycle_pipeline.landing.forgetting import forget_runs
from dcycle_pipeline.landing.landed_file import page_lines as lines
from dcycle_pipeline.landing.lists import ListKey

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TRAILER = Trailer(Proof(True, "", 2, 2, 2, 1, 2), NOW, NOW)
PAGES = [Page(1, ("a",), {"total": 2}, b'[{"id":"a","text":"\\n \xc3\xb1"}]'), Page(2, ("b",), {}, b'[{"id":"b"}]')]
WHOLE = [
    b'{"page":1,"envelope":{"total":2},"items":[{"id":"a","text":"\\n \xc3\xb1"}]}',
    b'{"page":2,"envelope":{},"items":[{"id":"b"}]}',
]


def landed(root: Path, organization: str = "o", facility: str | None = "s", pages: list[Page] = PAGES) -> Path:
    with Landing(root, "run").write(ListKey(organization, "facilities", facility)) as file:
        for page in pages:
            file.keep(page)
        file.finish(TRAILER)
        return file.path


def test_pages_come_back_as_they_were(tmp_path: Path) -> None:
    assert list(lines(landed(tmp_path))) == WHOLE


def test_a_restart_forgets_what_was_kept(tmp_path: Path) -> None:
    with Landing(tmp_path, "run").write(ListKey("o", "facilities")) as file:
        file.keep(Page(7, ("x",), {}, b"[" + b'"x"' * 10_000 + b"]"))
        file.restart()
        file.keep(PAGES[1])
        file.finish(TRAILER)
    assert list(lines(file.path)) == WHOLE[1:]


def test_a_read_that_ends_early_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with Landing(tmp_path, "run").write(ListKey("o", "facilities", "s")) as file:
            file.keep(PAGES[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def read_or_refused(path: Path) -> list[bytes] | None:
    try:
        return list(lines(path))
    except UnavailableError:
        return None


def test_a_file_cut_anywhere_is_never_read_as_a_whole_one(tmp_path: Path) -> None:
    path = landed(tmp_path)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert read_or_refused(path) in (None, WHOLE), length
    for length in range(len(content) - 8):
        path.write_bytes(content[:length])
        assert read_or_refused(path) is None, length


def test_a_flipped_bit_never_changes_what_is_read(tmp_path: Path) -> None:
    path = landed(tmp_path)
    content = path.read_bytes()
    for place in range(len(content) * 8):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        assert read_or_refused(path) in (None, WHOLE), place


ODD = ["..", ".", "/", "a/b", "a\\b", "%", "%2F", "", "~", "CON", "a b", "ñ", "n\u0303", "A", "a", "é" * 90, "\n"]


def test_no_odd_id_leaves_the_folder_or_meets_another(tmp_path: Path) -> None:
    paths = {landed(tmp_path, organization, facility) for organization in ODD for facility in [*ODD, None]}
    assert len(paths) == len(ODD) * (len(ODD) + 1)
    assert all(path.resolve().is_relative_to((tmp_path / "run").resolve()) for path in paths)


@given(st.text(max_size=300), st.text(max_size=300))
def test_different_ids_never_share_a_file(one: str, other: str) -> None:
    landing = Landing(Path("/landing"), "run")
    assert (landing.path(ListKey("o", "e", one)) == landing.path(ListKey("o", "e", other))) == (one == other)


@pytest.mark.parametrize("length", [201, 255, 1000])
def test_long_ids_that_differ_at_their_end_never_share_a_file(tmp_path: Path, length: int) -> None:
    assert landed(tmp_path, "o", "x" * length + "a") != landed(tmp_path, "o", "x" * length + "b")


def test_ids_that_differ_in_case_alone_never_share_a_file_on_any_disk(tmp_path: Path) -> None:
    landing = Landing(tmp_path, "run")
    assert str(landing.path(ListKey("o", "e", "Ab"))).lower() != str(landing.path(ListKey("o", "e", "aB"))).lower()


def test_only_the_named_runs_are_kept(tmp_path: Path) -> None:
    for number in range(5):
        with Landing(tmp_path, f"run-{number}").write(ListKey("o", "facilities")) as file:
            file.finish(TRAILER)
        manifest.end_run(tmp_path, f"run-{number}")
    forget_runs(tmp_path, ["run-3", "run-4"], NOW, NOW)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run-3", "run-4"]


def test_what_a_run_that_died_landed_is_kept_as_long_as_it_may_be_taken_over(tmp_path: Path) -> None:
    for number in range(2):
        with Landing(tmp_path, f"run-{number}").write(ListKey("o", "facilities")) as file:
            file.finish(TRAILER)
    (tmp_path / "run-2" / "o").mkdir(parents=True)
    (tmp_path / "run-2" / "o" / "facilities.ndjson.zst").write_bytes(b"half of it")
    manifest.end_run(tmp_path, "run-1")
    forget_runs(tmp_path, [], NOW - timedelta(hours=6), NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["run-0"]
    forget_runs(tmp_path, [], NOW + timedelta(seconds=1), NOW + timedelta(hours=6))
    assert not any(tmp_path.iterdir())
