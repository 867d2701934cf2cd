"""The page in a real Chromium: opened from disk, at both widths and in both colour schemes.

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
from tests.conftest import ROOT
from tests.report.conftest import Written, written

pytestmark = pytest.mark.exhaustive  # a browser takes ten seconds to start and to be closed
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
WIDTHS = (375, 1440)
SCHEMES = ("light", "dark")
EVERYWHERE = [(width, scheme) for width in WIDTHS for scheme in SCHEMES]
CLASSES = "[...document.querySelectorAll('td')].flatMap(it => [...it.classList])"
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
    """A list that could not be read, a rejected item, a pending record, days without a record and days with two."""
    world = World(ROOT, "Holding")
    for facility in ("f-1", "f-2", "f-denied"):
        world.add_facility(ROOT, id=facility, name=f"Planta {facility}", country="ES", co2e="1")
    for start, end in (("2024-01-01", "2024-01-31"), ("2024-01-31", "2024-02-28"), ("2024-05-01", "2024-05-03")):
        world.add_record("f-1", start_date=start, end_date=end, co2e="1234.5")
    world.add_record("f-2", start_date="2024-03-01", end_date="2024-04-02", co2e=None)
    world.add_record("f-2", start_date="2024-06-30", end_date="2024-06-01")
    return written(world, tmp_path_factory.mktemp("troubled"), Behaviour(denied={"f-denied": 403}))


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


@pytest.mark.exhaustive
def test_one_drawing_of_each_chart_is_seen_and_its_text_is_readable(opened: Watched) -> None:
    for figure in opened.page.query_selector_all("figure"):
        (seen,) = [svg for svg in figure.query_selector_all("svg") if svg.is_visible()]
        sizes = seen.evaluate(
            "it => [...it.querySelectorAll('text')].map(t => parseFloat(getComputedStyle(t).fontSize) * it.getScreenCTM().a)"
        )
        assert min(sizes) >= 9.5


@pytest.mark.exhaustive
def test_axe_finds_no_violation(browser: Browser, report: Written) -> None:
    assert_accessible(Watched(browser, report.report.file, 375, "light"))


@pytest.mark.parametrize(("width", "scheme"), EVERYWHERE)
def test_axe_finds_no_violation_where_much_is_missing(
    browser: Browser, troubled: Written, width: int, scheme: str
) -> None:
    watched = Watched(browser, troubled.report.file, width, scheme)
    # All tables of the dictionary are alike: axe looks at each of their cells, so it is given one of them.
    watched.page.evaluate("for (const it of [...document.querySelectorAll('.entry')].slice(1)) it.remove()")
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
    assert not page.locator("#dictionary").is_visible()
    assert page.locator("#facilities svg").first.is_visible()
    printed = page.pdf(path=tmp_path / "report.pdf", format="A4", print_background=False)
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") > 1
    page.close()
