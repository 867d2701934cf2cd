"""A folder that one sync of the small world has filled, with few summaries."""

from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Sandbox
from tests.conftest import Synced, settings_for, small_world, sync


@pytest.fixture(scope="module")
def template(few_summaries: None, tmp_path_factory: pytest.TempPathFactory) -> Synced:
    with Sandbox(small_world()) as sandbox:
        return sync(settings_for(sandbox, tmp_path_factory.mktemp("template") / "data"))


@pytest.fixture
def synced(template: Synced, sandbox: Sandbox, tmp_path: Path) -> Synced:
    return template.copied(settings_for(sandbox, tmp_path / "data"))
