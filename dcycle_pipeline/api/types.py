"""What the read of a list takes and gives: how its pages are asked for, the pages, and the proof. Reading belongs to `paging`."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

PAGE_SIZE = 100  # the most that lists allow (code.dcycle.io/api-reference/introduction)

Query = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Paging:
    """How the list of an endpoint is asked for, and which of its counters proves that all of it came.

    `variants` are query parts that passes take in turn, because one sort order alone may hide rows.
    `counters` are the envelope's fields whose sum is the number of rows that exist.
    `floor` are other counters. Their sum is never above that number, which shows a counter that is too low.
    `detail_path` is the address of one item, with `{id}`; `needs_user_id` is true if the list needs DCYCLE_USER_ID.
    `filter` is the part of the query that leaves rows out; `unfiltered_elsewhere` is another list that leaves out none.
    `statuses` are those that the counters count; empty if they count every row that matches. Then rows of the list elsewhere
    with one of them are no rows of this list. `counted` are counters that no filter changes, each with the statuses that it counts.
    """

    path: str
    detail_path: str
    counters: tuple[str, ...]
    floor: tuple[str, ...] = ()
    query: Query = (("size", str(PAGE_SIZE)),)
    variants: tuple[Query, ...] = ((),)
    needs_user_id: bool = False
    filter: Query = ()
    unfiltered_elsewhere: "Paging | None" = None
    statuses: frozenset[str] = frozenset()
    counted: tuple[tuple[str, frozenset[str]], ...] = ()

    @property
    def unfiltered(self) -> "Paging | None":
        """How to ask for every row that the API shows, whatever its status; None if the list itself does."""
        return replace(self, filter=(), floor=()) if self.filter else self.unfiltered_elsewhere


@dataclass(frozen=True)
class Page:
    """One answer: the identity of each item in order, the envelope without items, and the `payload` to land (a JSON array).

    `statuses` says how many items have each status.
    """

    number: int
    identities: tuple[str, ...]
    envelope: Mapping[str, Any]
    payload: bytes
    statuses: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Proof:
    """What the read of a list found: rows landed (repetitions included), distinct ids, the API's counter, passes and pages.

    `reason` says why the list is unproven; it is empty if the list is proven.
    """

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
    """Where the pages of a read go: `keep` takes one more, `restart` drops all before, which no longer count."""

    keep: Callable[[Page], None]
    restart: Callable[[], None]


@dataclass
class Server:
    """What all reads of one endpoint learn of the server together: the longest page, if it refused a list without filter, and which
    statuses it has `shown` in such a list. `hides_by_default` says that such a list seemed to have less than the filtered one.
    """

    longest_page: int = 0
    needs_filter: bool = False
    shown: set[str] = field(default_factory=set)
    hides_by_default: bool = False


def read_counter(envelope: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The sum of the named counters; None if one is missing or is not a count."""
    total = 0
    for name in names:
        value = envelope.get(name)
        if isinstance(value, str) and value.isdecimal():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            return None
        total += value
    return total
