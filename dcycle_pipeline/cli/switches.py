"""The switches of the sandbox as people set them. What they do belongs to `sandbox`."""

from dataclasses import fields

from dcycle_pipeline.cli import console, tables
from dcycle_pipeline.sandbox import DEFORMATIONS, FAULT_KINDS, Behaviour, Fault

# Of switches that take more than a word or a number.
EXAMPLES = {
    "faults": "fault=429,times=2",
    "denied": "denied=ID:403",
    "malformed": "malformed=ID:missing_id",
    "endless": "endless=ID:rows",
    "mutations": "mutation=3,delete,count=2",
    "churn": "churn=7,5,mixed",
    "hidden_by_default": "hidden_by_default=error",
    "malformed_kinds": "malformed_kinds=missing_id",
}


def tell_switches() -> None:
    """Every switch of `--behave`: its value if it is not set or an example, and what it does."""
    defaults = vars(Behaviour())
    rows = [
        {"switch": EXAMPLES.get(name) or f"{name}={_as_word(defaults[name])}", "what it does": meaning}
        for name, meaning in Behaviour.switches().items()
    ]
    tables.table("Switches of --behave: an example, or the value that is taken if none is given", rows)
    console.show(f"fault= begins with one of: {', '.join(FAULT_KINDS)}.")
    console.show(f"Then it takes any of these as name=value: {', '.join(each.name for each in fields(Fault)[1:])}.")
    console.show(f"malformed= ends with one of: {', '.join(DEFORMATIONS)}.")


def _as_word(value: object) -> str:
    return (
        str(value).lower()
        if isinstance(value, bool) or value is None
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )
