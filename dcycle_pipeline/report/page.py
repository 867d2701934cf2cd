"""The page: puts answers, charts and dictionary into the template. Names in the data are not trusted: the template escapes them."""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.report import palette
from dcycle_pipeline.report.answers import Answer, ask
from dcycle_pipeline.report.cells import COUNT, Cell
from dcycle_pipeline.report.dictionary import Entry
from dcycle_pipeline.report.drawing import Drawn
from dcycle_pipeline.report.figures import Chart, Shown, query
from dcycle_pipeline.report.heat import heat_map
from dcycle_pipeline.report.language import Language
from dcycle_pipeline.report.sections import FIGURES, REPORTING_YEAR, SECTIONS
from dcycle_pipeline.settings import LOGO_TYPES, Look

TITLE = "Waste-water treatment · emissions report"
_IN_ALL = Shown("in_all", "", COUNT)
_MOST_NAMED = 5  # organisations that a line names: the chapter "Missing or in doubt" names all
_LARGEST_LOGO_BYTES = 1_000_000


@dataclass(frozen=True)
class Face:
    """What the settings make of the page: its language, its title, and the logo as a `data:` URL, empty if there is none."""

    language: Language
    title: str
    logo: str


def face_of(look: Look) -> Face:
    """The face that the settings ask for. Raises SettingsError if the logo cannot be read or is too large."""
    language = Language(look.language, look.locale)
    return Face(language, look.title or language.say(TITLE), _picture(look.logo) if look.logo else "")


def answers(published: Published, language: Language, there: set[str]) -> dict[str, Answer]:
    """The answer of every figure, by its name; `there` are the tables and views of the file.

    The year of the report is asked first, because the others need it.
    """
    first = ask(published, REPORTING_YEAR, None, language)
    year = first.rows[0]["year"]
    found = {
        figure.name: ask(published, figure, year, language)
        if not figure.needs or figure.needs in there
        else Answer(figure, query(figure.name, year), [], figure.needs, language)
        for figure in FIGURES
    }
    return found | {first.figure.name: first}


def render(
    found: dict[str, Answer], drawn: Mapping[str, Sequence[Drawn]], dictionary: Sequence[Entry], face: Face
) -> str:
    """The whole page as HTML, from the answers, their charts and the dictionary of one snapshot."""
    return (
        _environment(face.language)
        .get_template("page.html.j2")
        .render(
            answers=found,
            drawn=drawn,
            sections=SECTIONS,
            dictionary=dictionary,
            light=palette.LIGHT,
            dark=palette.DARK,
            style=Markup((files(__package__) / "templates" / "style.css").read_text(encoding="utf-8")),  # noqa: S704
            title=face.title,
            logo=face.logo,
        )
    )


@cache
def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader("dcycle_pipeline.report"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_callables(language.say, lambda one, _many, _n: language.say(one), newstyle=True)  # type: ignore[attr-defined]
    environment.globals |= {
        "heat_map": heat_map,
        "language": language,
        "say": language.say,
        "css_string": css_string,
        "in_all": _IN_ALL,
        "most_named": _MOST_NAMED,
        "whole_count": _whole_count,
    }
    return environment


def css_string(text: str) -> Markup:
    """A text as a string of CSS: whatever could end the string, or the style sheet, is escaped."""
    return Markup('"{}"').format(Markup(re.sub(r"[^A-Za-z0-9 ]", lambda found: f"\\{ord(found[0]):x} ", text)))  # noqa: S704


def _whole_count(answer: Answer) -> Cell:
    return COUNT.show(answer.rows[0]["in_all"], answer.language, 0)


def _picture(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"DCYCLE_REPORT_LOGO {file} cannot be read: {error.strerror}.") from None
    if len(content) > _LARGEST_LOGO_BYTES:
        raise SettingsError(f"DCYCLE_REPORT_LOGO {file} is larger than 1 MB: choose a smaller picture.")
    return f"data:{LOGO_TYPES[file.suffix.lower()]};base64,{b64encode(content).decode()}"


def charts_of(answer: Answer) -> list[Chart]:
    """The charts of a figure; an empty list if there is nothing to draw."""
    return answer.figure.charts(answer) if answer.figure.charts and answer.rows else []
