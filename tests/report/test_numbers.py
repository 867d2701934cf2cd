"""Every number on the page is what the query shown beside it gives when anybody runs it on the published file."""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pytest

from dcycle_pipeline.readers.published_file import open_published
from dcycle_pipeline.report.sections import FIGURES
from dcycle_pipeline.sandbox import World
from tests.conftest import ROOT
from tests.report.conftest import Node, Written, parsed, written

DIGIT = re.compile(r"[0-9]")
NAMES_WITH_NUMBERS = re.compile(r"scope [13]|in scope 2|category 5")
NAMES = [figure.name for figure in FIGURES]
KILOGRAMS_A_TONNE = 1000
COUNTRY = re.compile("[A-Z]{2}|not known")


def figures(page: Node) -> dict[str, list[Node]]:
    """The elements that show something of a figure, by its name; a figure may show in several places."""
    found = defaultdict(list)
    for node in page.all():
        if "data-figure" in node.attributes:
            found[node.attributes["data-figure"]].append(node)
    return found


def query_beside(page: Node, name: str) -> str:
    """The query that a reader finds under the title of a figure."""
    (title,) = {figure.title for figure in FIGURES if figure.name == name}
    (shown,) = [node for node in page.all("pre") if node.attributes["aria-label"] == f"Query of {title}"]
    return shown.text


def cells(page: Node, name: str) -> list[Node]:
    """The values of a figure. Another figure may stand within it; what is in there is that one's."""
    within = [cell for part in figures(page)[name] for cell in part.all() if "data-column" in cell.attributes]
    return [cell for cell in within if figure_of(cell) == name]


def figure_of(cell: Node) -> str:
    return next(name for node in [cell, *cell.above()] if (name := node.attributes.get("data-figure")))


def texts(page: Node, name: str) -> dict[tuple[str, str], str]:
    """What a figure's tables show by row and column; of a column that stands twice, as tonnes and exactly, the first."""
    found: dict[tuple[str, str], str] = {}
    for cell in cells(page, name):
        found.setdefault((cell.attributes["data-row"], cell.attributes["data-column"]), cell.text)
    return found


@pytest.fixture(scope="module")
def answers(report: Written, page: Node) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """What the queries on the page give."""
    lacking = {part.attributes["data-figure"] for part in page.all("article") if "older version" in part.text}
    with open_published(report.synced.settings.data_dir) as published:
        yield {name: [] if name in lacking else published.rows(query_beside(page, name)) for name in NAMES}


def as_written(value: Any) -> str:
    """A value of a query as the page notes it for machines."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


@pytest.mark.parametrize("name", NAMES)
def test_every_value_is_that_of_its_query(page: Node, answers: dict[str, list[dict[str, Any]]], name: str) -> None:
    for cell in cells(page, name):
        row = answers[name][int(cell.attributes["data-row"])]
        value = row[cell.attributes["data-column"]]
        if cell.tag == "data":
            assert cell.attributes["value"] == as_written(value)
        elif cell.tag == "time" and isinstance(value, date):
            assert as_written(value).startswith(cell.attributes["datetime"])
        elif value is None:
            assert cell.text.replace(",", "") in row.values() or not DIGIT.search(cell.text)
        else:
            assert cell.text == ("yes" if value is True else "no" if value is False else str(value))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_read_is_the_value_rounded(page: Node, name: str) -> None:
    for cell in cells(page, name):
        if cell.tag != "data" or COUNTRY.fullmatch(cell.attributes["value"]):
            continue
        value, text = Decimal(cell.attributes["value"]), cell.text.lstrip("+<> ").replace(",", "")
        shown = Decimal(text.replace("\N{MINUS SIGN}", "-"))
        units = {value, value / KILOGRAMS_A_TONNE, value * 100}
        if cell.text.startswith(("<", ">")):  # it would have looked like zero
            assert any(0 < abs(unit) * 2 <= abs(shown) and unit * shown > 0 for unit in units)
            continue
        assert shown in {
            unit.quantize(Decimal(1).scaleb(int(shown.as_tuple().exponent)), ROUND_HALF_EVEN) for unit in units
        }


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("headline", "publication", "reporting_year")])
def test_every_row_of_a_query_is_on_the_page(page: Node, answers: dict[str, list[dict[str, Any]]], name: str) -> None:
    shown = {int(cell.attributes["data-row"]) for cell in cells(page, name)}
    assert shown == set(range(len(answers[name])))


def test_the_year_before_is_given_or_why_it_is_not(page: Node, answers: dict[str, list[dict[str, Any]]]) -> None:
    changes = [cell for name in NAMES for cell in cells(page, name) if cell.attributes["data-column"] == "year_on_year"]
    assert changes
    for name in ("years", "organizations", "countries", "intensity"):
        for cell in cells(page, name):
            row = answers[name][int(cell.attributes["data-row"])]
            if cell.attributes["data-column"] == "year_on_year" and row["year_on_year"] is None:
                assert cell.text.replace(",", "") == (row["year_on_year_reason"] or "\N{EN DASH}")


def test_no_number_stands_outside_of_a_figure(page: Node) -> None:
    (body,) = page.all("body")
    for node in body.all():
        own = "".join(child for child in node.children if isinstance(child, str))
        around = [node, *node.above()]
        accounted = any(
            part.tag in ("code", "svg", "time") or {"data-column", "data-count"} & set(part.attributes)
            for part in around
        )
        in_dictionary = any(part.attributes.get("id") == "dictionary" for part in around)
        is_name = node.tag == "figcaption" or "grain" in node.classes
        assert accounted or in_dictionary or is_name or not DIGIT.search(NAMES_WITH_NUMBERS.sub("", own)), own


def in_charts(page: Node, name: str, *tags: str) -> set[str]:
    """Texts of the marks of a figure's charts, without those of the axes."""
    drawn = [svg for part in figures(page)[name] for svg in part.all("svg")]
    assert drawn
    marks = [node for svg in drawn for node in svg.all(*tags)]
    return {node.text for node in marks if not any("role-axis" in part.classes for part in node.above())}


