"""`read_list` never calls a list proven that it has not seen whole, and always comes to an end."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dcycle_pipeline.api.paging import read_list
from dcycle_pipeline.api.types import Page, PageSink, Paging, Proof, Query, read_counter
from dcycle_pipeline.api.types import Server as Learned
from dcycle_pipeline.errors import NotFoundError, RejectedError

TWO_SORTS = ((("sort", "a"),), (("sort", "b"),))
REQUESTS_AT_MOST = 40 * 410


@dataclass
class Server:
    """A list in memory that answers pages as the real one might. `changes`: request number → what happens before it."""

    rows: list[str]
    limit: int = 100
    clamp_echo: bool = True
    past_end: str = "empty"
    shuffled: bool = False
    offset: int = 0
    errors: int = 0
    changes: dict[int, str] = field(default_factory=dict)
    seed: int = 0
    requests: int = 0
    moments: list[set[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.next_id = 10_000
        self.moments = [set(self.rows)]

    def _change(self, kind: str) -> None:
        if "delete" in kind and self.rows:
            self.rows.pop(self.random.randrange(len(self.rows)))
        if "insert" in kind:
            self.next_id += 1
            self.rows.insert(self.random.randint(0, len(self.rows)), f"r{self.next_id}")
        self.moments.append(set(self.rows))

    async def ask(self, variant: Query, number: int) -> Page:
        await asyncio.sleep(0)
        self.requests += 1
        if (change := self.changes.get(self.requests)) is not None:
            self._change(change)
        rows = self.rows.copy()
        if self.shuffled:
            self.random.shuffle(rows)
        elif dict(variant).get("sort") == "b":
            rows.sort(reverse=True)
        last = max(1, -(-len(rows) // self.limit))
        if number > last:
            if self.past_end == "404":
                raise NotFoundError("past the end")
            if self.past_end == "422":
                raise RejectedError("past the end")
            number = last if self.past_end == "repeat" else number
        found = tuple(rows[(number - 1) * self.limit : number * self.limit])
        counter = max(0, len(rows) + self.offset)
        envelope = {"total": counter, "size": self.limit if self.clamp_echo else 100}
        envelope["good"] = max(0, len(rows) - self.errors)
        return Page(number, found, envelope, ",".join(found).encode())


def proof_of(server: Server, paging: Paging, learned: Learned | None = None) -> tuple[Proof, set[str]]:
    kept: list[Page] = []
    proof = asyncio.run(read_list(server.ask, paging, PageSink(kept.append, kept.clear), learned))
    return proof, {identity for page in kept for identity in page.identities}


def paging_of(*, floor: bool = False, sorts: bool = True) -> Paging:
    counted = ("good",) if floor else ()
    return Paging("/list", "/list/{id}", ("total",), counted, (), TWO_SORTS if sorts else ((),))


def assert_sound(server: Server, proof: Proof, kept: set[str]) -> None:
    assert server.requests <= REQUESTS_AT_MOST
    if not proof.proven:
        assert proof.reason
        return
    assert proof.distinct == proof.counter
    assert any(len(moment) == proof.distinct and moment <= kept for moment in server.moments), (
        f"proven with {proof.distinct} rows, but the list held {sorted(map(len, server.moments))}"
    )


numbers = st.integers(0, 400)
limits = st.sampled_from([1, 3, 10, 50, 99, 100])
lists = limits.flatmap(lambda limit: st.tuples(st.integers(0, min(400, 12 * limit)), st.just(limit)))
ends = st.sampled_from(["empty", "repeat", "404", "422"])
happenings = st.dictionaries(st.integers(1, 40), st.sampled_from(["insert", "delete", "delete+insert"]), max_size=4)


@settings(max_examples=200)
@given(
    listed=lists, echo=st.booleans(), end=ends, shuffled=st.booleans(), offset=st.integers(0, 3),
    changes=happenings, seed=st.integers(0, 999), floor=st.booleans(), sorts=st.booleans(),
)  # fmt: skip
def test_what_is_proven_was_once_the_whole_list(  # noqa: PLR0917 - one argument a choice
    listed: tuple[int, int], echo: bool, end: str, shuffled: bool, offset: int, changes: dict[int, str], seed: int,
    floor: bool, sorts: bool,
) -> None:  # fmt: skip
    size, limit = listed
    rows = [f"r{i}" for i in range(size)]
    server = Server(rows, limit, echo, end, shuffled, offset, 0, changes, seed)
    assert_sound(server, *proof_of(server, paging_of(floor=floor, sorts=sorts)))


@settings(max_examples=200)
@example(listed=(11, 10), echo=False, end="empty", offset=-1, errors=1, floor=True)
@given(
    listed=lists, echo=st.booleans(), end=st.sampled_from(["empty", "404", "422"]),
    offset=st.integers(-3, -1), errors=st.integers(0, 3), floor=st.booleans(),
)  # fmt: skip
def test_a_counter_that_is_too_low_is_found_out(  # noqa: PLR0917 - one argument a choice
    listed: tuple[int, int], echo: bool, end: str, offset: int, errors: int, floor: bool
) -> None:
    """A stable order and a server that shows what lies behind the last page: then nothing excuses a missing row."""
    size, limit = listed
    server = Server([f"r{i}" for i in range(size)], limit, echo, end, offset=offset, errors=min(errors, size))
    assert_sound(server, *proof_of(server, paging_of(floor=floor)))


@given(size=numbers, limit=st.sampled_from([10, 50, 100]), echo=st.booleans(), end=ends, seed=st.integers(0, 99))
def test_a_server_that_behaves_is_always_proven(size: int, limit: int, echo: bool, end: str, seed: int) -> None:
    server = Server([f"r{i}" for i in range(size)], limit, echo, end, seed=seed)
    proof, kept = proof_of(server, paging_of(floor=True))
    assert (proof.proven, proof.distinct, len(kept)) == (True, size, size)


@pytest.mark.parametrize("size", [101, 250, 1037])
def test_ties_in_a_new_order_at_every_request_are_proven_in_the_end(size: int) -> None:
    server = Server([f"r{i}" for i in range(size)], shuffled=True)
    proof, kept = proof_of(server, paging_of())
    assert (proof.proven, len(kept)) == (True, size)


@pytest.mark.parametrize("at", range(2, 12))
def test_a_deletion_and_an_insertion_that_leave_the_counter_alone_are_not_mistaken_for_completeness(at: int) -> None:
    server = Server([f"r{i}" for i in range(350)], changes={at: "delete+insert"}, seed=at)
    assert_sound(server, *proof_of(server, paging_of()))


def test_a_counter_far_too_high_ends_unproven_after_few_requests() -> None:
    server = Server([f"r{i}" for i in range(10)], offset=10**12, past_end="repeat")
    proof, _ = proof_of(server, paging_of())
    assert not proof.proven
    assert server.requests < 50


def test_a_list_without_counter_is_not_proven() -> None:
    server = Server(["r1"])
    proof, _ = proof_of(server, Paging("/l", "/l/{id}", ("missing",)))
    assert not proof.proven
    assert "missing" in proof.reason


def test_an_empty_list_is_proven_with_one_request() -> None:
    server = Server([])
    proof, _ = proof_of(server, paging_of())
    assert (proof.proven, server.requests) == (True, 1)


def test_a_list_shorter_than_a_page_seen_before_costs_one_request() -> None:
    server, longer = Server(["r1", "r2"]), Learned(longest_page=3)
    assert proof_of(server, paging_of(floor=True), longer)[0].proven
    assert server.requests == 1


def test_the_longest_page_so_far_may_be_a_clamped_one() -> None:
    server = Server(["r1", "r2"])
    assert proof_of(server, paging_of(floor=True), Learned(longest_page=2))[0].proven
    assert server.requests == 2


@pytest.mark.parametrize("value", [None, True, -1, 1.0, "x", "", [], "-1"])
def test_what_is_no_count_is_no_counter(value: object) -> None:
    assert read_counter({"total": value}, ("total",)) is None


def test_counters_add_up() -> None:
    assert read_counter({"total": 8, "total2": "2"}, ("total", "total2")) == 10
