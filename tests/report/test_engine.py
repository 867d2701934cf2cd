"""Charts with any names are drawn; one that cannot be drawn costs a line on the page, and neither the run nor another chart."""

import json
import os
import re
import resource
import select
import subprocess
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.report import drawing, engine, rankings
from dcycle_pipeline.report.answers import Answer
from dcycle_pipeline.report.engine import Order
from dcycle_pipeline.report.figures import Chart, Figure, Row
from dcycle_pipeline.report.sections import FIGURES
from dcycle_pipeline.report.writing import write_report
from dcycle_pipeline.sandbox import World
from dcycle_pipeline.settings import Look
from dcycle_pipeline.text import plain
from tests.conftest import ROOT
from tests.report.conftest import Node, Written, parsed, written

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
TURNED = "\u202e"
HARD = {
    "null": "EDAR\x00Norte",
    "escape": "\x1b[31mEDAR",
    "line end": "EDAR\nNorte\r\u2028",
    "noncharacter": "EDAR\ufffe\uffff",
    "joined emoji, many": FAMILY * 20,
    "emoji, odd place": "a" + "\U0001f3ed" * 60,
    "flags": "\U0001f1ea\U0001f1f8" * 40,
    "cuneiform": "\U00012000" * 60,
    "marks upon marks": "Z" + "\u0351\u036b" * 900,
    "turned": f"EDAR {TURNED}31 gnirp",
    "right to left": "محطة معالجة المياه",
    "very long": "Estación depuradora " * 3000,
    "colour of the page": "var(--ink) var(--no-such)",
    "template": "${datum} {{ 1 }} </svg><script>alert(1)</script>\"'&`\\",
    "link": "[x](javascript:alert(1)) <javascript:alert(2)>",
}
POINT = {"mark": "point", "encoding": {"x": {"field": "x", "type": "quantitative"}}, "data": {"values": [{"x": 1}]}}
BREAKS = {"mark": "text", "encoding": {"text": {"value": "\x1b"}}, "data": {"values": [{}]}, "title": "\x1b"}


def figure_of(name: str) -> Figure:
    return next(each for each in FIGURES if each.name == name)


def bars(names: Sequence[str]) -> Chart:
    """The chart of facilities, with these names."""
    (chart,) = rankings.facilities(Answer(figure_of("facilities"), "", [row(plain(name)) for name in names]))
    return chart


def row(name: str) -> Row:
    found = {
        "co2e_kg": Decimal(1200),
        "missing_member_count": 0,
        "pending_record_count": 0,
        "covered_days": 1,
        "due_days": 1,
    }
    named = {"facility": name, "organization": name, "organization_id": name, "month": date(2024, 1, 1)}
    shown = {each: None for column in figure_of("facilities").columns for each in column.names}
    return shown | found | named


def drawn(found: Sequence[Chart], together: Sequence[Chart] = ()) -> drawing.Drawings:
    return drawing.drawings({"facilities": found}, drawing.Image(together, 3, "Picture", ["What it means"]))


