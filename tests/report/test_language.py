"""The report in another language and with other separators: no text is forgotten, and no number can be misread."""

import base64
import csv
import io
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract
from babel.numbers import parse_decimal
from hypothesis import given
from hypothesis import strategies as st
from jinja2.ext import babel_extract

import dcycle_pipeline.report
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.report import language
from dcycle_pipeline.report.answers import Answer
from dcycle_pipeline.report.cells import EXACT, NONE, places_of
from dcycle_pipeline.report.figures import Figure, Shown, texts
from dcycle_pipeline.report.language import Language
from dcycle_pipeline.report.sections import FIGURES, SECTIONS
from dcycle_pipeline.report.writing import write_report
from dcycle_pipeline.sandbox import Behaviour, World
from dcycle_pipeline.settings import Look
from tests.conftest import CHILD, ROOT
from tests.report.conftest import Node, Written, parsed, written

REFUSED = "33333333-3333-4333-8333-333333333333"
ORGANIZATIONS = "SELECT name FROM dcycle.organizations"
ROOM = Path(dcycle_pipeline.report.__file__).parent
SPANISH = Look(language="es", title="Agua y clima 2025")
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def said() -> Iterator[str]:
    """Every English text of the declarations, the templates and the modules."""
    yield from texts(SECTIONS, FIGURES)
    for template in (ROOM / "templates").glob("*.j2"):
        with template.open("rb") as opened:
            for _, _, found, _ in babel_extract(opened, ["_", "say"], [], {}):
                yield from [each for each in ([found] if isinstance(found, str) else found or ()) if each]
    for module in ROOM.glob("*.py"):
        with module.open("rb") as opened:
            yield from [found for _, found, _, _ in extract("python", opened, {"say": None}) if isinstance(found, str)]


@pytest.fixture(scope="module")
def spanish(report: Written, tmp_path_factory: pytest.TempPathFactory) -> Node:
    logo = tmp_path_factory.mktemp("spanish") / "logo.png"
    logo.write_bytes(PNG)
    look = Look(**{**vars(SPANISH), "logo": logo})
    file = write_report(DataFolder(report.synced.settings.data_dir).published, logo.with_name("es.html"), look).file
    return parsed(file.read_text(encoding="utf-8"))


def test_every_text_has_a_translation_with_the_same_numbers_in_it() -> None:
    messages = Language("es").messages
    assert {text for text in said() if text not in messages} - {"yesno"} == set()
    for english, other in messages.items():
        assert english.count("{}") == other.count("{}"), english
        assert {each.split(")")[0] for each in english.split("%(")[1:]} == {
            each.split(")")[0] for each in other.split("%(")[1:]
        }


class Recording(dict[str, str]):
    """Translations that note what they lack."""

    def __init__(self, code: str) -> None:
        super().__init__(Language(code).messages)
        self.lacking: set[str] = set()

    def get(self, text: str, default: Any = None) -> Any:
        if text not in self:
            self.lacking.add(text)
        return super().get(text, default)


