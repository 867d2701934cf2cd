"""Reads a Behaviour from text, one `name=value` for each switch, for the command line.

What the switches mean belongs to `behaviour`. Compound values:

  fault=429,probability=0.1,times=2,retry_after=seconds   (may be repeated; any field of Fault)
  denied=<organisation or facility id>:403                (may be repeated)
  malformed=<record or facility id>:missing_id            (may be repeated)
  endless=<facility or organisation id>:rows              (may be repeated; new rows on every page)
  mutation=3,delete[,facility_id=...][,count=2]           (may be repeated; just before the third answer of a list)
  churn=7,5,mixed                                         (seed, every 5 list requests, kind)
"""

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from dcycle_pipeline.sandbox.faults.behaviour import Behaviour
from dcycle_pipeline.sandbox.faults.matching import Fault
from dcycle_pipeline.sandbox.world.mutations import Mutation

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_REPEATED = {"fault": "faults", "mutation": "mutations"}


def parse_behaviour(words: Sequence[str]) -> Behaviour:
    """The behaviour that `name=value` texts describe. Raises ValueError if a name or a value is unknown.

    >>> parse_behaviour(["max_size=50", "denied=facility-1:403"]) == Behaviour(max_size=50, denied={"facility-1": 403})
    True
    """
    values: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = _REPEATED.get(name, name)
        if not equals or name not in Behaviour.switches():
            raise ValueError(f"{word!r} is not name=value of a known switch: {', '.join(Behaviour.switches())}")
        try:
            value = _READERS[name](text.strip())
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{word!r} cannot be read: {error}") from error
        if isinstance(value, dict):
            value = values.get(name, {}) | value
        elif name in _REPEATED.values():
            value = (*values.get(name, ()), value)
        values[name] = value
    return Behaviour(**values)


def _truth(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise ValueError(f"expected true or false, not {text!r}")
    return text.lower() in _TRUE


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"expected a whole number, not {text!r}") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"expected a number, not {text!r}") from None


def _whole_or_none(text: str) -> int | None:
    return None if text.lower() == "none" else _whole(text)


def _fault(text: str) -> Fault:
    kind, options = _options(text)
    return Fault(kind[0], **{name: _typed(_FAULT_TYPES, name, value) for name, value in options.items()})


def _mutation(text: str) -> Mutation:
    words, options = _options(text)
    if len(words) != 2:
        raise ValueError("expected when and what, as in mutation=3,delete,count=2")
    after, action = words
    typed = {name: _typed(_MUTATION_TYPES, name, value) for name, value in options.items()}
    return Mutation(_whole(after), action, **typed)


def _churn(text: str) -> tuple[int, int, str]:
    parts = text.split(",")
    if len(parts) != 3:
        raise ValueError("expected seed, how often and what, as in churn=7,5,mixed")
    return _whole(parts[0]), _whole(parts[1]), parts[2]


def _denied(text: str) -> dict[str, int]:
    id_, _, status = text.rpartition(":")
    return {id_: _whole(status)}


def _malformed(text: str) -> dict[str, str]:
    id_, _, how = text.rpartition(":")
    return {id_: how}


def _options(text: str) -> tuple[list[str], dict[str, str]]:
    parts = text.split(",")
    options = dict(part.split("=", 1) for part in parts if "=" in part)
    return [part for part in parts if "=" not in part], options


def _typed(types: dict[str, Callable[[str], Any]], name: str, value: str) -> Any:
    if name not in types:
        raise ValueError(f"unknown option {name!r}; known: {', '.join(types)}")
    return types[name](value)


_FAULT_TYPES: dict[str, Callable[[str], Any]] = {
    "organization_id": str,
    "facility_id": str,
    "path": str,
    "page": _whole,
    "probability": _number,
    "times": _whole_or_none,
    "retry_after": str,
    "retry_after_seconds": _whole,
    "seconds": _number,
    "location": str,
    "chunked": _truth,
}
_MUTATION_TYPES: dict[str, Callable[[str], Any]] = {
    "facility_id": str,
    "organization_id": str,
    "path": str,
    "count": _whole,
    "seed": _whole,
}
_COMPOUND: dict[str, Callable[[str], Any]] = {
    "max_size": _whole_or_none,
    "token_requests": _whole_or_none,
    "faults": _fault,
    "mutations": _mutation,
    "churn": _churn,
    "denied": _denied,
    "malformed": _malformed,
    "endless": _malformed,
    "malformed_kinds": lambda text: tuple(text.split(",")),
    "hidden_by_default": lambda text: tuple(text.split(",")),
}
_PLAIN: dict[type, Callable[[str], Any]] = {bool: _truth, int: _whole, float: _number, str: str}
_READERS = _COMPOUND | {
    switch.name: _PLAIN[type(switch.default)] for switch in fields(Behaviour) if switch.name not in _COMPOUND
}
