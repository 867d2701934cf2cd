"""From charts to pictures: SVG within the page, which takes the page's colours, and PNG for other places.

They are drawn here and not in the browser, so the page needs no script, prints as it looks, and stays small: the demo's page has
1.0 MB, while the script of Vega-Lite alone has 0.9 MB. What a chart shows belongs to `charts`, the process that draws to `engine`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from dcycle_pipeline.report.engine import Order, Picture
from dcycle_pipeline.report.figures import Chart
from dcycle_pipeline.report.kept_pictures import drawn_once
from dcycle_pipeline.report.labels import shortened
from dcycle_pipeline.report.palette import FIXED, variable
from dcycle_pipeline.text import isolated, markdown

_SVG = "http://www.w3.org/2000/svg"
_DRAWING = (
    "class d dy fill fill-opacity font-family font-size font-style font-weight height opacity stroke stroke-dasharray "
    "stroke-linecap stroke-opacity stroke-width text-anchor transform viewBox width x x1 x2 y y1 y2"
)
_KEPT = frozenset(_DRAWING.split())
_PLAIN_FONT = {"font": "sans-serif", "subtitleFont": "sans-serif"}
_TITLE_EMS = 22  # of 12 pixels: as wide as a panel
CONFIG = {
    "background": None,
    "font": "inherit",
    "view": {"stroke": None},
    "axis": {
        "aria": False,  # its descriptions are English, whatever the language of the page
        "labelColor": variable("muted"),
        "titleColor": variable("muted"),
        "titleFontWeight": "normal",
        "titleFontSize": 11,
        "labelFontSize": 11,
        "gridColor": variable("rule"),
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
    },
}


@dataclass(frozen=True)
class Drawn:
    """A chart as it stands on the page, for each width that it has been drawn for. If there is none, `failed` says why."""

    title: str
    shown: Markup
    failed: str
    chart: Chart


@dataclass(frozen=True)
class Image:
    """Charts that are drawn as one image: in how many columns, its heading with the unit, and what its marks mean."""

    charts: Sequence[Chart]
    columns: int
    heading: str
    meaning: Sequence[str]


@dataclass(frozen=True)
class Drawings:
    """All that was drawn for a report: the charts of each figure, and one Markdown image that needs no file, or why there is none."""

    charts: Mapping[str, Sequence[Drawn]]
    image: str

    @property
    def failed_count(self) -> int:
        """How many charts of the page could not be drawn."""
        return sum(bool(chart.failed) for own in self.charts.values() for chart in own)


def drawings(
    charts: Mapping[str, Sequence[Chart]],
    together: Image | None = None,
    kept: Path | None = None,
) -> Drawings:
    """Draw the charts of each figure, and those of `together` as one image. What cannot be drawn says why.

    `kept` is a file of pictures: what one of the same chart is there is not drawn again.
    """
    orders = [
        Order({**width, "config": CONFIG}) for own in charts.values() for chart in own for width in _widths(chart)
    ]
    image = [Order(_in_one(together), FIXED)] if together and together.charts else []
    pictures = iter(drawn_once([*orders, *image], kept))
    drawn = {
        name: [_drawn(chart, list(islice(pictures, len(_widths(chart))))) for chart in own]
        for name, own in charts.items()
    }
    return Drawings(drawn, "".join(_image(picture, together.heading if together else "") for picture in pictures))


def _widths(chart: Chart) -> list[Mapping[str, Any]]:
    return [chart.wide] if chart.narrow is None else [chart.wide, chart.narrow]


def _drawn(chart: Chart, pictures: Sequence[Picture]) -> Drawn:
    """The chart for both widths: the page hides the one that does not fit. If one could not be drawn, the other serves for both."""
    good = [picture.drawn for picture in pictures if picture.drawn]
    classes = ["chart wide", "chart narrow"] if len(good) > 1 else ["chart"]
    shown = Markup().join(_svg(chart, text, css_class) for text, css_class in zip(good, classes, strict=False))
    return Drawn(chart.title, shown, "" if good else pictures[0].failed, chart)


def _svg(chart: Chart, text: str, css_class: str) -> Markup:
    """One chart as an SVG element for the page: an image with a text for screen readers and a tooltip on each mark."""
    # Safe to parse: Vega wrote it. Names of facilities go in as JSON, without what XML forbids, and come out escaped.
    root = ElementTree.fromstring(text)  # noqa: S314
    width = root.get("width", "0")
    _clean(root)
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    root.attrib |= {
        "class": css_class,
        "role": "img",
        "aria-label": f"{isolated(chart.title)}. {chart.description}",
        "style": f"max-width:{width}px",
    }
    ElementTree.register_namespace("", _SVG)
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704


def _clean(element: ElementTree.Element) -> None:
    """Remove what does not draw, and make a mark's description its tooltip."""
    tooltip = element.get("aria-label") if element.get("aria-roledescription") else None
    for name in set(element.attrib) - _KEPT:
        del element.attrib[name]
    for child in list(element):
        if child.get("display") == "none" or (child.tag == f"{{{_SVG}}}path" and not child.get("d")):
            element.remove(child)
        else:
            _clean(child)
    if tooltip:
        title = ElementTree.Element(f"{{{_SVG}}}title")
        title.text = tooltip
        element.insert(0, title)


def _in_one(image: Image) -> Mapping[str, Any]:
    panels = [{**chart.wide, "title": shortened(chart.title, _TITLE_EMS)} for chart in image.charts]
    config = {**CONFIG, "background": variable("paper"), "font": "sans-serif"}
    config["title"] = {"anchor": "start", "color": variable("ink"), "fontSize": 12, "subtitleColor": variable("muted")}
    title = {
        "text": image.heading,
        "subtitle": image.meaning,
        "anchor": "start",
        "fontSize": 15,
        "offset": 18,
        **_PLAIN_FONT,
    }
    layout = {"columns": image.columns, "align": "all", "bounds": "flush", "spacing": 50}
    return {"title": title, "concat": panels, **layout, "config": config}


def _image(picture: Picture, alternative: str) -> str:
    if picture.failed:
        return f"{alternative}: not drawn, because {markdown(picture.failed)}"
    return f"![{alternative}](data:image/png;base64,{picture.drawn})"
