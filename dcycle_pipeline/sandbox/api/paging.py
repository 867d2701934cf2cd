"""From all rows of a list to one page: the order of ties, the size, the counter, the end, and the text of the answer.

Which rows a list has, and in which order, belongs to the module of its endpoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from starlette.datastructures import QueryParams

from dcycle_pipeline.sandbox.api.refusals import invalid, missing, no_such_page
from dcycle_pipeline.sandbox.faults.behaviour import Behaviour
from dcycle_pipeline.sandbox.world.chance import dice
from dcycle_pipeline.sandbox.world.items import encode

# code.dcycle.io/api-reference/introduction: 100 rows a page at most.
LARGEST = 100
Row = tuple[object, str]
"""Sort value and id."""


@dataclass(frozen=True)
class Asked:
    """What a request asks for: which page, from 1, and how many rows."""

    page: int
    size: int


@dataclass(frozen=True)
class ServedPage:
    """The rows of an answer and what its envelope says of them."""

    rows: Sequence[Row]
    number: int
    size: int
    """The size that the answer names, which may not be the one it has."""
    counter: int
    """How many rows the list has, as the answer claims."""

    @property
    def pages(self) -> int:
        """The number of pages that counter and size make."""
        return -(-self.counter // self.size)


def asked_page(query: QueryParams, default_size: int, behaviour: Behaviour) -> Asked:
    """Reads `page` and `size`. Raises a 422 Refusal if they are not whole numbers from 1, or the size is too large."""
    page = _positive(query, "page", 1)
    size = _positive(query, "size", default_size)
    if size > LARGEST and behaviour.max_size is None:
        message = f"Input should be less than or equal to {LARGEST}"
        raise invalid("query", "size", message, str(size), "less_than_equal")
    return Asked(page, size)


@dataclass(frozen=True)
class Statuses:
    """The statuses that a list shows: those that `status[]` asks for; without it, all that are not hidden."""

    asked: frozenset[str]
    only_active: bool
    hidden: frozenset[str]

    def __contains__(self, status: str) -> bool:
        if self.asked:
            return status in self.asked
        return status not in self.hidden and (status == "active" or not self.only_active)


def wanted_statuses(query: QueryParams, known: Sequence[str], behaviour: Behaviour) -> Statuses:
    """What a request says of statuses. Raises a 422 Refusal of one that is not known, and of none if one is needed."""
    asked = query.getlist("status[]")
    for status in asked:
        if status not in known:
            raise invalid("query", "status[]", f"Input should be one of {', '.join(known)}", status, "enum")
    if not asked and behaviour.filter_needed:
        raise missing("query", "status[]")
    return Statuses(frozenset(asked), behaviour.only_active_by_default, frozenset(behaviour.hidden_by_default))


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
    """The rows as this request gets them: as they are, or those of equal sort value shuffled."""
    if behaviour.ties == "stable":
        return rows
    random = dice(behaviour.seed, request_number)
    ties = [list(rows)] if one_tie else [list(tie) for _, tie in groupby(rows, key=lambda row: row[0])]
    for tie in ties:
        random.shuffle(tie)
    return [row for tie in ties for row in tie]


def cut_page(rows: Sequence[Row], asked: Asked, behaviour: Behaviour) -> ServedPage:
    """The rows of the page asked for. Raises a Refusal past the end if the behaviour says so."""
    size = min(asked.size, behaviour.max_size or LARGEST)
    last = max(1, -(-len(rows) // size))
    number = asked.page
    if number > last:
        if behaviour.past_end in ("404", "422"):
            raise no_such_page(int(behaviour.past_end), number)
        number = last if behaviour.past_end == "repeat" else number
    echoed = size if behaviour.clamp_echo else asked.size
    counter = max(0, len(rows) + behaviour.counter_offset)
    if number > last and behaviour.past_end == "uncounted":
        counter = 0
    return ServedPage(rows[(number - 1) * size : number * size], asked.page, echoed, counter)


def page_text(texts: Sequence[bytes], envelope: dict[str, int], behaviour: Behaviour) -> bytes:
    """The JSON of an answer from the JSON of its items and the other keys."""
    items = texts[0] if behaviour.items_as_object and len(texts) == 1 else b"[" + b",".join(texts) + b"]"
    return b'{"items":' + items + b"," + encode(envelope)[1:]
