"""The page in a real Chromium: opened from disk, at both widths and in both colour schemes.

Skipped where no Chromium is installed; with REQUIRE_CHROMIUM set, as CI does, that is a failure instead.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.report.conftest import Written

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
WIDTHS = (375, 1440)
SCHEMES = ("light", "dark")
EVERYWHERE = [(width, scheme) for width in WIDTHS for scheme in SCHEMES]
FOCUSED = """() => {
    const it = document.activeElement, box = it.getBoundingClientRect(), style = getComputedStyle(it);
    return {tag: it.tagName, name: it.getAttribute('href') || it.getAttribute('aria-label') || it.textContent.trim(),
            outline: style.outlineStyle, on_screen: box.bottom > 0 && box.top < innerHeight, id: it.id};
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("REQUIRE_CHROMIUM"):
            pytest.fail("REQUIRE_CHROMIUM is set, but no chromium is on the PATH")
        pytest.skip("no chromium on the PATH: install Debian's `chromium` to run these")
    with sync_playwright() as driver:
        # Chromium refuses its sandbox to root, and CI is root.
        launched = driver.chromium.launch(executable_path=CHROMIUM, chromium_sandbox=os.geteuid() != 0)
        yield launched
        launched.close()


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


def test_nothing_is_wider_than_the_screen(opened: Watched) -> None:
    opened.open_everything()
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_one_drawing_of_each_chart_is_seen_and_its_text_is_readable(opened: Watched) -> None:
    for figure in opened.page.query_selector_all("figure"):
        (seen,) = [svg for svg in figure.query_selector_all("svg") if svg.is_visible()]
        sizes = seen.evaluate(
            "it => [...it.querySelectorAll('text')].map(t => parseFloat(getComputedStyle(t).fontSize) * it.getScreenCTM().a)"
        )
        assert min(sizes) >= 9.5


def test_axe_finds_no_violation(opened: Watched) -> None:
    for prepare in (lambda: None, opened.open_everything):
        prepare()
        found = Axe().run(opened.page)
        assert found.violations_count == 0, found.generate_report()


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


def test_a_query_opens_by_keyboard(browser: Browser, report: Written) -> None:
    page = Watched(browser, report.report.file, 1440, "light").page
    query = page.locator("#years details.query")
    assert not query.locator("pre").is_visible()
    query.locator("summary").focus()
    page.keyboard.press("Enter")
    assert query.locator("pre").is_visible()
    page.close()


def test_it_prints(browser: Browser, report: Written, tmp_path: Path) -> None:
    page = Watched(browser, report.report.file, 1440, "dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink')").strip() == "#1b2530"
    assert not page.locator("nav").is_visible()
    printed = page.pdf(path=tmp_path / "report.pdf", format="A4", print_background=False)
    assert printed.startswith(b"%PDF")
    assert printed.count(b"/Type /Page\n") > 1
    page.close()
