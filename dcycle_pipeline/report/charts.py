"""Charts over time: months, years, intensity by year, as Vega-Lite specifications (vega.github.io/vega-lite/docs).

Texts are those of the tables, from the exact numbers, so that both agree. Floats only place marks on pixels. Drawing the
specifications belongs to `drawing`, charts that rank facilities to `rankings`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any

from dcycle_pipeline.report.answers import Answer
from dcycle_pipeline.report.cells import tonnes
from dcycle_pipeline.report.figures import Chart, Row
from dcycle_pipeline.report.marks import FILLED, bar, colors, state
from dcycle_pipeline.report.palette import variable

YEARS_ON_A_PHONE = 5  # bars of 60 pixels that fit a width of 320
_HEADROOM = 1.08  # so that the highest point is not cut off


def months(answer: Answer) -> list[Chart]:
    """A panel for each organisation, all on one scale, so that they can be compared. Hollow points are incomplete months."""
    highest = max((float(tonnes(row["co2e_kg"] or Decimal(0))) for row in answer.rows), default=0)
    panels = groupby(answer.rows, key=lambda row: row["organization_id"])
    return [_panel(answer, list(panel), highest) for _, panel in panels]


def _panel(answer: Answer, rows: Sequence[Row], highest: float) -> Chart:
    say = answer.language.say
    y = {
        "field": "tonnes",
        "type": "quantitative",
        "title": None,
        "scale": {"domain": [0, highest * _HEADROOM]},
        "axis": {"tickCount": 3, "labelExpr": _labels(answer, highest * _HEADROOM)},
    }
    spec = {
        "width": 270,
        "height": 110,
        "data": {"values": [_month(answer, row) for row in rows]},
        "encoding": {"x": _MONTHS, "y": y},
        "layer": _LINE,
    }
    described = say("Emissions by month in tonnes of CO₂e; the table below holds the same numbers")
    return Chart(rows[0]["organization"], described, spec)


def _month(answer: Answer, row: Row) -> dict[str, Any]:
    if row["co2e_kg"] is None:
        return {"month": row["month"].isoformat(), "tonnes": None}
    shown = f"{answer.text('month', row)}: {answer.text('co2e_kg', row)} t{state(row, answer.language)}"
    value = float(tonnes(row["co2e_kg"]))
    return {"month": row["month"].isoformat(), "tonnes": value, **colors(row, "paper"), "tooltip": shown}


def _labels(answer: Answer, highest: float) -> str:
    """What the axis writes, with the decimal symbol and the groups of the locale."""
    point = answer.language.decimal_symbol
    group = "" if (found := answer.language.number(1000)) == "1000" else found[1:-3]
    pattern = "',.0f'" if highest >= 10 else "',.2f'"
    return (
        f"replace(replace(replace(format(datum.value, {pattern}), /,/g, '#'), '.', '{point}'), /#/g, '{group}') + ' t'"
    )


_MONTHS = {
    "field": "month",
    "type": "temporal",
    "title": None,
    "axis": {"format": "%Y", "tickCount": "year", "grid": False, "ticks": True, "tickColor": variable("rule")},
}
_POINT = {"type": "point", "filled": False, "size": 16, "strokeWidth": 1.25, "opacity": 1}
_LINE = [
    {"mark": {"type": "area", "color": variable("accent-soft"), "opacity": 0.35, "line": False, "aria": False}},
    {"mark": {"type": "line", "color": variable("accent"), "strokeWidth": 1.75, "aria": False}},
    {
        "mark": _POINT,
        "transform": [{"filter": "datum.tonnes !== null"}],
        "encoding": {
            "fill": FILLED["fill"],
            "stroke": FILLED["stroke"],
            "description": {"field": "tooltip"},
        },
    },
]


def years(answer: Answer) -> list[Chart]:
    """A bar for each year; pale ones are incomplete years, grey ones are not over, and say which months they hold."""
    values = [bar(answer, row, _label(answer, row), answer.text("year", row)) for row in reversed(answer.rows)]
    described = answer.language.say(
        "Emissions of the group by year in tonnes of CO₂e; the table below holds the same numbers"
    )
    return [_upright(answer.language.say("Emissions by year"), described, values, len(answer.rows))]


def intensity_by_year(answer: Answer) -> list[Chart]:
    """Kilograms of CO₂e per cubic metre, a bar for each year."""
    say = answer.language.say
    values = [
        {
            "label": _label(answer, row),
            "value": float(row["co2e_kg_per_m3_in"]),
            "shown": (shown := answer.text("co2e_kg_per_m3_in", row)),
            "tooltip": f"{answer.text('year', row)}: {shown} {say('kg CO₂e per m³')}{state(row, answer.language)}",
            **colors(row, "accent-soft"),
        }
        for row in reversed(answer.rows)
        if row["co2e_kg_per_m3_in"] is not None
    ]
    described = say("Kilograms of CO₂e per cubic metre of water in, by year; the table below holds the same numbers")
    return [_upright(say("Intensity by year"), described, values, len(answer.rows))] if values else []


def _label(answer: Answer, row: Row) -> str:
    """The year; below it the months that it holds, if it is not over."""
    if not row["is_open"]:
        return answer.text("year", row)
    name = answer.language.month_name
    return f"{answer.text('year', row)}\n{name(row['first_month'])}–{name(row['last_month'])}"


def _upright(title: str, described: str, values: list[dict[str, Any]], row_count: int) -> Chart:
    wide = {"width": {"step": 64}, "height": 210, "data": {"values": values}, "layer": _BARS}
    few = values[-YEARS_ON_A_PHONE:]
    narrow = {"width": {"step": 60}, "height": 190, "data": {"values": few}, "layer": _BARS}
    return Chart(title, described, wide, narrow, row_count, len(values), len(few))


_X = {
    "field": "label",
    "type": "ordinal",
    "title": None,
    "sort": None,
    "axis": {"labelAngle": 0, "labelOverlap": True, "labelExpr": "split(datum.label, '\\n')"},
    "scale": {"paddingInner": 0.35},
}
_Y = {"field": "value", "type": "quantitative", "title": None, "axis": None}
_BARS: list[Mapping[str, Any]] = [
    {
        "mark": {"type": "bar", "cornerRadiusEnd": 2},
        "encoding": {"x": _X, "y": _Y, **FILLED, "description": {"field": "tooltip"}},
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
        "encoding": {"x": _X, "y": _Y, "text": {"field": "shown"}},
    },
]