@pytest.mark.exhaustive
def test_nothing_that_a_page_says_lacks_a_translation(
    report: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(ROOT, "Holding")
    world.add_organization(CHILD, "Water North", ROOT)
    world.add_organization(REFUSED, "Water South", ROOT)
    for place, kind in (("f-1", "factory"), ("f-2", "office"), ("f-3", "shop"), ("f-denied", "factory")):
        world.add_facility(CHILD, id=place, country="ES", type=kind, co2e="1")
    for start, end in (("2024-01-01", "2024-01-31"), ("2024-01-31", "2025-02-28"), ("2024-05-01", "2024-05-03")):
        world.add_record("f-1", start_date=start, end_date=end, co2e="1234.5")
    world.add_record("f-2", start_date="2024-03-01", end_date="2024-04-02", co2e=None)
    world.add_record("f-3", start_date="2024-03-01", end_date="2024-04-02", status="uploaded")
    world.add_record("f-3", start_date="2024-06-30", end_date="2024-06-01")
    troubled = written(world, tmp_path / "troubled", Behaviour(denied={"f-denied": 403, REFUSED: 403}))
    recording = Recording("es")
    monkeypatch.setattr(language, "_translations", lambda _code: recording)
    look = Look(language="es", locale="es_MX")  # of its own: templates keep the texts of the languages that they know
    for one in (report, troubled):
        published = DataFolder(one.synced.settings.data_dir).published
        write_report(published, tmp_path / "es.html", look, with_picture=True)
    names = {name for one in (report, troubled) for (name,) in one.synced.query(ORGANIZATIONS)}
    assert recording.lacking - names - {NONE, ""} == set()


CAUSES = ("access refused", "not read yet", "key not accepted", "not found", "incomplete", "facilities not known")


@given(st.integers(1, 10**6), st.lists(st.sampled_from(CAUSES), min_size=1, max_size=4, unique=True), st.booleans())
def test_a_reason_is_translated_part_by_part(count: int, causes: list[str], is_excluded: bool) -> None:
    spoken = Language("es")
    said = spoken.words(f"{count} lists: {', '.join(causes)}" + "; excluded by the settings" * is_excluded)
    assert said.startswith(f"{spoken.number(count)} listas: ")
    assert not [cause for cause in (*causes, "excluded", "lists") if cause != "incomplete" and cause in said]


@pytest.mark.exhaustive
def test_words_of_queries_are_translated_with_their_numbers(spanish: Node) -> None:
    spoken = Language("es")
    assert spoken.words("2024: 7632 of 8784 days covered") == "2024: 7.632 de 8.784 días cubiertos"
    assert spoken.words("scope 3 category 5") == "alcance 3 categoría 5"
    shown = {node.text for node in spanish.all("bdi") if node.attributes["data-column"] == "year_on_year"}
    assert shown
    assert all("covered" not in text for text in shown)


@pytest.mark.exhaustive
def test_the_page_is_in_spanish_with_its_numbers_months_and_countries(spanish: Node, page: Node) -> None:
    assert spanish.all("html")[0].attributes["lang"] == "es"
    assert [node.text for node in spanish.all("p") if "kicker" in node.classes] == ["Agua y clima 2025"]
    assert spanish.all("img")[0].attributes["src"].startswith("data:image/png;base64,")
    pairs = list(zip(page.all("data"), spanish.all("data"), strict=True))
    assert len(pairs) > 500
    for english, other in pairs:
        assert english.attributes["value"] == other.attributes["value"]
        if not english.text[:1].isalpha() and english.attributes.get("data-column") != "year":
            numbers = [node.text.lstrip("<>+ ").replace("\N{MINUS SIGN}", "-") for node in (english, other)]
            assert parse_decimal(numbers[0], "en_GB") == parse_decimal(numbers[1], "es_ES")
    assert {node.text for node in spanish.all("data") if node.attributes["value"] == "DE"} == {"Alemania"}
    assert Language("es").month(date(2024, 1, 1)) == "ene 2024"


def test_separators_follow_the_locale_and_words_the_language() -> None:
    german = Language("en", "de_DE")
    assert german.number(Decimal("4862.3"), 1) == "4.862,3"
    assert german.month(date(2024, 3, 1)) == "Mar 2024"
    assert Language("en", "en_IN").number(Decimal("12345678.9"), 1) == "1,23,45,678.9"
    assert Language().number(Decimal("-" + "9" * 29 + ".5"), 0) == "\N{MINUS SIGN}" + Language().number(10**29)


@given(st.lists(st.decimals(min_value=0, max_value=10**9, places=9), min_size=1))
def test_a_column_has_one_number_of_places_and_never_three(values: list[Decimal]) -> None:
    assert places_of(values) in (1, 2, 5)
    assert places_of(values, whole_from=1000) in (0, 1, 2, 5)


def rows_in(link: str, separator: str) -> list[dict[str, str]]:
    text = base64.b64decode(link.partition("base64,")[2]).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=separator))


@pytest.mark.exhaustive
def test_each_table_is_a_csv_with_exact_values(page: Node, spanish: Node) -> None:
    for found, separator in ((page, ","), (spanish, ";")):
        links = [node for node in found.all("a") if "download" in node.attributes]
        assert len(links) == len([article for article in found.all("article") if article.all("table")])
        (years,) = [node for node in links if node.attributes["download"] == "years.csv"]
        rows = rows_in(years.attributes["href"], separator)
        (article,) = [node for node in found.all("article") if node.attributes["id"] == "years"]
        shown = [node for node in article.all("data") if node.attributes.get("data-column") == "co2e_kg"]
        exact = {node.attributes["value"] for node in shown}
        assert {row["co2e_kg"].replace(",", ".") for row in rows} == exact


def test_a_name_that_a_spreadsheet_would_calculate_is_text_in_the_csv() -> None:
    figure = Figure("any", "Any", (Shown("name", "Name"), Shown("co2e_kg", "kg", EXACT)))
    answer = Answer(figure, "", [{"name": "=1+1", "co2e_kg": Decimal("-0E-9")}], language=Language("es"))
    assert rows_in(answer.csv(), ";") == [{"name": "'=1+1", "co2e_kg": "-0,000000000"}]


def test_a_logo_that_cannot_be_read_is_named(report: Written, tmp_path: Path) -> None:
    published = DataFolder(report.synced.settings.data_dir).published
    with pytest.raises(SettingsError, match=r"DCYCLE_REPORT_LOGO .*gone\.png cannot be read"):
        write_report(published, tmp_path / "x.html", Look(logo=tmp_path / "gone.png"))
