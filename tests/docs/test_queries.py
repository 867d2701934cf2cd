"""Each query of README and the chapters runs on the demo's file, and gives the rows that are shown below it."""

from pathlib import Path

import duckdb
import pytest

from tests.conftest import Synced
from tests.docs.answers import check
from tests.docs.markdown import ALL, CHAPTERS, README, Block, Chapter

QUERIES = [(chapter, block) for chapter in ALL for block in chapter.code("sql")]


@pytest.fixture
def demo_file(demo: Synced) -> Path:
    return demo.file


def test_six_queries_show_their_rows() -> None:
    assert [chapter for chapter, block in QUERIES if block.table] == [
        README,
        *[CHAPTERS["data"]] * 3,
        *[CHAPTERS["history"]] * 2,
    ]


@pytest.mark.parametrize(("chapter", "block"), QUERIES, ids=lambda it: it.name if isinstance(it, Chapter) else "")
def test_queries_give_what_is_shown(demo_file: Path, chapter: Chapter, block: Block, tmp_path: Path) -> None:
    (tmp_path / "dcycle_warehouse.duckdb").symlink_to(demo_file)  # the working directory of a test is its tmp_path
    check(block)


def test_readme_counts_a_record_once(demo_file: Path) -> None:
    (query,) = README.code("sql")
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{demo_file}' AS demo (READ_ONLY); USE demo")
        shown = {row[0]: row[3] for row in connection.execute(query.text).fetchall() if row[3]}
        there = connection.execute(
            """SELECT o.name, count(DISTINCT waste_water_treatment_id) FROM dcycle.waste_water_treatments
            JOIN dcycle.organizations AS o USING (organization_id) WHERE status = 'active' AND co2e_state = 'pending'
            AND start_date <= '2026-12-31' AND end_date >= '2026-01-01' GROUP BY o.name"""
        ).fetchall()
    assert shown == dict(there) != {}
