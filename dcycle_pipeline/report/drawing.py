"""From Vega-Lite specifications to pictures: SVG within the page, which takes the page's colours, and PNG for other places.

They are drawn here and not in the browser, so the page needs no script, prints as it looks, and stays small: the demo's page has
0.7 MB, while the script of Vega-Lite alone has 0.9 MB. What a chart shows belongs to `charts`.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import vl_convert
from markupsafe import Markup

from dcycle_pipeline.report.figures import Chart
from dcycle_pipeline.report.palette import fixed, variable

_SVG = "http://www.w3.org/2000/svg"
_DRAWING = (
    "class d dy fill fill-opacity font-family font-size font-style font-weight height opacity stroke stroke-dasharray "
    "stroke-linecap stroke-opacity stroke-width text-anchor transform viewBox width x x1 x2 y y1 y2"
)
_KEPT = frozenset(_DRAWING.split())
CONFIG = {
    "background": None,
    "font": "inherit",
    "view": {"stroke": None},
    "axis": {
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


def svg(chart: Chart, specification: Mapping[str, Any], css_class: str) -> Markup:
    """One chart as an SVG element for the page: an image with a text for screen readers and a tooltip on each mark."""
    text = vl_convert.vegalite_to_svg({**specification, "config": CONFIG})
    # Safe to parse: Vega wrote it a line above. Names of facilities go in as JSON and come out escaped.
    root = ElementTree.fromstring(text)  # noqa: S314
    width = root.get("width", "0")
    _clean(root)
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    root.attrib |= {
        "class": css_class,
        "role": "img",
        "aria-label": f"{chart.title}. {chart.description}",
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


def picture(charts: Sequence[Chart], columns: int, alternative: str) -> str:
    """Several charts in `columns` as a Markdown image that needs no file: the PNG is within the text."""
    panels = [{**chart.wide, "title": chart.title} for chart in charts]
    config = {**CONFIG, "background": variable("paper"), "font": "sans-serif"}
    config["title"] = {"anchor": "start", "color": variable("ink"), "fontSize": 12}
    together = json.dumps(
        {"concat": panels, "columns": columns, "align": "all", "bounds": "flush", "spacing": 50, "config": config}
    )
    png = vl_convert.vegalite_to_png(json.loads(fixed(together)))
    return f"![{alternative}](data:image/png;base64,{b64encode(png).decode()})"