def undrawn(page: Node) -> list[str]:
    return [node.text for node in page.all("p") if "This chart is not drawn" in node.text]


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The report on a group whose facilities, records and organisations have hard names."""
    world = World(ROOT, HARD["escape"])
    world.add_organization("o-1", HARD["joined emoji, many"], ROOT)
    world.add_organization("o-2", HARD["very long"] + HARD["colour of the page"], ROOT)
    for place, name in enumerate(HARD.values()):
        world.add_facility([ROOT, "o-1", "o-2"][place % 3], id=f"f-{place}", name=name, country="ES")
        world.add_record(f"f-{place}", invoice_id=name, start_date="2024-01-01", end_date="2024-12-31", co2e="1200")
    return written(world, tmp_path_factory.mktemp("hard"))


@pytest.mark.exhaustive
def test_a_report_with_hard_names_has_all_its_charts(hard: Written) -> None:
    page = parsed(hard.html)
    assert undrawn(page) == []
    assert hard.report.undrawn_count == 0
    assert hard.report.picture.startswith("![Monthly emissions")
    panels = [node for node in page.all("figure") if "panel" in node.classes]
    assert [len(panel.all("svg")) for panel in panels] == [1, 1, 1]
    assert [len(node.all("svg")) for node in page.all("figure") if "panel" not in node.classes] == [2, 2, 2, 2]
    widths = [float(re.findall("max-width:(.+)px", svg.attributes["style"])[0]) for svg in page.all("svg")]
    assert max(widths) < 1000, "a name makes a chart so wide that nobody can read it"


@pytest.mark.exhaustive
def test_hard_names_are_text_whole_and_visible(hard: Written) -> None:
    page = parsed(hard.html)
    cells = {node.text for node in page.all("bdi") if node.attributes["data-column"] == "facility"}
    assert cells == {plain(name) for name in HARD.values()}
    assert not page.all("script", "img", "iframe")
    assert all(node.attributes["href"].startswith(("#", "data:text/csv;")) for node in page.all("a"))
    assert not [each for each in hard.html if each != "\n" and unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp")]
    assert TURNED not in hard.html


def test_a_name_from_right_to_left_cannot_turn_the_number_beside_it(hard: Written) -> None:
    titles = [title.text for svg in parsed(hard.html).all("svg") for title in svg.all("title")]
    beside = [title for title in titles if HARD["right to left"] in title]
    assert beside
    assert all(title.startswith(f"\u2068{HARD['right to left']}\u2069: ") for title in beside)


def test_the_chart_that_kills_the_engine_costs_no_other() -> None:
    orders = [Order(POINT), Order(BREAKS), Order(POINT), Order({"mark": "no such mark"}), Order(POINT)]
    pictures = engine.draw(orders)
    assert [bool(picture.drawn) for picture in pictures] == [True, False, True, False, True]
    assert pictures[1].failed == "the chart engine crashed (SIGABRT)"
    assert pictures[3].failed.startswith("the chart engine failed: ")


@pytest.mark.parametrize(
    ("limit", "said"),
    [("CHART_SECONDS", "the chart took longer"), ("PAGE_SECONDS", "the charts of the page took longer")],
)
def test_drawing_without_end_is_ended(monkeypatch: pytest.MonkeyPatch, limit: str, said: str) -> None:
    monkeypatch.setattr(engine, limit, 0.001)
    pictures = engine.draw([Order(POINT), Order(POINT)])
    assert [picture.failed for picture in pictures] == [f"{said} than 0.001 s"] * 2


def test_an_engine_that_cannot_be_started_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engine, "_COMMAND", (str(tmp_path / "gone"),))
    assert engine.draw([Order(POINT)])[0].failed == "the chart engine cannot be started (No such file or directory)"
    monkeypatch.setattr(engine, "_COMMAND", (sys.executable, "-c", "raise SystemExit('no engine here')"))
    assert engine.draw([Order(POINT)])[0].failed == "the chart engine ended with code 1: no engine here"


@pytest.mark.exhaustive
def test_a_figure_that_is_not_drawn_is_a_line_on_the_page(
    report: Written, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rankings, "_DOT", {"type": "no such mark"})
    again = write_report(DataFolder(report.synced.settings.data_dir).published, tmp_path / "again.html", Look())
    page = parsed(again.file.read_text(encoding="utf-8"))
    without = {node.attributes["id"]: undrawn(node) for node in page.all("article") if undrawn(node)}
    assert without.keys() == {"intensity"}
    (said,) = without["intensity"]
    assert said.startswith("This chart is not drawn: the chart engine failed: ")
    assert said.endswith(". Its numbers stand in the table.")
    assert again.undrawn_count == 1
    assert len(page.all("svg")) == len(parsed(report.html).all("svg")) - 2
    assert [len(article.all("table")) for article in page.all("article")] == [
        len(article.all("table")) for article in parsed(report.html).all("article")
    ]


@pytest.mark.exhaustive
def test_a_limit_of_address_space_costs_the_charts_alone(report: Written, tmp_path: Path) -> None:
    bytes_ = 3 * 2**30
    page = tmp_path / "page.html"
    ended = subprocess.run(
        [sys.executable, "-m", "dcycle_pipeline", "report", "--output", str(page)],
        env=os.environ | {"DCYCLE_DATA_DIR": str(report.synced.settings.data_dir)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (bytes_, bytes_)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Charts that could not be drawn: 10." in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(undrawn(parsed(page.read_text(encoding="utf-8")))) == 10


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_the_engine_ends_with_the_process_that_ordered() -> None:
    endless = {**POINT, "data": {"sequence": {"start": 0, "stop": 10**9, "as": "x"}}}
    program = (
        "import json, sys; from dcycle_pipeline.report import engine; engine.draw([engine.Order(json.load(sys.stdin))])"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
    assert parent.stdin
    with parent.stdin as given:
        given.write(json.dumps(endless).encode())
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    while not (found := children.read_text().split()):
        assert parent.poll() is None
    child = os.pidfd_open(int(found[0]))
    try:
        parent.kill()
        parent.wait()
        ended, _, _ = select.select([child], [], [], 60)
        assert ended, "the engine still runs"
    finally:
        os.close(child)


def test_the_engine_does_not_begin_for_a_process_that_is_gone() -> None:
    work = {"parent": 0, "seconds": 30, "orders": [{"specification": POINT, "colors": {}}]}
    ended = subprocess.run(engine._COMMAND, input=json.dumps(work).encode(), capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, b"")


def code_points() -> Iterator[str]:
    """Every mark, space and control character, and some of the many letters and symbols and of what has no meaning."""
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        category = unicodedata.category(character)
        if category[0] in "MZ" or category in ("Cc", "Cf", "Sk") or code % 401 == 0 or code & 0xFFFE == 0xFFFE:
            yield character


@pytest.mark.exhaustive
def test_every_kind_of_character_can_be_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PAGE_SECONDS", 600)
    every = [plain(character) for character in code_points() if not 0xD800 <= ord(character) < 0xF900]
    names = ["".join(every[at : at + 8]) for at in range(0, len(every), 8)]
    found = [bars(names[at : at + rankings.BARS]) for at in range(0, len(names), rankings.BARS)]
    assert len(every) > 4_000
    assert [chart.failed for chart in drawn(found).charts["facilities"] if chart.failed] == []


pieces = st.sampled_from(
    [*HARD.values(), FAMILY, TURNED, "\u200d", "\ufe0f", "\u0301", "\U0001f3ff", "\U000e0067", "W"]
)
letters = st.text(st.characters(categories=("L", "M", "N", "P", "S", "Z", "C")), max_size=60)
any_names = st.lists(st.lists(pieces | letters, max_size=8).map("".join), min_size=1, max_size=rankings.BARS)


@pytest.mark.exhaustive
@hypothesis_settings(max_examples=6)
@given(st.lists(any_names, min_size=4, max_size=8))
def test_any_names_can_be_drawn(pages: list[list[str]]) -> None:
    titles = [Chart(plain(name), "", POINT) for name in pages[0]]
    result = drawn([bars(names) for names in pages], titles)
    assert [chart.failed for chart in result.charts["facilities"] if chart.failed] == []
    assert result.image.startswith("![Picture](data:image/png;base64,")


def test_an_image_that_cannot_be_drawn_says_so_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_COMMAND", (sys.executable, "-c", "raise SystemExit('[x](javascript:alert(1))')"))
    said = drawn([], [Chart("Any", "", POINT)]).image
    assert said == r"Picture: not drawn, because the chart engine ended with code 1: \[x\](javascript:alert(1))"
