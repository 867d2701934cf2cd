"""What `init` wrote, and the PostgreSQL of the tests of the destination, which Dagster's storage shares here."""

from pathlib import Path

import pytest

from tests.cli.conftest import Invoke, invoke
from tests.publish.postgres.conftest import postgres

__all__ = ["invoke", "postgres"]


@pytest.fixture
def written(invoke: Invoke, tmp_path: Path) -> Path:
    assert invoke("init", "new").exit_code == 0
    return tmp_path / "new"
