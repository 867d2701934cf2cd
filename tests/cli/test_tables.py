"""Tables and lines at every width: whatever they hold, nothing that is read as one thing is split, and nothing is lost."""

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcycle_pipeline.cli import tables
from dcycle_pipeline.terminal import units, width_of, wrapped

NAMES = st.text(st.sampled_from("aÁß水 .-'🏭é"), min_size=1, max_size=40).map(str.strip).filter(bool)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.uuids().map(str),
            "name": NAMES,
            "t CO2e": st.none() | st.decimals(0, 10**9, places=3),
            "last day": st.none() | st.dates(date(1990, 1, 1)),
            "records": st.integers(0, 10**7),
            "reason": NAMES,
        }
    ),
    min_size=1,
    max_size=4,
)


def cells(row: dict[str, Any]) -> list[str]:
    """What of a row may not be folded."""
    amount, day = row["t CO2e"], row["last day"]
    return [f"{row['records']:,}", *([] if amount is None else [f"{amount:,.3f}"]), *([f"{day}"] if day else [])]


@settings(max_examples=60)
@given(ROWS, st.none() | st.integers(20, 200))
def test_a_table_folds_no_number_date_or_id_at_any_width(rows: list[dict[str, Any]], room: int | None) -> None:
    shown = tables.lines(rows, room).lines
    text = "\n".join(shown)
    for row in rows:
        for cell in cells(row):
            assert re.search(rf"(?<![\d,.-]){re.escape(cell)}(?![\d,.-])", text), cell
        assert row["id"] in text or f"{row['id'][:8]}…" in text
    if "----" in text:
        assert room is None or max(map(width_of, shown)) <= room
        assert shown[0].split()[-1] == "id", "ids come last"


@settings(max_examples=30)
@given(ROWS)
def test_what_is_spare_goes_before_a_table_is_shown_row_by_row(rows: list[dict[str, Any]]) -> None:
    shown = tables.lines(rows, 79, spare=("reason", "last day"))
    assert len(shown.lines) >= len(rows) + 2
    assert shown.left_out in ([], ["reason"], ["last day", "reason"])
    assert not tables.lines(rows, None, spare=("reason",)).left_out


@settings(max_examples=60)
@given(ROWS, st.integers(20, 200))
def test_names_stay_whole_if_they_fit_beside_the_starts_of_ids(rows: list[dict[str, Any]], room: int) -> None:
    shortened = [row | {"id": f"{row['id'][:8]}…"} for row in rows]
    if max(map(width_of, tables.lines(shortened, None).lines)) <= room:
        text = "\n".join(tables.lines(rows, room).lines)
        assert all(row[name] in text for row in rows for name in ("name", "reason"))
    if max(map(width_of, tables.lines(rows, None).lines)) <= room:
        assert all(row["id"] in text for row in rows), "there is room for all of them"


def test_an_id_that_somebody_copies_stays_whole() -> None:
    rows = [
        {"id": "6513270e-269e-4d37-b2a7-4de452e6b438", "reason": "It is neither listed nor deleted", "other id": "x"}
    ]
    assert "6513270e…" in "\n".join(tables.lines(rows, 40).lines)
    assert rows[0]["id"] in "\n".join(tables.lines(rows, 40, whole_ids=True).lines)


@pytest.mark.parametrize(
    "unit",
    [
        "1,262,182.827",
        "2026-11-30 06:36:48 UTC,",
        "2025-02-19 – 2025-03-23",
        "12 min ago",
        "`dcycle-pipeline sync --organization x`",
        "4,146.304901324 kg",
    ],
)
@settings(max_examples=30)
@given(before=NAMES, after=NAMES, columns=st.integers(45, 120))
def test_a_line_is_never_broken_within_what_is_read_as_one(unit: str, before: str, after: str, columns: int) -> None:
    text = f"{before} {unit} {after}"
    broken = wrapped(text, columns)
    assert any(unit in line for line in broken)
    assert " ".join(units(" ".join(broken))) == " ".join(units(text))
    assert all(width_of(line) <= columns for line in broken)


def test_a_decimal_of_few_kilograms_is_shown_with_three_places() -> None:
    assert "0.000" in tables.lines([{"t CO2e": Decimal("0.0001")}], None).lines[-1]
