"""A list is proven only together with the rows that its filter leaves out, whatever the server shows without the filter."""

import asyncio
import json
import random
from dataclasses import dataclass, field, replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dcycle_pipeline.api.hidden_rows import read_with_hidden_rows
from dcycle_pipeline.api.types import Ask, Page, PageSink, Paging, Proof, Query
from dcycle_pipeline.errors import RejectedError
from tests.api.test_paging import TWO_SORTS, ends, happenings

ASKED = ("active", "archived")
STATUSES = (*ASKED, "review")
REQUESTS_AT_MOST = 4000


@dataclass
class Server:
    """A list in memory: id → status. `shown` are the statuses that it shows without a filter; None refuses such a list."""

    rows: dict[str, str]
    shown: tuple[str, ...] | None = STATUSES
    honoured: tuple[str, ...] = ASKED
    limit: int = 100
    past_end: str = "empty"
    shuffled: bool = False
    counts_all: bool = False
    changes: dict[int, str] = field(default_factory=dict)
    seed: int = 0
    requests: int = 0
    moments: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.moments = [dict(self.rows)]

    def _change(self, kind: str) -> None:
        if "delete" in kind and self.rows:
            del self.rows[self.random.choice(list(self.rows))]
        if "insert" in kind:
            self.rows[f"n{self.requests}"] = self.random.choice(STATUSES)
        if "delete" not in kind and self.rows:
            row, status = self.random.choice(list(self.rows)), self.random.choice(STATUSES)
            self.rows[row] = status
        self.moments.append(dict(self.rows))

    def ask(self, statuses: tuple[str, ...] | None, counted: tuple[str, ...] = STATUSES) -> Ask:
        async def ask(variant: Query, number: int) -> Page:
            await asyncio.sleep(0)
            self.requests += 1
            if (change := self.changes.get(self.requests)) is not None:
                self._change(change)
            if statuses is None:
                raise RejectedError("status[]: Field required")
            rows = [(id_, status) for id_, status in self.rows.items() if status in statuses]
            if self.shuffled:
                self.random.shuffle(rows)
            elif dict(variant).get("sort") == "b":
                rows.reverse()
            return self._page(rows, number, counted)

        return ask

    def _page(self, rows: list[tuple[str, str]], number: int, counted: tuple[str, ...]) -> Page:
        last = max(1, -(-len(rows) // self.limit))
        if number > last and self.past_end in ("404", "422"):
            raise RejectedError("past the end")
        number = min(number, last) if self.past_end == "repeat" else number
        found = rows[(number - 1) * self.limit : number * self.limit]
        counter = len(self.rows) if self.counts_all else sum(status in counted for _, status in rows)
        payload = json.dumps([{"id": id_, "status": status} for id_, status in found]).encode()
        return Page(number, tuple(id_ for id_, _ in found), {"total": counter, "size": self.limit}, payload)

    def told(self, moment: dict[str, str]) -> set[str]:
        """The rows that anybody could have been told of at a moment."""
        return {id_ for id_, status in moment.items() if status in {*self.honoured, *(self.shown or ())}}


def paging_of(statuses: frozenset[str] = frozenset()) -> Paging:
    if not statuses:
        return Paging("/list", "/list/{id}", ("total",), variants=TWO_SORTS, filter=(("status[]", "any"),))
    elsewhere = Paging("/elsewhere", "/list/{id}", ("total",), variants=TWO_SORTS)
    return replace(elsewhere, path="/list", unfiltered_elsewhere=elsewhere, statuses=statuses)


def proof_of(
    server: Server, statuses: frozenset[str] = frozenset(), counted: tuple[str, ...] = STATUSES
) -> tuple[Proof, dict[str, str]]:
    kept: list[Page] = []
    asks = server.ask(server.honoured, counted), server.ask(server.shown)
    proof = asyncio.run(read_with_hidden_rows(*asks, paging_of(statuses), PageSink(kept.append, kept.clear)))
    return proof, {item["id"]: item["status"] for page in kept for item in json.loads(page.payload)}


lists = st.lists(st.sampled_from(STATUSES), max_size=40)
shown = st.sets(st.sampled_from(STATUSES)).map(lambda them: tuple(sorted(them)))


@settings(max_examples=150)
@example(["review"] * 3, ("review",), ASKED, 1, "empty", False, {}, 0)
@example(["active", "review"], STATUSES, ASKED, 100, "empty", False, {2: "delete+insert"}, 3)
@example(["review"], ("archived", "review"), ASKED, 1, "empty", False, {2: "delete+insert"}, 132)
@given(
    listed=lists, shown=st.none() | shown, honoured=st.sampled_from([ASKED, ASKED[1:]]), limit=st.sampled_from([1, 3, 10, 100]),
    end=ends, shuffled=st.booleans(), changes=happenings, seed=st.integers(0, 999),
)  # fmt: skip
def test_what_is_proven_holds_every_row_that_the_server_tells_of(  # noqa: PLR0917 - one argument a choice
    listed: list[str], shown: tuple[str, ...] | None, honoured: tuple[str, ...], limit: int, end: str, shuffled: bool,
    changes: dict[int, str], seed: int,
) -> None:  # fmt: skip
    rows = {f"r{number}": status for number, status in enumerate(listed)}
    server = Server(rows, shown, honoured, limit, end, shuffled, changes=changes, seed=seed)
    proof, kept = proof_of(server)
    assert server.requests <= REQUESTS_AT_MOST
    if not proof.proven:
        assert proof.reason
        return
    assert proof.counter == proof.distinct
    moments = [server.told(moment) for moment in server.moments]
    assert kept.keys() in moments
    assert len(kept) == proof.distinct
    if not changes:
        assert kept.keys() == server.told(rows)


@given(listed=lists, shown=shown, limit=st.sampled_from([3, 100]), end=ends)
def test_a_server_that_behaves_is_proven_with_one_look(
    listed: list[str], shown: tuple[str, ...], limit: int, end: str
) -> None:
    rows = {f"r{number}": status for number, status in enumerate(listed)}
    server = Server(rows, shown, limit=limit, past_end=end)
    proof, kept = proof_of(server)
    assert (proof.proven, kept.keys()) == (True, server.told(rows))
    if limit == 100 and (shown == STATUSES or "review" not in rows.values()):
        assert server.requests <= 5, "a pass and what lies behind it, before a look and after it"


def test_a_counter_of_all_rows_does_not_open_a_list_of_which_the_look_shows_less() -> None:
    server = Server({"r1": "active", "r2": "active"}, shown=("active",))
    assert proof_of(server)[0].proven


def test_rows_that_the_counter_counts_and_no_look_shows_leave_the_list_unproven() -> None:
    server = Server({"r1": "active", "r2": "review"}, shown=ASKED)
    honest = server.ask(ASKED)
    server.counts_all = True

    async def filtered(variant: Query, number: int) -> Page:
        page = await honest(variant, number)
        return Page(number, page.identities, {"total": 1}, page.payload)

    sink = PageSink(lambda page: None, lambda: None)
    proof = asyncio.run(read_with_hidden_rows(filtered, server.ask(ASKED), paging_of(), sink))
    assert (proof.proven, "without a filter" in proof.reason) == (False, True)


@given(listed=lists, shown=shown, limit=st.sampled_from([3, 100]), counts_asked_only=st.booleans())
def test_a_list_whose_counters_count_some_statuses_only_is_proven_too(
    listed: list[str], shown: tuple[str, ...], limit: int, counts_asked_only: bool
) -> None:
    """The legacy list: `total` counts active facilities and `total2` archived ones, whatever it shows."""
    rows = {f"r{number}": status for number, status in enumerate(listed)}
    server = Server(rows, shown=shown, honoured=STATUSES, limit=limit)
    proof, kept = proof_of(server, frozenset(ASKED), ASKED if counts_asked_only else STATUSES)
    if limit == 100:
        assert proof.proven
    if proof.proven:
        assert kept == rows
    else:
        assert proof.reason
