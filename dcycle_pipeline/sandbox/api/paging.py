"""From all rows of a list to one page: order of ties, size, counters, the end, and the text of the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from starlette.datastructures import QueryParams

from dcycle_pipeline.sandbox.api.refusals import invalid, no_such_page
from dcycle_pipeline.sandbox.faults.behaviour import Behaviour
from dcycle_pipeline.sandbox.world.chance import dice
from dcycle_pipeline.sandbox.world.items import encode

LARGEST = 100
Row = tuple[object, str]
"""Sort value and id."""


@dataclass(frozen=True)
class Asked:
    page: int
    size: int


@dataclass(frozen=True)
class ServedPage:
    rows: Sequence[Row]
    number: int
    size: int
    """As echoed."""
    counter: int
    """The rows there are, or what the server claims."""

    @property
    def pages(self) -> int:
        return -(-self.counter // self.size)


def asked_page(query: QueryParams, default_size: int, behaviour: Behaviour) -> Asked:
    page = _positive(query, "page", 1)
    size = _positive(query, "size", default_size)
    if size > LARGEST and behaviour.max_size is None:
        message = f"Input should be less than or equal to {LARGEST}"
        raise invalid("query", "size", message, str(size), "less_than_equal")
    return Asked(page, size)


def _positive(query: QueryParams, name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        message = "Input should be a valid integer, unable to parse string as an integer"
        raise invalid("query", name, message, text, "int_parsing") from None
    if value < 1:
        raise invalid("query", name, "Input should be greater than or equal to 1", text, "greater_than_equal")
    return value


def tied_rows(rows: Sequence[Row], behaviour: Behaviour, request_number: int, *, one_tie: bool) -> Sequence[Row]:
    """The rows in the order of this very request."""
    if behaviour.ties == "stable":
        return rows
    random = dice(behaviour.seed, request_number)
    ties = [list(rows)] if one_tie else [list(tie) for _, tie in groupby(rows, key=lambda row: row[0])]
    for tie in ties:
        random.shuffle(tie)
    return [row for tie in ties for row in tie]


def cut(rows: Sequence[Row], asked: Asked, behaviour: Behaviour) -> ServedPage:
    size = min(asked.size, behaviour.max_size or LARGEST)
    last = max(1, -(-len(rows) // size))
    number = asked.page
    if number > last:
        if behaviour.past_end in ("404", "422"):
            raise no_such_page(int(behaviour.past_end), number)
        number = last if behaviour.past_end == "repeat" else number
    echoed = size if behaviour.clamp_echo else asked.size
    counter = max(0, len(rows) + behaviour.counter_offset)
    return ServedPage(rows[(number - 1) * size : number * size], asked.page, echoed, counter)


def page_text(texts: Sequence[bytes], envelope: dict[str, int], behaviour: Behaviour) -> bytes:
    items = texts[0] if behaviour.items_as_object and len(texts) == 1 else b"[" + b",".join(texts) + b"]"
    return b'{"items":' + items + b"," + encode(envelope)[1:]
