"""The page as a document: one file that asks for nothing, in good order, whatever the names in the data are."""

from itertools import pairwise
from pathlib import Path

import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.report.writing import write_report
from dcycle_pipeline.sandbox import Behaviour, World
from dcycle_pipeline.settings import Look
from tests.conftest import CHILD, ROOT
from tests.report.conftest import Node, Written, parsed, written

HOSTILE = "</title><script>alert(1)</script>\"'&<img src=x onerror=alert(2)>"


def test_the_page_asks_for_nothing_and_runs_nothing(page: Node) -> None:
    assert not page.all("script", "iframe", "object", "link", "img")
    for node in page.all():
        assert not [name for name in node.attributes if name.startswith("on")]
        links = [node.attributes[name] for name in ("href", "src", "action") if name in node.attributes]
        assert all(link.startswith(("#", "data:text/csv;")) for link in links)
    (style,) = page.all("style")
    assert "url(" not in style.text
    assert "@import" not in style.text
    (policy,) = [node for node in page.all("meta") if node.attributes.get("http-equiv") == "Content-Security-Policy"]
    assert policy.attributes["content"].startswith("default-src 'none'")


def test_the_document_is_in_order(page: Node) -> None:
    (html,) = page.all("html")
    assert html.attributes["lang"] == "en"
    assert all(len(page.all(tag)) == 1 for tag in ("h1", "main", "nav"))
    assert len(page.all("head")[0].all("title")) == 1
    levels = [int(node.tag[1]) for node in page.all("h1", "h2", "h3", "h4")]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [node.attributes["id"] for node in page.all() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    targets = {node.attributes["href"][1:] for node in page.all("a") if "download" not in node.attributes}
    assert targets <= set(ids)


def test_every_figure_has_its_query_and_every_chart_a_table(page: Node) -> None:
    articles = page.all("article")
    assert articles
    for article in articles:
        (query,) = [node for node in article.all("details") if "query" in node.classes]
        assert "SELECT" in query.text
        assert bool(article.all("table")) >= bool(article.all("svg"))
        assert all(svg.attributes["aria-label"] for svg in article.all("svg"))


def test_every_table_has_a_caption_and_headers(page: Node) -> None:
    for table in page.all("table"):
        assert len(table.all("caption")) == 1
        assert all(header.attributes["scope"] for header in table.all("th"))
        assert [header for header in table.all("th") if header.attributes["scope"] == "row"]


@pytest.mark.exhaustive
def test_the_same_file_gives_the_same_page(report: Written, tmp_path: Path) -> None:
    again = write_report(
        DataFolder(report.synced.settings.data_dir).published, tmp_path / "again.html", Look(), with_picture=True
    )
    assert again.file.read_text(encoding="utf-8") == report.html
    assert again.picture == report.report.picture


def test_hostile_names_are_text(tmp_path: Path) -> None:
    world = World(ROOT, HOSTILE)
    world.add_organization(CHILD, "Water North", ROOT)
    world.add_facility(ROOT, id="f-1", name=HOSTILE, country="ES")
    world.add_record("f-1", invoice_id=HOSTILE, start_date="2024-01-01", end_date="2024-01-31", co2e=None)
    world.add_record("f-1", start_date="2024-01-01", end_date="2024-12-31", co2e="1200")
    found = parsed(written(world, tmp_path).html)
    assert not found.all("script", "img")
    assert [node.text for node in found.all("h1")] == [HOSTILE]
    assert HOSTILE in {node.text for node in found.all("bdi")}
    assert any(HOSTILE in title.text for svg in found.all("svg") for title in svg.all("title"))


def test_a_world_without_records_says_so(tmp_path: Path) -> None:
    world = World(ROOT, "Holding")
    world.add_facility(ROOT, id="f-1")
    result = written(world, tmp_path)
    found = parsed(result.html)
    said = [node.text for node in found.all("p") if "empty" in node.classes]
    assert "No waste-water record has been published yet." in said
    assert "No month has a record." in said
    assert not found.all("svg")
    assert result.report.picture == ""


@pytest.mark.exhaustive
def test_all_pending_is_pending_and_never_zero(tmp_path: Path) -> None:
    world = World(ROOT, "Holding")
    world.add_facility(ROOT, id="f-1")
    world.add_record("f-1", start_date="2024-01-01", end_date="2024-12-31", co2e=None)
    found = parsed(written(world, tmp_path).html)
    shown = [node for node in found.all() if node.attributes.get("data-column") == "co2e_kg"]
    assert shown
    assert {node.text for node in shown} == {"pending"}


@pytest.mark.quick(1)
@pytest.mark.parametrize("kind", ["unproven", "quarantined"])
def test_what_is_not_proven_stands_at_the_top(kind: str, report: Written, tmp_path: Path) -> None:
    world = World(ROOT, "Holding")
    world.add_facility(ROOT, id="f-1")
    world.add_record("f-1", start_date="2024-02-01", end_date="2024-01-01" if kind == "quarantined" else "2024-02-29")
    behaviour = Behaviour(denied={"f-1": 403}) if kind == "unproven" else Behaviour()
    found = parsed(written(world, tmp_path, behaviour).html)
    top = next(node for node in found.all("p") if "standing" in node.classes)
    assert ("lists not received completely: 1" if kind == "unproven" else "items that could not be used: 1") in top.text
    (table,) = [node for node in found.all("article") if node.attributes["id"] == kind]
    assert len(table.all("tr")) == 2
    assert (
        "All data was received completely"
        in next(node for node in parsed(report.html).all("p") if "standing" in node.classes).text
    )


@pytest.mark.exhaustive
def test_what_a_publication_moved_is_shown_with_its_cause(tmp_path: Path) -> None:
    world = World(ROOT, "Holding")
    world.add_facility(ROOT, id="f-1")
    record = world.add_record("f-1", start_date="2024-03-01", end_date="2024-04-30", co2e="610")
    assert "Nothing that was published before has changed." in written(world, tmp_path).html
    world.recalculate_record(record, "1220")
    found = parsed(written(world, tmp_path).html)
    (section,) = [node for node in found.all("article") if node.attributes["id"] == "restatements"]
    cells = [node for node in section.all() if "data-column" in node.attributes]
    shown = {node.attributes["data-column"]: node.text for node in reversed(cells)}
    assert (shown["cause"], shown["first_month"], shown["last_month"]) == ("recalculated", "Mar 2024", "Apr 2024")
    assert shown["co2e_kg"] == "+0.61"
    assert "610.000000000" in {cell.text for cell in cells}
    (glance,) = [node for node in found.all("section") if node.attributes["id"] == "glance"]
    restated = [node for node in glance.all("p") if node.attributes.get("data-figure") == "restated"]
    told = {node.attributes["data-column"]: node.text for node in restated[0].all("data")}
    assert told == {"co2e_kg": "+0.61", "publication_count": "1", "facility_count": "1"}
