"""The charts: Vega-Lite specifications over the rows of a figure (vega.github.io/vega-lite/docs). Drawing them belongs to `drawing`.

Texts are formatted as in the tables, from the exact numbers, so that both agree. Floats only place marks on pixels.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from dcycle_pipeline.report.cells import grouped, tonnes
from dcycle_pipeline.report.figures import Chart, Row
from dcycle_pipeline.report.labels import shortened
from dcycle_pipeline.report.palette import variable
from dcycle_pipeline.text import isolated

BARS = 15  # the table below a chart shows the others
YEARS_ON_A_PHONE = 6  # bars of 50 pixels that fit a width of 320
_LABEL_EMS = 20  # of 12 pixels: half of a wide page
_TOOLTIP_EMS = 60
_COMPLETE, _INCOMPLETE = variable("accent"), variable("paper")
_FILL = {
    "fill": {"condition": {"test": "datum.complete", "value": _COMPLETE}, "value": variable("accent-soft")},
    "stroke": {"value": _COMPLETE},
    "strokeWidth": {"value": 1},
}


def is_complete(row: Row) -> bool:
    """Whether nothing is pending and every day owed is covered, so that the figure cannot rise by what is still missing."""
    return not row["pending_record_count"] and row["covered_days"] == row["due_days"]


def _state(row: Row) -> str:
    missing = []
    if row["pending_record_count"]:
        missing.append("emissions pending")
    if row["covered_days"] != row["due_days"]:
        missing.append("days without a record")
    return f" ({', '.join(missing)})" if missing else ""


def months(rows: Sequence[Row]) -> list[Chart]:
    """A panel for each organisation, all on one scale, so that they can be compared. Hollow points are incomplete months."""
    highest = max((float(row["co2e_kg"] or 0) / 1000 for row in rows), default=0)
    panels = groupby(rows, key=lambda row: row["organization_id"])
    return [_panel(list(panel), highest) for _, panel in panels]


def _panel(rows: Sequence[Row], highest: float) -> Chart:
    values = [
        {
            "month": row["month"].isoformat(),
            "tonnes": float(row["co2e_kg"]) / 1000,
            "fill": _COMPLETE if is_complete(row) else _INCOMPLETE,
            "tooltip": f"{row['month']:%b %Y}: {tonnes(row['co2e_kg'])} t{_state(row)}",
        }
        if row["co2e_kg"] is not None
        else {"month": row["month"].isoformat(), "tonnes": None}
        for row in rows
    ]
    y = {
        "field": "tonnes",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [0, highest * _HEADROOM]},
        "axis": {"tickCount": 3, "format": ",.0f" if highest >= 10 else ""},
    }
    spec = {"width": 270, "height": 110, "data": {"values": values}, "encoding": {"x": _MONTHS, "y": y}, "layer": _LINE}
    described = "Emissions by month in tonnes of CO₂e; the table below holds the same numbers"
    return Chart(rows[0]["organization"], described, spec)


_HEADROOM = 1.08  # so that the highest point is not cut off
_MONTHS = {
    "field": "month",
    "type": "temporal",
    "title": None,
    "axis": {"format": "%Y", "tickCount": "year", "grid": False, "ticks": True, "tickColor": variable("rule")},
}
_POINT = {"type": "point", "filled": False, "size": 16, "strokeWidth": 1.25, "stroke": _COMPLETE, "opacity": 1}
_LINE = [
    {"mark": {"type": "area", "color": variable("accent-soft"), "opacity": 0.35, "line": False, "aria": False}},
    {"mark": {"type": "line", "color": _COMPLETE, "strokeWidth": 1.75, "aria": False}},
    {
        "mark": _POINT,
        "transform": [{"filter": "datum.tonnes !== null"}],
        "encoding": {"fill": {"field": "fill", "type": "nominal", "scale": None}, "description": {"field": "tooltip"}},
    },
]


def years(rows: Sequence[Row]) -> list[Chart]:
    """A bar for each year; pale ones are incomplete years."""
    values = [_bar(str(row["year"]), row) for row in reversed(rows)]
    described = "Emissions of the group by year in tonnes of CO₂e; the table below holds the same numbers"
    wide = {"width": {"step": 64}, "height": 210, "data": {"values": values}, "layer": _upright_bars()}
    narrow = {
        "width": {"step": 50},
        "height": 190,
        "data": {"values": values[-YEARS_ON_A_PHONE:]},
        "layer": _upright_bars(),
    }
    return [Chart("Emissions by year", described, wide, narrow)]


def _bar(label: str, row: Row) -> dict[str, Any]:
    """The data of a bar of emissions, with its texts. If all emissions are pending, the bar has no length."""
    shown = f"{tonnes(row['co2e_kg'])} t" if row["co2e_kg"] is not None else "pending"
    return {
        "label": shortened(label, _LABEL_EMS),
        "value": float(row["co2e_kg"] or 0) / 1000,
        "shown": shown,
        "complete": is_complete(row),
        "tooltip": f"{_beside(label)}: {shown}{_state(row)}",
    }


def _beside(name: str) -> str:
    """A name as it stands beside a number, which it must not turn."""
    return isolated(shortened(name, _TOOLTIP_EMS))


def _upright_bars() -> list[Mapping[str, Any]]:
    x = {
        "field": "label",
        "type": "ordinal",
        "title": None,
        "axis": {"labelAngle": 0, "labelOverlap": True},
        "scale": {"paddingInner": 0.35},
    }
    y = {"field": "value", "type": "quantitative", "title": None, "axis": None}
    return [
        {
            "mark": {"type": "bar", "cornerRadiusEnd": 2},
            "encoding": {"x": x, "y": y, **_FILL, "description": {"field": "tooltip"}},
        },
        {
            "mark": {
                "type": "text",
                "baseline": "bottom",
                "dy": -5,
                "fontSize": 11,
                "color": variable("ink"),
                "aria": False,
            },
            "encoding": {"x": x, "y": y, "text": {"field": "shown"}},
        },
    ]


def facilities(rows: Sequence[Row]) -> list[Chart]:
    """The facilities that emit most, as bars."""
    taken = [row for row in rows if row["co2e_kg"] is not None][:BARS]
    values = [{"place": place, **_bar(row["facility"], row)} for place, row in enumerate(taken)]
    return [
        _lying(
            "Facilities by emissions",
            "Tonnes of CO₂e, largest first; the table below holds the same numbers",
            values,
            _BAR,
        )
    ]


def intensity(rows: Sequence[Row]) -> list[Chart]:
    """Kilograms per cubic metre of the facilities that treat most water, as points, most intense first."""
    taken = sorted(rows[:BARS], key=lambda row: row["co2e_kg_per_m3_in"], reverse=True)
    values = [
        {
            "place": place,
            "label": shortened(row["facility"], _LABEL_EMS),
            "value": float(row["co2e_kg_per_m3_in"]),
            "shown": grouped(row["co2e_kg_per_m3_in"], 3),
            "complete": True,
            "tooltip": f"{_beside(row['facility'])}: {grouped(row['co2e_kg_per_m3_in'], 3)} kg CO₂e per m³",
        }
        for place, row in enumerate(taken)
    ]
    described = (
        "Kilograms of CO₂e per cubic metre of water in, most intense first; the table below holds the same numbers"
    )
    return [_lying("Intensity of the facilities that treat most water", described, values, _DOT)]


def _lying(title: str, description: str, values: list[dict[str, Any]], mark: Mapping[str, Any]) -> Chart:
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
    return Chart(title, description, wide, narrow)


def _places(axis: Mapping[str, Any] | None) -> Mapping[str, Any]:
    y = {"field": "place", "type": "ordinal", "title": None, "axis": axis}
    return {
        "y": y,
        "x": {"field": "value", "type": "quantitative", "title": None, "axis": None, "scale": {"zero": True}},
    }


def _lying_mark(mark: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"mark": mark, "encoding": {**_FILL, "description": {"field": "tooltip"}}}


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
