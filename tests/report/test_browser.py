"""The page in a real Chromium: opened from disk, at three widths, in both colour schemes, and printed.

They are of the exhaustive tier. Skipped where no Chromium is installed; with REQUIRE_CHROMIUM set, as CI does, that is a failure instead.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from dcycle_pipeline.sandbox import Behaviour, World
from tests.conftest import CHILD, ROOT
from tests.report.conftest import Written, written

pytestmark = pytest.mark.exhaustive  # a browser takes ten seconds to start and to be closed
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
WIDTHS = (375, 768, 1440)
SCHEMES = ("light", "dark")
EVERYWHERE = [(width, scheme) for width in WIDTHS for scheme in SCHEMES]
CLASSES = "[...document.querySelectorAll('td')].flatMap(it => [...it.classList])"
# All tables of the dictionary are alike: axe looks at each of their cells, so it is given one of them.
ONE_ENTRY = "for (const it of [...document.querySelectorAll('.entry')].slice(1)) it.remove()"
CUT = """() => [...document.querySelectorAll('.scroll')].filter(it => it.clientWidth && it.scrollWidth > it.clientWidth + 1)
    .filter(it => !it.querySelector('.hint').offsetHeight || !getComputedStyle(it).backgroundImage.includes('gradient'))
    .map(it => it.getAttribute('aria-label'))"""
SCROLLING = "() => [...document.querySelectorAll('.scroll')].filter(it => it.scrollWidth > it.clientWidth + 1).length"
BROKEN = r"""() => {
    const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT), found = [];
    while (texts.nextNode()) {
        const text = texts.currentNode;
        if (text.parentElement.closest('code, .hidden, svg')) continue;
        for (const word of text.data.matchAll(/[^\s\-–—/·]+/g)) {
            if (word[0].length > 40) continue;  // a signature that is wider than a phone
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            if (new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1) found.push(word[0]);
        }
    }
    return found;
}"""
FOCUSED = """() => {
    const it = document.activeElement, box = it.getBoundingClientRect(), style = getComputedStyle(it);
    return {tag: it.tagName, name: it.getAttribute('href') || it.getAttribute('aria-label') || it.textContent.trim(),
            outline: style.outlineStyle, on_screen: box.bottom > 0 && box.top < innerHeight, id: it.id};
}"""


@pytest.fixture(scope="module")
def browser(report: Written, troubled: Written) -> Iterator[Browser]:
    """A running browser, started after what it will open is written: its driver occupies the event loop of this thread."""
    if CHROMIUM is None:
        if os.environ.get("REQUIRE_CHROMIUM"):
            pytest.fail("REQUIRE_CHROMIUM is set, but no chromium is on the PATH")
        pytest.skip("no chromium on the PATH: install Debian's `chromium` to run these")
    with sync_playwright() as driver:
        # Chromium refuses its sandbox to root, and CI is root.
        launched = driver.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=os.geteuid() != 0)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """An organisation and a list that could not be read, a rejected item, a pending record, days without a record and days with two."""
    world = World(ROOT, "Holding")
    world.add_organization(CHILD, "Áurea Wasser Nord", ROOT)
    for facility in ("f-1", "f-2", "f-denied"):
        world.add_facility(ROOT, id=facility, name=f"Planta {facility}", country="ES", co2e="1")
    for start, end in (("2024-01-01", "2024-01-31"), ("2024-01-31", "2024-02-28"), ("2024-05-01", "2024-05-03")):
        world.add_record("f-1", start_date=start, end_date=end, co2e="1234.5")
    world.add_record("f-2", start_date="2024-03-01", end_date="2024-04-02", co2e=None)
    world.add_record("f-2", start_date="2024-06-30", end_date="2024-06-01")
    return written(world, tmp_path_factory.mktemp("troubled"), Behaviour(denied={CHILD: 403, "f-denied": 403}))


class Watched:
    """A page opened from disk, with all that it asked for and complained of."""

    def __init__(self, browser: Browser, file: Path, width: int, scheme: Any) -> None:
        self.page: Page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(file.as_uri(), wait_until="networkidle")

    def open_everything(self) -> None:
        self.page.evaluate("for (const it of document.querySelectorAll('details')) it.open = true")


@pytest.fixture(params=EVERYWHERE, ids=lambda at: f"{at[0]}px-{at[1]}")
def opened(browser: Browser, report: Written, request: pytest.FixtureRequest) -> Iterator[Watched]:
    watched = Watched(browser, report.report.file, *request.param)
    yield watched
    watched.page.close()


def test_it_opens_without_a_request_or_a_complaint(opened: Watched, report: Written) -> None:
    opened.open_everything()
    assert opened.asked == [report.report.file.as_uri()]
    assert opened.complaints == []


@pytest.mark.exhaustive
def test_nothing_is_wider_than_the_screen(opened: Watched) -> None:
    opened.open_everything()
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    cards = "[...document.querySelectorAll('.card, .big')].filter(it => it.scrollWidth > it.clientWidth + 1).length"
    assert opened.page.evaluate(cards) == 0


def test_no_table_is_cut_without_a_hint_and_no_word_is_broken(opened: Watched) -> None:
    opened.page.evaluate(
        "for (const it of document.querySelectorAll('.exact-values, details')) it.checked = it.open = true"
    )
    assert opened.page.evaluate(SCROLLING) > 0
    assert opened.page.evaluate(CUT) == []
    assert opened.page.evaluate(BROKEN) == []


def test_the_first_screen_has_a_change_a_restatement_and_the_total_of_dcycle(browser: Browser, report: Written) -> None:
    page = Watched(browser, report.report.file, 1440, "light").page
    cards = {"headline": "year_on_year", "restated": "co2e_kg", "comparison": "theirs_co2e_kg"}
    for figure, column in cards.items():
        shown = page.locator(f".card [data-figure={figure}] data[data-column={column}]").or_(
            page.locator(f".card[data-figure={figure}] data[data-column={column}]")
        )
        box = shown.first.bounding_box()
        assert box
        assert box["y"] + box["height"] < 900
    page.close()


def test_exact_values_show_on_demand_without_a_script(browser: Browser, report: Written) -> None:
    page = Watched(browser, report.report.file, 1440, "light").page
    exact = page.locator("#years td.exact").first
    assert not exact.is_visible()
    page.locator("#years .exact-values").focus()
    page.keyboard.press("Space")
    assert exact.is_visible()
    assert len(exact.inner_text().partition(".")[2]) == 9
    page.close()


def test_a_table_is_saved_as_csv_by_one_click(browser: Browser, report: Written, tmp_path: Path) -> None:
    page = Watched(browser, report.report.file, 1440, "light").page
    with page.expect_download() as saved:
        page.locator("#years a.csv").click()
    assert saved.value.suggested_filename == "years.csv"
    saved.value.save_as(tmp_path / "years.csv")
    assert (tmp_path / "years.csv").read_text(encoding="utf-8-sig").startswith("year,first_month,last_month,co2e_kg,")
    page.close()


@pytest.mark.exhaustive
def test_one_drawing_of_each_chart_is_seen_and_its_text_is_readable(opened: Watched) -> None:
    for figure in opened.page.query_selector_all("figure"):
        (seen,) = [svg for svg in figure.query_selector_all("svg") if svg.is_visible()]
        sizes = seen.evaluate(
            "it => [...it.querySelectorAll('text')].map(t => parseFloat(getComputedStyle(t).fontSize) * it.getScreenCTM().a)"
        )
        assert min(sizes) >= 9.5


@pytest.mark.parametrize(("width", "scheme"), EVERYWHERE)
def test_axe_finds_no_violation(browser: Browser, report: Written, width: int, scheme: str) -> None:
    watched = Watched(browser, report.report.file, width, scheme)
    watched.page.evaluate(ONE_ENTRY)
    watched.open_everything()
    assert_accessible(watched)


@pytest.mark.parametrize(("width", "scheme"), EVERYWHERE)
def test_axe_finds_no_violation_where_much_is_missing(
    browser: Browser, troubled: Written, width: int, scheme: str
) -> None:
    watched = Watched(browser, troubled.report.file, width, scheme)
    watched.page.evaluate(ONE_ENTRY)
    watched.open_everything()
    assert {"step-0", "step-1", "step-3", "step-4"} <= set(watched.page.evaluate(CLASSES))
    assert_accessible(watched)


def assert_accessible(watched: Watched) -> None:
    found = Axe().run(watched.page, options={"resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()
    watched.page.close()


@pytest.mark.exhaustive
def test_colours_follow_the_scheme(browser: Browser, report: Written) -> None:
    papers = set()
    for scheme in SCHEMES:
        page = Watched(browser, report.report.file, 1440, scheme).page
        papers.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        fills = page.evaluate(
            "[...document.querySelectorAll('svg [fill^=\"var(\"]')].map(it => getComputedStyle(it).fill)"
        )
        assert fills
        papers.add(fills[0])
        page.close()
    assert len(papers) == 4


@pytest.mark.exhaustive
def test_everything_is_reached_by_keyboard(browser: Browser, report: Written) -> None:
    page = Watched(browser, report.report.file, 1440, "light").page
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED)["name"] == "#main"
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUSED)["id"] == "main"
    wanted = page.evaluate(
        "document.querySelectorAll('main summary').length + document.querySelectorAll('main a').length"
    )
    reached = []
    while (page.keyboard.press("Tab"), page.evaluate(FOCUSED))[1]["tag"] != "BODY":
        reached.append(page.evaluate(FOCUSED))
    assert len([it for it in reached if it["tag"] in ("SUMMARY", "A")]) == wanted
    assert all(it["outline"] != "none" and it["on_screen"] for it in reached)
    page.close()


@pytest.mark.exhaustive
def test_a_query_opens_by_keyboard(browser: Browser, report: Written) -> None:
    page = Watched(browser, report.report.file, 1440, "light").page
    query = page.locator("#years details.query")
    assert not query.locator("pre").is_visible()
    query.locator("summary").focus()
    page.keyboard.press("Enter")
    assert query.locator("pre").is_visible()
    page.close()


@pytest.mark.exhaustive
def test_it_prints(browser: Browser, report: Written, tmp_path: Path) -> None:
    page = Watched(browser, report.report.file, 1440, "dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink')").strip() == "#1b2530"
    assert not page.locator("nav").is_visible()
    assert not page.locator("#dictionary .entry").first.is_visible()
    assert "Not printed: the entries of the dictionary." in page.locator("footer .not-printed").inner_text()
    assert page.locator("#facilities svg").first.is_visible()
    assert page.locator("#facilities details.table table").is_visible()  # short enough, although it is folded
    assert "Not printed: the table of " in page.locator("#months .not-printed").inner_text()
    assert page.evaluate(CUT) == []
    margins = page.evaluate("[...document.styleSheets].flatMap(it => [...it.cssRules]).map(it => it.cssText).join()")
    assert "Grupo" in margins.partition("@top-left")[2]
    assert "counter(page)" in margins.partition("@bottom-right")[2]
    printed = page.pdf(path=tmp_path / "report.pdf", format="A4", print_background=False)
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") > 1
    page.close()
