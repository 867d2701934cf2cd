"""What the figures lack stands beside each of them: organisations that were not received, days counted twice, rows not drawn."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcycle_pipeline.report.language import Language
from dcycle_pipeline.report.sections import FIGURES
from dcycle_pipeline.sandbox import Behaviour, Sandbox, World
from tests.conftest import CHILD, ROOT, settings_for, sync
from tests.report.conftest import Node, Written, parsed, reported, written

NORTH, SOUTH = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
NAMES = {ROOT: "Holding", CHILD: "Water East", NORTH: "Áurea Wasser Nord", SOUTH: "Agua Sur"}
PARENTS = {CHILD: ROOT, NORTH: CHILD, SOUTH: ROOT}
OF_GROUP = {figure.name for figure in FIGURES if figure.of_group}
YEARS = range(2019, 2026)
LACKS = re.compile("organisations missing or incomplete", re.IGNORECASE)


def account() -> World:
    """Whole years in every organisation, so that nothing but what is refused can be missing."""
    world = World(ROOT, NAMES[ROOT])
    for organization_id, parent in PARENTS.items():
        world.add_organization(organization_id, NAMES[organization_id], parent)
    for organization_id in NAMES:
        facility = world.add_facility(organization_id, id=f"f-{organization_id[0]}", country="ES")
        for year in YEARS:
            world.add_record(facility, start_date=f"{year}-01-01", end_date=f"{year}-12-31", co2e=str(40_000 + year))
    return world


def by_id(page: Node, name: str) -> Node:
    (found,) = [node for node in page.all() if node.attributes.get("id") == name]
    return found


def cards(page: Node) -> dict[str, Node]:
    return {node.all("span")[0].text: node for node in page.all("p") if "card" in node.classes}


def fills(page: Node, name: str) -> set[str]:
    """The colours of the bars and points of a figure."""
    marks = [node for svg in by_id(page, name).all("svg") for node in svg.all("path") if node.all("title")]
    return {mark.attributes["fill"] for mark in marks}


def assert_called_incomplete(page: Node, names: set[str]) -> None:
    (summary,) = [node for node in page.all("p") if "summary" in node.classes]
    shown = cards(page)
    assert "whole group" in shown["Emissions"].text
    for place in (summary, shown["Emissions"], by_id(page, "statement")):
        assert LACKS.search(place.text)
        assert all(name in place.text for name in names)
    for label in (
        "On the year before",
        "Same facilities, same days",
        "Intensity",
        "Days with a record",
        "Received completely",
    ):
        assert LACKS.search(shown[label].text), label
    assert "nothing is pending" not in shown["Emissions"].text
    for name in OF_GROUP:
        figure = by_id(page, name)
        if figure.all("tbody"):
            assert LACKS.search(" ".join(node.text for node in figure.all("p") if "lacking" in node.classes)), name
    for name in ("years", "intensity_by_year"):
        assert fills(page, name) == {"var(--accent-soft)"}
    changes = [cell for cell in by_id(page, "years").all() if cell.attributes.get("data-column") == "year_on_year"]
    assert {cell.text for cell in changes} == {f"organisations missing or incomplete: {len(names)}"}
    (left_out,) = [row for row in by_id(page, "exclusions").all("tr") if "not received" in row.text]
    assert left_out.text.endswith(str(len(names)))


def assert_called_complete(page: Node) -> None:
    assert not LACKS.search(by_id(page, "glance").text)
    assert not [node for node in page.all("p") if "lacking" in node.classes]
    assert "no organisation is missing" in cards(page)["On the year before"].text
    assert fills(page, "years") == {"var(--accent)"}


def test_a_group_that_lacks_organisations_is_nowhere_called_complete(tmp_path: Path) -> None:
    found = written(account(), tmp_path, Behaviour(denied={NORTH: 403, SOUTH: 403}))
    page = parsed(found.html)
    assert_called_incomplete(page, {NAMES[NORTH], NAMES[SOUTH]})
    received = [row.text for row in by_id(page, "boundary").all("tbody")[0].all("tr")]
    assert sorted(text.endswith("nothing received") for text in received) == [False, False, True, True]
    assert found.report.picture.startswith("![")


@pytest.mark.exhaustive
@settings(max_examples=8)
@given(st.frozensets(st.sampled_from([*NAMES]), max_size=3), st.booleans())
def test_whatever_is_refused_is_named_and_what_is_not_is_complete(
    tmp_path_factory: pytest.TempPathFactory, refused: frozenset[str], was_read: bool
) -> None:
    folder = tmp_path_factory.mktemp("any")
    with Sandbox(account()) as sandbox:
        if was_read:
            sync(settings_for(sandbox, folder))
        sandbox.behaviour = Behaviour(denied=dict.fromkeys(refused, 403))
        page = parsed(reported(sync(settings_for(sandbox, folder)), folder).html)
    if refused:
        assert_called_incomplete(page, {NAMES[each] for each in refused})
    else:
        assert_called_complete(page)
    whole = {NAMES[each] for each in NAMES if each not in refused}
    for row in by_id(page, "organizations").all("tbody")[0].all("tr"):
        assert ("not received completely" in row.text) == (row.all("bdi")[0].text not in whole)


def test_what_is_complete_is_called_so(tmp_path: Path) -> None:
    assert_called_complete(parsed(written(account(), tmp_path).html))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """More facilities and years than a chart draws, days with two records, and a year that is not over."""
    this_year = datetime.now(UTC).year
    world = World(ROOT, "Holding 5006")
    for number in range(17):
        world.add_facility(ROOT, id=f"f-{number}", name=f"Plant {10_000 + number}", country="ES")
        for year in range(this_year - 6, this_year):
            world.add_record(f"f-{number}", start_date=f"{year}-01-01", end_date=f"{year}-12-30", co2e="1000")
    world.add_record("f-0", start_date=f"{this_year}-01-01", end_date=f"{this_year}-01-31", co2e="1000")
    world.add_record("f-0", start_date=f"{this_year - 1}-03-03", end_date=f"{this_year - 1}-03-07", co2e="1000")
    return written(world, tmp_path_factory.mktemp("many"))


def test_days_counted_twice_are_on_the_first_screen_and_in_the_statement(many: Written) -> None:
    page = parsed(many.html)
    shown = cards(page)
    assert "days counted twice, in which records overlap: 5" in shown["Days with a record"].text
    assert "days counted twice are left out: 1" in shown["Same facilities, same days"].text
    assert "Days counted twice, in which records overlap: 5." in by_id(page, "statement").text


def test_a_chart_says_how_many_of_its_rows_it_draws(many: Written) -> None:
    page = parsed(many.html)
    told = {
        name: {tuple(sorted(node.classes)): node.text for node in by_id(page, name).all("p") if "drawn" in node.classes}
        for name in ("facilities", "years", "intensity")
    }
    both = dict.fromkeys((("drawn", "wide"), ("drawn", "narrow")), "Drawn: 15 of 17; the table has the others.")
    by_width = {tuple(sorted(key)): text for key, text in both.items()}
    assert told["facilities"] == told["intensity"] == by_width
    assert told["years"] == {("drawn", "narrow"): "Drawn: 5 of 7; the table has the others."}


def test_numbers_in_reasons_are_written_as_everywhere_else(many: Written) -> None:
    page = parsed(many.html)
    reasons = {
        cell.text for cell in by_id(page, "years").all("bdi") if cell.attributes["data-column"] == "year_on_year"
    }
    assert "the year is not over" in reasons
    assert any(re.fullmatch(r"\d{4}: 6,\d{3} of 6,\d{3} days covered", text) for text in reasons)
    organizations = by_id(page, "like_for_like").all("tbody")[0].all("bdi")
    assert {cell.text for cell in organizations} == {"All organisations", "Holding 5006"}  # a name is no number
    assert "Plant 10000" in by_id(page, "facilities").text


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1900, 2999))
def test_a_count_in_words_has_the_separators_of_the_locale(covered: int, due: int, year: int) -> None:
    german, spanish = Language("en", "de_DE"), Language("es")
    text = f"{year}: {covered} of {due} days covered"
    assert german.words(text) == f"{year}: {german.number(covered)} of {german.number(due)} days covered"
    assert spanish.words(text) == f"{year}: {spanish.number(covered)} de {spanish.number(due)} días cubiertos"
    for kept in (f"{year}-01-31", f"until {year}-12", f"id ab{covered}-{due}", f"{covered}.5 kg"):
        assert german.words(kept) == kept


def test_no_chart_describes_its_axes_in_another_language(many: Written) -> None:
    titles = [title.text for svg in parsed(many.html).all("svg") for title in svg.all("title")]
    assert titles
    assert not [title for title in titles if "axis" in title]
