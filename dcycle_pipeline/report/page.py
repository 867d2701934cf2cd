"""The page: puts answers, charts and dictionary into the template. Names in the data are not trusted: the template escapes them."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dcycle_pipeline.readers.published_file import Published
from dcycle_pipeline.report import palette
from dcycle_pipeline.report.dictionary import entries
from dcycle_pipeline.report.drawing import Drawn
from dcycle_pipeline.report.figures import Answer, Chart, ask
from dcycle_pipeline.report.heat import heat_map
from dcycle_pipeline.report.sections import FIGURES, REPORTING_YEAR, SECTIONS


def answers(published: Published) -> dict[str, Answer]:
    """The answer of every figure, by its name. The year of the report is asked first, because the others need it."""
    first = ask(published, REPORTING_YEAR, None)
    year = first.rows[0]["year"]
    return {figure.name: ask(published, figure, year) for figure in FIGURES} | {first.figure.name: first}


def render(published: Published, found: dict[str, Answer], drawn: Mapping[str, Sequence[Drawn]]) -> str:
    """The whole page as HTML, from the answers, their charts and the dictionary of one snapshot."""
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            answers=found,
            drawn=drawn,
            sections=SECTIONS,
            dictionary=entries(published),
            light=palette.LIGHT,
            dark=palette.DARK,
            style=Markup((files(__package__) / "templates" / "style.css").read_text(encoding="utf-8")),  # noqa: S704
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("dcycle_pipeline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"heat_map": heat_map}
    return environment


def charts_of(answer: Answer) -> list[Chart]:
    """The charts of a figure; an empty list if there is nothing to draw."""
    return answer.figure.charts(answer.rows) if answer.figure.charts and answer.rows else []
