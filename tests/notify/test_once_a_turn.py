"""However runs end and whoever can be reached meanwhile: each address is told once a turn, and never otherwise."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.notify.endings import note_ending
from dcycle_pipeline.sandbox import Sandbox
from dcycle_pipeline.settings import Settings
from dcycle_pipeline.sync.endings import KEPT
from dcycle_pipeline.sync.outcome import Outcome
from tests.conftest import FEW, only, settings_for, small_world, sync
from tests.notify.receivers import Webhook

WRONG, WELL = "something is wrong", "all is well again"
ends = st.tuples(st.sampled_from(["well", "failed"]), st.booleans(), st.booleans())


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a folder in which one sync published without a gap."""
    folder = tmp_path_factory.mktemp("published") / "data"
    with only((*FEW, "organization_tree", "missing_members", "data_quality")), Sandbox(small_world()) as sandbox:
        settings = settings_for(sandbox, folder)
        sync(settings)
        yield settings


def end(settings: Settings, how: str, *, pending_only: bool = False) -> None:
    outcome = Outcome(published=how == "well")
    if how == "failed":
        outcome.fail(UnavailableError("nobody answers"))
    note_ending(settings, str(uuid4()), datetime.now(UTC), outcome, pending_only=pending_only)


@pytest.mark.exhaustive
@given(st.lists(ends, min_size=1, max_size=6))
@hypothesis_settings(max_examples=12)
def test_each_address_is_told_once_a_turn(published: Settings, endings: list[tuple[str, bool, bool]]) -> None:
    with TemporaryDirectory() as place, Webhook() as one, Webhook() as other:
        folder = Path(place) / "data"
        shutil.copytree(published.data_dir, folder, symlinks=True)
        urls = f"{one.url} {other.url}"
        settings = Settings(**published.model_dump() | {"data_dir": folder, "notify": urls})
        told, expected = {one.url: WELL, other.url: WELL}, {one.url: list[str](), other.url: list[str]()}
        for how, one_listens, other_listens in endings:
            one.status, other.status = (200 if listens else 500 for listens in (one_listens, other_listens))
            end(settings, how)
            word = WRONG if how == "failed" else WELL
            for receiver, listens in ((one, one_listens), (other, other_listens)):
                if listens and told[receiver.url] != word:
                    told[receiver.url] = word
                    expected[receiver.url].append(word)
        for receiver in (one, other):
            assert [said["title"].rpartition(": ")[2] for said in receiver.posted] == expected[receiver.url]
        assert one.url not in DataFolder(folder).endings.read_text(encoding="utf-8")


def test_an_alarm_is_neither_lost_nor_repeated_if_its_note_is_damaged_or_the_address_changes(
    published: Settings, tmp_path: Path
) -> None:
    shutil.copytree(published.data_dir, tmp_path / "data", symlinks=True)
    with Webhook() as one, Webhook() as other:
        settings = Settings(**published.model_dump() | {"data_dir": tmp_path / "data", "notify": one.url})
        end(settings, "failed")
        moved = settings.model_copy(update={"notify": Settings.model_validate(published.model_dump() | {"notify": other.url}).notify})  # fmt: skip
        end(moved, "failed")
        assert [len(one.posted), len(other.posted)] == [1, 1], "who comes later is told what is wrong now"
        DataFolder(settings.data_dir).endings.write_text("{", encoding="utf-8")
        end(moved, "failed")
        assert len(other.posted) == 2, "nothing says that it was told"
        end(moved, "well")
        end(moved, "well")
        assert [said["title"].rpartition(": ")[2] for said in other.posted] == [WRONG, WRONG, WELL]


@pytest.mark.exhaustive
def test_a_run_over_pending_records_makes_no_sync_well_that_failed(published: Settings, tmp_path: Path) -> None:
    shutil.copytree(published.data_dir, tmp_path / "data", symlinks=True)
    with Webhook() as one:
        settings = Settings(**published.model_dump() | {"data_dir": tmp_path / "data", "notify": one.url})

        def told() -> list[str]:
            return [said["title"].rpartition(": ")[2] for said in one.posted]

        end(settings, "failed")
        for _ in range(KEPT + 1):
            end(settings, "well", pending_only=True)
        assert told() == [WRONG]
        end(settings, "well")
        assert told() == [WRONG, WELL]
        end(settings, "failed", pending_only=True)
        end(settings, "well", pending_only=True)
        assert told() == [WRONG, WELL] * 2
        end(settings, "failed", pending_only=True)
        end(settings, "quiet", pending_only=True)
        assert told() == [WRONG, WELL] * 3, "nothing had changed, so nothing was published, and all is well"
        noted = DataFolder(settings.data_dir).endings.read_bytes()
        end(settings, "quiet", pending_only=True)
        assert DataFolder(settings.data_dir).endings.read_bytes() == noted, "it makes up for nothing"
        end(settings, "failed", pending_only=True)
        end(settings, "well")
        assert told() == [WRONG, WELL] * 4, "a sync reads what a run over pending records would have asked for"


def test_no_note_leaves_the_folder_through_a_link(published: Settings, tmp_path: Path) -> None:
    shutil.copytree(published.data_dir, tmp_path / "data", symlinks=True)
    (tmp_path / "data" / "working").rename(tmp_path / "elsewhere")
    (tmp_path / "data" / "working").symlink_to(tmp_path / "elsewhere")
    with Webhook() as webhook:
        end(Settings(**published.model_dump() | {"data_dir": tmp_path / "data", "notify": webhook.url}), "failed")
        assert webhook.posted == []
    assert not (tmp_path / "elsewhere" / "endings.json").exists()


def test_a_folder_in_which_nothing_was_read_tells_nobody_and_stays_empty(published: Settings, tmp_path: Path) -> None:
    with Webhook() as webhook:
        settings = Settings(**published.model_dump() | {"data_dir": tmp_path / "new", "notify": webhook.url})
        end(settings, "failed")
        assert webhook.posted == []
    assert not (tmp_path / "new").exists()
