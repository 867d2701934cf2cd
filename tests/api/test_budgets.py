"""A list that never ends does end: unproven, with the budget that was used up, and never with a wrong proof."""

import asyncio
from dataclasses import dataclass, replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcycle_pipeline.api.hidden_rows import read_with_hidden_rows
from dcycle_pipeline.api.meter import Limits, Meter
from dcycle_pipeline.api.paging import PAGES_AT_ONCE
from dcycle_pipeline.api.types import Page, PageSink, Paging, Proof, Query
from dcycle_pipeline.settings.budgets import Budgets
from tests.api.test_paging import TWO_SORTS, Server, assert_sound, lists

KINDS = ("rows", "growing", "growing counter", "repeating", "one new row a pass")
LARGE = 10**17


@dataclass
class Endless:
    """A list that never ends in one of the KINDS. Each request takes a second; `held` is the most rows that any page had."""

    kind: str
    size: int = 100
    requests: int = 0
    served: int = 0
    held: int = 0
    passes: int = 0

    def clock(self) -> float:
        return float(self.requests)

    async def ask(self, _: Query, number: int) -> Page:
        await asyncio.sleep(0)
        self.requests += 1
        self.passes += number == 1
        rows = {
            "growing": [f"r{number}-{row}" for row in range(self.size * number)],
            "repeating": [f"r{number % 3}-{row}" for row in range(self.size)],
            "one new row a pass": [f"p{self.passes}", *(f"r{row}" for row in range(self.size))],
        }.get(self.kind, [f"r{number}-{row}" for row in range(self.size)])
        counter = self.size * (number + 1) if self.kind == "growing counter" else LARGE
        self.held = max(self.held, len(rows))
        self.served += len(rows)
        return Page(number, tuple(rows), {"total": counter, "size": self.size}, ",".join(rows).encode())


@dataclass
class Landed:
    """Counts what lies on the disk."""

    rows: int = 0
    size: int = 0
    most: int = 0

    def keep(self, page: Page) -> None:
        self.rows += len(page.identities)
        self.size += len(page.payload)
        self.most = max(self.most, self.size)

    def restart(self) -> None:
        self.rows = self.size = 0


def proof_of(server: Endless | Server, budgets: Budgets, *, run_ends_at: float = inf) -> tuple[Proof, Landed]:
    landed, clock = Landed(), lambda: float(server.requests)
    paging = Paging("/list", "/list/{id}", ("total",), variants=TWO_SORTS, filter=(("status[]", "any"),))
    meter = Meter(Limits(budgets, clock, run_ends_at))

    async def ask(variant: Query, number: int) -> Page:
        page = await server.ask(variant, number)
        return replace(page, payload=b"[%b]" % b",".join(b'"%b"' % name.encode() for name in page.identities))

    sink = PageSink(landed.keep, landed.restart)
    return asyncio.run(read_with_hidden_rows(ask, ask, paging, sink, meter=meter)), landed


@pytest.mark.parametrize(
    ("name", "budgets"),
    [
        ("DCYCLE_LIST_PAGES", Budgets(list_pages=20)),
        ("DCYCLE_LIST_ROWS", Budgets(list_rows=700)),
        ("DCYCLE_LIST_MB", Budgets(list_mb=0.01)),
        ("DCYCLE_LIST_MINUTES", Budgets(list_minutes=0.5)),
    ],
)
@pytest.mark.parametrize("kind", ["rows", "growing"])
def test_each_budget_ends_an_endless_list_and_is_named(kind: str, name: str, budgets: Budgets) -> None:
    server = Endless(kind)
    proof, _ = proof_of(server, budgets)
    assert (proof.proven, name in proof.reason) == (False, True)
    assert f"raise {name}" in proof.reason
    assert server.requests <= 40


