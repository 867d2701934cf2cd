"""A PostgreSQL, and publications to send there: a snapshot of a real sync, and changes to a copy of it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dcycle_pipeline.sandbox import Sandbox
from tests.conftest import Synced, settings_for, small_world, sync
from tests.publish.postgres.cluster import PROGRAMS, Cluster, cluster
from tests.publish.postgres.publications import Publications


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """Skipped where Debian's postgresql is not installed; with REQUIRE_POSTGRESQL set, as CI does, that is a failure instead."""
    if PROGRAMS is None:
        if os.environ.get("REQUIRE_POSTGRESQL"):
            pytest.fail("REQUIRE_POSTGRESQL is set, but there is nothing in /usr/lib/postgresql")
        pytest.skip("no PostgreSQL: install Debian's `postgresql` to run these")
    with cluster() as running:
        yield running


@pytest.fixture(scope="session")
def once_synced(tmp_path_factory: pytest.TempPathFactory) -> Synced:
    """A sync of the small world with all summaries. Nobody changes it."""
    with Sandbox(small_world()) as sandbox:
        return sync(settings_for(sandbox, tmp_path_factory.mktemp("postgres") / "data"))


@pytest.fixture
def new_database(postgres: Cluster) -> Iterator[Callable[..., str]]:
    """What makes an empty database and gives its URL."""
    made: list[str] = []

    def make(options: str = "") -> str:
        made.append(postgres.new_database(options))
        return made[-1]

    yield make
    for url in made:
        postgres.drop_database(url)


@pytest.fixture
def published_to(once_synced: Synced, tmp_path: Path) -> Callable[[str], Publications]:
    """What makes publications of one account for the database of a URL."""
    return lambda url: Publications(once_synced, url, tmp_path / "snapshot.duckdb")


@pytest.fixture
def publications(new_database: Callable[..., str], published_to: Callable[[str], Publications]) -> Publications:
    """Publications for an empty database."""
    return published_to(new_database())