@pytest.mark.parametrize(
    ("name", "label", "value"),
    [
        ("years", "year", "co2e_kg"),
        ("facilities", "facility", "co2e_kg"),
        ("intensity", "facility", "co2e_kg_per_m3_in"),
    ],
)
def test_charts_say_what_their_tables_say(page: Node, name: str, label: str, value: str) -> None:
    shown = texts(page, name)
    rows = sorted({row for row, _ in shown}, key=int)
    said = {f"{shown[row, label]}: {shown[row, value]}" for row in rows}
    told = {re.sub(r" \(.*\)$", "", text) for text in in_charts(page, name, "title")}
    assert told
    assert {text.removesuffix(" t").removesuffix(" kg CO₂e per m³") for text in told} <= said
    numbers = {shown[row, value] for row in rows} | {shown[row, label] for row in rows}
    assert {text.removesuffix(" t") for text in in_charts(page, name, "text")} <= numbers


def test_monthly_points_are_those_of_the_table(page: Node, answers: dict[str, list[dict[str, Any]]]) -> None:
    shown = texts(page, "months")
    said = {
        f"{shown[row, 'month']}: {shown[row, 'co2e_kg']} t" for row, _ in shown if shown[row, "co2e_kg"] != "pending"
    }
    assert {re.sub(r" \(.*\)$", "", text) for text in in_charts(page, "months", "title")} == said
    organizations = {row["organization_id"] for row in answers["months"]}
    panels = [panel for part in figures(page)["months"] for panel in part.all("figure")]
    assert len(panels) == len(organizations)


def test_what_a_limit_leaves_out_is_counted(page: Node, answers: dict[str, list[dict[str, Any]]]) -> None:
    limited = {name: rows for name, rows in answers.items() if rows and "in_all" in rows[0]}
    assert {"pending", "facilities", "coverage"} <= set(limited)
    for name, rows in limited.items():
        said = [node.text for part in figures(page)[name] for node in part.all("p") if "left-out" in node.classes]
        key = {figure.name: figure for figure in FIGURES}[name].limited_by
        count = len({tuple(row[part] for part in key) for row in rows}) if key else len(rows)
        assert bool(said) == (rows[0]["in_all"] > count)
        assert all(f"{count:,} of {rows[0]['in_all']:,}" in text for text in said)


def test_a_record_of_many_months_and_years_counts_once(tmp_path: Path) -> None:
    world = World(ROOT, "Holding")
    for place in ("f-1", "f-2"):
        world.add_facility(ROOT, id=place, country="ES")
    world.add_record("f-1", start_date="2022-11-15", end_date="2025-02-15", co2e=None)
    page = parsed(written(world, tmp_path).html)
    counts = [cell for cell in page.all("data") if cell.attributes.get("data-column", "").endswith("record_count")]
    assert len(counts) > 10
    assert {cell.attributes["value"] for cell in counts} <= {"0", "1"}