def test_a_list_ends_with_the_time_of_its_organisation() -> None:
    """Which other lists may have used, on another connection."""
    server, minutes = Endless("rows"), Budgets(organization_minutes=1)
    limits = Limits(minutes, lambda: float(server.requests))
    with limits.stopwatch.running("other"):
        mine, other = Meter(limits, "mine"), Meter(limits, "other")
        while server.requests < 59:
            asyncio.run(server.ask((), 1))
        assert (mine.used_up(0), other.used_up(0)) == ("", "")
        asyncio.run(server.ask((), 1))
        assert not mine.used_up(0)
        assert "raise DCYCLE_ORGANIZATION_MINUTES" in other.used_up(0)
    assert "DCYCLE_ORGANIZATION_MINUTES (1) is used up" in Meter(limits, "other").used_up(0), (
        "a new list has no more time"
    )


def test_a_list_ends_with_the_time_of_its_run() -> None:
    proof, _ = proof_of(Endless("rows"), Budgets(), run_ends_at=25)
    assert (proof.proven, "DCYCLE_RUN_HOURS" in proof.reason) == (False, True)


@settings(max_examples=60)
@given(
    kind=st.sampled_from(KINDS), size=st.integers(1, 100), pages=st.integers(1, 60), rows=st.integers(1, 5_000),
    kilobytes=st.integers(1, 100), minutes=st.floats(0.01, 5), run_ends_at=st.sampled_from([0.0, 10.0, inf]),
)  # fmt: skip
def test_an_endless_list_ends_within_its_budgets(  # noqa: PLR0917 - one argument a choice
    kind: str, size: int, pages: int, rows: int, kilobytes: int, minutes: float, run_ends_at: float
) -> None:
    server = Endless(kind, size)
    budgets = Budgets(list_pages=pages, list_rows=rows, list_mb=kilobytes / 1000, list_minutes=minutes)
    proof, landed = proof_of(server, budgets, run_ends_at=run_ends_at)
    assert not proof.proven
    assert proof.reason
    assert server.requests <= min(pages, minutes * 60 + PAGES_AT_ONCE, run_ends_at + PAGES_AT_ONCE) + 1
    # What is under way when a budget is used up still arrives.
    assert proof.distinct <= rows + PAGES_AT_ONCE * server.held
    assert landed.most <= kilobytes * 1000 + PAGES_AT_ONCE * server.held * len('"r200-20000",')


@settings(max_examples=60)
@given(
    listed=lists, changes=st.dictionaries(st.integers(1, 40), st.sampled_from(["insert", "delete"]), max_size=3),
    pages=st.integers(1, 60), rows=st.integers(1, 500), kilobytes=st.integers(1, 5), seconds=st.integers(1, 60),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_whatever_the_budgets_are_what_is_proven_was_once_the_whole_list(  # noqa: PLR0917 - one argument a choice
    listed: tuple[int, int], changes: dict[int, str], pages: int, rows: int, kilobytes: int, seconds: int, seed: int
) -> None:
    size, limit = listed
    server = Server([f"r{i}" for i in range(size)], limit, changes=changes, seed=seed)
    budgets = Budgets(list_pages=pages, list_rows=rows, list_mb=kilobytes / 1000, list_minutes=seconds / 60)
    proof, landed = proof_of(server, budgets)
    assert server.requests <= pages
    kept = {identity for moment in server.moments for identity in moment}
    assert_sound(server, proof, kept)
    if proof.proven:
        assert landed.rows >= proof.distinct


@pytest.mark.parametrize("size", [1, 100, 101, 350])
def test_a_list_that_just_fits_is_proven(size: int) -> None:
    """A pass, a look without the filter, a pass again, and what lies behind the last page."""
    fits = Budgets(list_pages=3 * -(-size // 100) + 1, list_rows=size)
    assert proof_of(Server([f"r{i}" for i in range(size)]), fits)[0].proven
    for pages in range(1, fits.list_pages):
        proof, _ = proof_of(Server([f"r{i}" for i in range(size)]), fits.model_copy(update={"list_pages": pages}))
        assert (proof.proven, "DCYCLE_LIST_PAGES" in proof.reason) == (False, True)
