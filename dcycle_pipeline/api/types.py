"""What the read of a list is given and gives back: how its pages are asked for, the pages, and the proof."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

PAGE_SIZE = 100

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Paging:
    """How the list of an endpoint is asked for, and which of its counters proves that all of it came.

    `variants` are query parts that are taken in turn, pass by pass, where the first alone does not give every row;
    `counters` are the envelope's fields whose sum is the number of rows that exist; `floor` are other counters whose
    sum can never be above that, which unmasks a counter that is too low.
    """

    path: str
    detail_path: str
    counters: tuple[str, ...]
    floor: tuple[str, ...] = ()
    query: Query = ()
    variants: tuple[Query, ...] = ((),)
    needs_user_id: bool = False


@dataclass(frozen=True)
class Page:
    """One answer: the identity of each item in order, the envelope without items, and what is to be kept of it."""

    number: int
    identities: tuple[str, ...]
    envelope: Mapping[str, Any]
    payload: bytes


@dataclass(frozen=True)
class Proof:
    """What the read of a list can say: rows received, distinct ids, the API's counter. `reason` is empty if it is proven."""

    proven: bool
    reason: str
    counter: int | None
    rows: int
    distinct: int
    passes: int
    pages: int


Ask = Callable[[Query, int], Awaitable[Page]]


@dataclass
class PageSink:
    """Where the pages of a read go: `keep` one more, or `restart` because what was kept no longer counts."""

    keep: Callable[[Page], None]
    restart: Callable[[], None]


@dataclass
class Server:
    """What all reads of one endpoint learn of the server together: the longest page that it gave."""

    longest_page: int = 0


def read_counter(envelope: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The sum of the named counters; None where one is missing or no count."""
    total = 0
    for name in names:
        value = envelope.get(name)
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            return None
        total += value
    return total
