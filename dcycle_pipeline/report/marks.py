"""What all charts share: how complete a figure is, in colour and in words, and names as they stand beside numbers."""

from decimal import Decimal
from typing import Any

from dcycle_pipeline.report.answers import Answer
from dcycle_pipeline.report.cells import tonnes
from dcycle_pipeline.report.figures import Row
from dcycle_pipeline.report.labels import shortened
from dcycle_pipeline.report.language import Language
from dcycle_pipeline.report.palette import variable
from dcycle_pipeline.text import isolated

LABEL_EMS = 20  # of 12 pixels: half of a wide page
_TOOLTIP_EMS = 60
FILLED = {
    "fill": {"field": "fill", "type": "nominal", "scale": None},
    "stroke": {"field": "stroke", "type": "nominal", "scale": None},
    "strokeWidth": {"value": 1},
}
BAR_LEGEND = (
    ("complete", "complete"),
    ("incomplete", "incomplete: days without a record, pending emissions or what was not received would add to it"),
)
INTENSITY_LEGEND = (
    ("complete", "complete"),
    (
        "incomplete",
        "incomplete: days without a record, months with pending records or what was not received are not in it",
    ),
)
OPEN_YEAR = ("open", "not over yet when this was published")


def is_complete(row: Row) -> bool:
    """Whether all was received, nothing is pending and every expected day is covered: nothing that is missing can move the figure."""
    lacks = row["missing_member_count"] or row["pending_record_count"]
    return not lacks and row["covered_days"] == row["due_days"]


def colors(row: Row, incomplete: str) -> dict[str, str]:
    """The colours of a mark: grey if its period is not over, and if it is incomplete, `incomplete`."""
    if row.get("is_open"):
        return {"fill": variable("open"), "stroke": variable("muted")}
    return {"fill": variable("accent" if is_complete(row) else incomplete), "stroke": variable("accent")}


def state(row: Row, language: Language) -> str:
    """What is missing in a figure, in words within brackets; empty if nothing is."""
    missing = []
    if row.get("is_open"):
        missing.append("not over yet")
    if row["missing_member_count"]:
        missing.append("not received completely")
    if row["pending_record_count"]:
        missing.append("emissions pending")
    if row["covered_days"] != row["due_days"]:
        missing.append("days without a record")
    return f" ({', '.join(map(language.say, missing))})" if missing else ""


def beside(name: str) -> str:
    """A name as it stands beside a number, which it must not turn."""
    return isolated(shortened(name, _TOOLTIP_EMS))


def bar(answer: Answer, row: Row, label: str, name: str = "") -> dict[str, Any]:
    """The data of a bar of emissions, with its texts. If all emissions are pending, the bar has no length."""
    emitted = row["co2e_kg"]
    shown = answer.text("co2e_kg", row) + (" t" if emitted is not None else "")
    return {
        "label": label,
        "value": float(tonnes(emitted or Decimal(0))),
        "shown": shown,
        "tooltip": f"{beside(name or label)}: {shown}{state(row, answer.language)}",
        **colors(row, "accent-soft"),
    }
