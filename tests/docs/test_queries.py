"""Each query of README and the chapters runs on the demo's file, and gives the rows that are shown below it."""

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from dcycle_pipeline.sandbox import Sandbox, demo_world
from tests.conftest import settings_for, sync
from tests.docs.markdown import ALL, CHAPTERS, README, Block, Chapter, rows

QUERIES = [(chapter, block) for chapter in ALL for block in chapter.code("sql")]
WITH_ROWS = [(chapter, block) for chapter, block in QUERIES if block.following.startswith("\n|")]


@pytest.fixture(scope="module")
def demo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with Sandbox(demo_world()) as sandbox:
        settings = settings_for(sandbox, tmp_path_factory.mktemp("docs"))
        return sync(settings).file


def test_four_queries_show_their_rows() -> None:
    assert [chapter for chapter, _ in WITH_ROWS] == [README, *[CHAPTERS["data"]] * 3]


@pytest.mark.parametrize(("chapter", "block"), QUERIES, ids=lambda it: it.name if isinstance(it, Chapter) else "")
def test_queries_give_what_is_shown(demo_file: Path, chapter: Chapter, block: Block, tmp_path: Path) -> None:
    (tmp_path / "dcycle_warehouse.duckdb").symlink_to(demo_file)  # the working directory of a test is its tmp_path
    attaches = block.text.startswith("ATTACH")
    with duckdb.connect(":memory:" if attaches else "dcycle_warehouse.duckdb", read_only=not attaches) as connection:
        cursor = connection.execute(block.text)
        if (chapter, block) not in WITH_ROWS:
            return
        header = [cell.strip() for cell in block.following.splitlines()[1].strip("|").split("|")]
        assert [column[0] for column in cursor.description] == header
        found = [[_text(value) for value in row] for row in cursor.fetchall()]
    assert found == rows(block.following.removeprefix("\n"))


def test_readme_counts_a_record_once(demo_file: Path) -> None:
    (query,) = README.code("sql")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{demo_file}' AS demo (READ_ONLY); USE demo")
        shown = {row[0]: row[3] for row in connection.execute(query.text).fetchall() if row[3]}
        there = connection.execute(
            """SELECT o.name, count(DISTINCT waste_water_treatment_id) FROM dcycle.waste_water_treatments
            JOIN dcycle.organizations AS o USING (organization_id) WHERE status = 'active' AND co2e_state = 'pending'
            AND start_date <= '2025-12-31' AND end_date >= '2025-01-01' GROUP BY o.name"""
        ).fetchall()
    assert shown == dict(there)


def _text(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
