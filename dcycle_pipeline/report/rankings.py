"""Charts that rank facilities: a row for each, with its name, a mark and its number (vega.github.io/vega-lite/docs).

Texts are those of the tables, from the exact numbers, so that both agree. Floats only place marks on pixels.
"""

import json
from collections.abc import Mapping
from typing import Any

from dcycle_pipeline.report.answers import Answer
from dcycle_pipeline.report.figures import Chart
from dcycle_pipeline.report.labels import shortened
from dcycle_pipeline.report.marks import FILLED, LABEL_EMS, bar, beside
from dcycle_pipeline.report.palette import variable

BARS = 15  # the table below a chart shows the others


def facilities(answer: Answer) -> list[Chart]:
    """The facilities that emit most, as bars."""
    taken = [row for row in answer.rows if row["co2e_kg"] is not None][:BARS]
    values = [
        {"place": place, **bar(answer, row, shortened(row["facility"], LABEL_EMS), row["facility"])}
        for place, row in enumerate(taken)
    ]
    say = answer.language.say
    described = say("Tonnes of CO₂e, largest first; the table below holds the same numbers")
    return [_lying(say("Facilities by emissions"), described, values, _BAR, len(answer.rows))]


def intensity(answer: Answer) -> list[Chart]:
    """Kilograms per cubic metre of the facilities that treat most water, as points, most intense first."""
    taken = sorted(answer.rows[:BARS], key=lambda row: row["co2e_kg_per_m3_in"], reverse=True)
    say = answer.language.say
    values = [
        {
            "place": place,
            "label": shortened(row["facility"], LABEL_EMS),
            "value": float(row["co2e_kg_per_m3_in"]),
            "shown": (shown := answer.text("co2e_kg_per_m3_in", row)),
            "fill": variable("accent"),
            "stroke": variable("accent"),
            "tooltip": f"{beside(row['facility'])}: {shown} {say('kg CO₂e per m³')}",
        }
        for place, row in enumerate(taken)
    ]
    described = say(
        "Kilograms of CO₂e per cubic metre of water in, most intense first; the table below holds the same numbers"
    )
    return [_lying(say("Intensity of the facilities that treat most water"), described, values, _DOT, len(answer.rows))]


def _lying(
    title: str, description: str, values: list[dict[str, Any]], mark: Mapping[str, Any], row_count: int
) -> Chart:
    """A row for each value: name, mark, number. On a narrow page the name is above its mark."""
    names = json.dumps([value["label"] for value in values])
    axis = {"labelExpr": f"{names}[datum.value]", "labelLimit": 0, "labelFontSize": 12, "labelColor": variable("ink")}
    layers = [*([_STEM] if mark is _DOT else []), _lying_mark(mark), _NUMBER]
    shared = {"data": {"values": values}, "resolve": {"axis": {"y": "shared"}}}
    wide = {**shared, "width": 480, "height": {"step": 25}, "encoding": _places(axis), "layer": layers}
    narrow = {
        **shared,
        "width": 250,
        "height": {"step": 42},
        "encoding": _places(None),
        "layer": [*layers, _NAME_ABOVE],
    }
    return Chart(title, description, wide, narrow, row_count, len(values), len(values))


def _places(axis: Mapping[str, Any] | None) -> Mapping[str, Any]:
    y = {"field": "place", "type": "ordinal", "title": None, "axis": axis}
    return {
        "y": y,
        "x": {"field": "value", "type": "quantitative", "title": None, "axis": None, "scale": {"zero": True}},
    }


def _lying_mark(mark: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"mark": mark, "encoding": {**FILLED, "description": {"field": "tooltip"}}}


_BAR = {"type": "bar", "height": 13, "cornerRadiusEnd": 2}
_DOT = {"type": "point", "size": 70, "opacity": 1}
_STEM = {
    "mark": {"type": "rule", "color": variable("rule"), "aria": False},
    "encoding": {"x": {"datum": 0}, "x2": {"field": "value"}},
}
_NUMBER = {
    "mark": {"type": "text", "align": "left", "dx": 8, "fontSize": 12, "color": variable("ink"), "aria": False},
    "encoding": {"text": {"field": "shown"}},
}
_NAME_ABOVE = {
    "mark": {
        "type": "text",
        "align": "left",
        "dy": -15,
        "fontSize": 12,
        "color": variable("muted"),
        "aria": False,
    },
    "encoding": {"x": {"value": 0}, "text": {"field": "label"}},
}
