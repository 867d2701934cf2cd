"""Whatever moves, hides or is denied: the kilograms are the world's, or each row that differs is named.

The history model judges every version; this model judges what a person signs. Its worlds have organisations that trade facilities
and records, soft deletions, unusable parents, refusals where the API said "not found" before, and a clock that steps.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import Phase, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dcycle_pipeline.sandbox import Behaviour, Fault, Sandbox
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import last_sweeps
from tests.conftest import CHILD, FEW, ROOT, Published, Synced, only, settings_for, steps
from tests.properties.model.changes import THIRD
from tests.warehouse.test_history import Veiled

ORGANIZATIONS = (ROOT, CHILD, THIRD)
# What may be answered for a row's own page, and for a list.
INSTEAD = ("403", "foreign", "404", "no_route", "410", "500", "401")
SPOILED = ("not_an_object", "missing_id", "unknown_status", "number_garbage", "null_item")
SECONDS = (0, 0, 0, 5, -5, 3600, -86400, 400 * 86400)
TOTAL = "SELECT coalesce(sum(co2e_kg), 0) FROM summaries.emissions_by_facility_month"
MOVED = "SELECT coalesce(sum(co2e_kg), 0) FROM summaries.restatements WHERE published_at > ? AND published_at <= ?"
LISTED = """SELECT waste_water_treatment_id, organization_id, facility_id, co2e_kg FROM dcycle.waste_water_treatments"""

Row = tuple[str, str, Decimal]


@dataclass
class Account:
    """A group of three organisations, and how its API shows it."""

    world: Veiled = field(default_factory=lambda: Veiled(ROOT, "Holding X"))
    behaviour: Behaviour = field(default_factory=Behaviour)
    count: int = 0
    gone: set[str] = field(default_factory=set)  # hidden facilities of which the API said that there are none

    def __post_init__(self) -> None:
        for organization in ORGANIZATIONS[1:]:
            self.world.add_organization(organization, f"Water {organization[0]}", ROOT)
        for which, organization in enumerate((ROOT, CHILD, CHILD, THIRD)):
            self.world.add_facility(organization, id=f"f-{which}")
            self.add(which, which)
            self.add(which, which + 1)

    def change(self, name: str, which: int, other: int) -> None:
        """Do one of CHANGES; nothing where the world has nothing of the kind."""
        getattr(self, name)(which, other)

    def _facility(self, which: int) -> str:
        there = sorted(self.world._sites)
        return there[which % len(there)]

    def _record(self, which: int) -> dict[str, Any] | None:
        there = sorted(self.world._records)
        return self.world.find_record(there[which % len(there)]) if there else None

    def add(self, which: int, other: int) -> None:
        self.count += 1
        days = f"20{20 + self.count % 6}-01-01", f"20{20 + self.count % 6}-02-{1 + other % 28:02}"
        self.world.add_record(
            self._facility(which), id=f"w-{self.count}", co2e=f"{other}.5", start_date=days[0], end_date=days[1]
        )

    def add_facility(self, which: int, other: int) -> None:
        self.count += 1
        self.world.add_facility(ORGANIZATIONS[which % 3], id=f"f-{self.count + 100}")

    def recalculate(self, which: int, other: int) -> None:
        if record := self._record(which):
            self.world.recalculate_record(record["id"], f"{other}.25")

    def delete(self, which: int, other: int) -> None:
        if record := self._record(which):
            self.world.delete_record(record["id"])

    def delete_facility(self, which: int, other: int) -> None:
        if len(self.world._sites) > 1:
            self.world.delete_facility(self._facility(which))

    def move_facility(self, which: int, other: int) -> None:
        self.world.move_facility(self._facility(which), ORGANIZATIONS[other % 3])

    def move_record(self, which: int, other: int) -> None:
        if record := self._record(which):
            self.world.delete_record(record["id"])
            kept = {name: value for name, value in record.items() if name != "facility_id"}
            self.world.add_record(self._facility(other), **kept)

    def hide_record(self, which: int, other: int) -> None:
        """It leaves its list and keeps its own page."""
        if record := self._record(which):
            self.world.veil(record["id"], record["facility_id"])

    def hide_facility(self, which: int, other: int) -> None:
        facility = self._facility(which)
        self.world.veil(facility, facility)

    def show(self, which: int, other: int) -> None:
        self.world.unveil()

    def spoil_facility(self, which: int, other: int) -> None:
        self._spoil(self._facility(which), other)

    def spoil_record(self, which: int, other: int) -> None:
        if record := self._record(which):
            self._spoil(record["id"], other)

    def _spoil(self, id_: str, other: int) -> None:
        how = SPOILED[other % len(SPOILED)]
        self.behaviour = replace(self.behaviour, malformed={**self.behaviour.malformed, id_: how})

    def deny(self, which: int, other: int) -> None:
        """An organisation or a facility. A denied root is an account without access, which is no question of kilograms."""
        ids = [*ORGANIZATIONS[1:], *sorted(self.world._sites)]
        denied = {**self.behaviour.denied, ids[which % len(ids)]: (401, 403, 404)[other % 3]}
        self.behaviour = replace(self.behaviour, denied=denied)

    def answer_otherwise(self, which: int, other: int) -> None:
        """For the own pages of rows, or for one list."""
        facility = self._facility(which)
        place: dict[str, Any] = (
            {"path": "/v1/waste-water-treatments/w-"},
            {"path": "/v1/facilities/f-"},
            {"path": "/v1/waste-water-treatments", "facility_id": facility},
        )[which % 3]
        fault = Fault(INSTEAD[other % len(INSTEAD)], **place)
        self.behaviour = replace(self.behaviour, faults=(*self.behaviour.faults, fault))

    def behave(self, which: int, other: int) -> None:
        self.behaviour = Behaviour()

    def truth(self, known: set[str]) -> dict[str, Row]:
        """Organisation, facility and kilograms of each record that is listed; nobody can know of a facility that never was, or that
        the API neither lists nor finds by its id.
        """
        self.gone |= {id_ for id_, status in self.behaviour.denied.items() if status == 404}
        self.gone &= set(self.world.veiled)
        return {
            item["id"]: (site.organization_id, facility, item["co2e"])
            for facility, site in self.world._sites.items()
            if facility not in self.gone and (facility in known or facility not in self.world.veiled)
            for item in self.world.peek_records(facility)
        }


CHANGES = (
    "add", "add_facility", "recalculate", "delete", "delete_facility", "move_facility", "move_facility", "move_record",
    "hide_record", "hide_facility", "show", "spoil_facility", "spoil_record", "deny", "answer_otherwise", "behave",
)  # fmt: skip
changes = st.lists(st.tuples(st.sampled_from(CHANGES), st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=5)
lives = st.lists(st.tuples(changes, st.sampled_from(SECONDS)), min_size=2, max_size=4)


def judge(synced: Synced, account: Account) -> None:
    """Each row that differs from the world is named as doubtful, quarantined, or of a list that is not proven."""
    said = {id_: tuple(rest) for id_, *rest in synced.query(LISTED)}
    assert len(said) == synced.query("SELECT count(*) FROM dcycle.waste_water_treatments")[0][0], "a row stands twice"
    truth = account.truth({row[0] for row in synced.query("SELECT facility_id FROM history.facilities")})
    differ = {id_ for id_ in said.keys() | truth.keys() if said.get(id_) != truth.get(id_)}
    unnamed = differ - named(synced, {id_: [row for row in (said.get(id_), truth.get(id_)) if row] for id_ in differ})
    # A row without a legible id, new or moved, is named by its list; each such row accounts for one that is missing there.
    missing = Counter(truth[id_][:2] for id_ in unnamed if id_ in truth and id_ not in said)
    assert missing <= nameless(synced), {id_: (said.get(id_), truth.get(id_)) for id_ in unnamed}
    assert missing.total() == len(unnamed), {id_: (said.get(id_), truth.get(id_)) for id_ in unnamed}
    if differ:
        assert synced.outcome == "published_with_gaps"
    if synced.outcome == "published":
        assert not synced.doubtful()
        assert not synced.quarantined()
        assert not synced.unproven_lists()
    kilograms = sum((row[2] for row in said.values()), Decimal(0))
    assert synced.query(TOTAL)[0][0] == kilograms


def named(synced: Synced, differing: dict[str, list[Row]]) -> set[str]:
    """Those of the differing rows that the file names, or whose facility, list or organisation it names."""
    unproven = synced.query(last_sweeps.UNPROVEN_LISTS)
    names = {row[3] for row in (*synced.query(last_sweeps.DOUBTFUL), *synced.query(last_sweeps.QUARANTINED))}
    names |= {row[2] or row[0] for row in unproven if row[1] == "waste_water_treatments"}
    return {id_ for id_, rows in differing.items() if names & {id_, *(part for row in rows for part in row[:2])}}


def nameless(synced: Synced) -> Counter[tuple[str, str]]:
    """How many quarantined rows without an id each list has, by organisation and facility."""
    quarantined = synced.query(last_sweeps.QUARANTINED)
    return Counter((row[0], row[2]) for row in quarantined if row[1] == "waste_water_treatments" and not row[3])


def live(life: list[tuple[list[tuple[str, int, int]], int]]) -> None:
    """A first sync, one after each round of changes, and one when the API is itself again."""
    account, files = Account(), list[Published]()
    with Sandbox(account.world) as sandbox, TemporaryDirectory() as folder, only((*FEW, "restatements")):
        settings = settings_for(sandbox, Path(folder) / "data", keep_snapshots=9, retry_attempts=2)
        for round_, seconds in ([], 0), *life, ([("behave", 0, 0), ("show", 0, 0)], 0):
            for change in round_:
                account.change(*change)
            sandbox.behaviour = account.behaviour
            off = timedelta(seconds=seconds)
            synced = steps(Run(str(uuid4()), settings, now=lambda off=off: datetime.now(UTC) + off))  # type: ignore[misc]
            judge(synced, account)
            files.append(synced)
        assert (synced.outcome, synced.doubtful()) == ("published", {}), synced.query(last_sweeps.UNPROVEN_LISTS)
        restated(files)


def restated(files: list[Published]) -> None:
    """What moved between two publications is what the restatements say, whatever the clock said."""
    last = files[-1]
    moments = [file.query("SELECT max(published_at) FROM sync.runs")[0][0] for file in files]
    assert moments == sorted(set(moments))
    for (one, earlier), (other, later) in pairwise(zip(files, moments, strict=True)):
        assert last.query(MOVED, earlier, later)[0][0] == other.query(TOTAL)[0][0] - one.query(TOTAL)[0][0]


MOVES: list[Any] = [
    [([("move_facility", 0, 1), ("deny", 2, 1)], 0)],
    [([("move_facility", 1, 0), ("answer_otherwise", 0, 0), ("recalculate", 1, 4)], -5)],
    [([("hide_facility", 1, 0), ("move_facility", 1, 2)], 400 * 86400), ([("add", 1, 1)], 0)],
]


@pytest.mark.exhaustive
@pytest.mark.parametrize("life", MOVES)
def test_rows_that_move_between_organizations_are_counted_once(life: Any) -> None:
    live(life)


@pytest.mark.exhaustive
@pytest.mark.hypothesis
@pytest.mark.timeout(900)
# A life takes seconds: shrinking one would take minutes.
@hypothesis_settings(max_examples=20, phases=[Phase.explicit, Phase.generate])
@given(life=lives)
@example(
    life=[
        ([("spoil_record", 5, 5)], 0),
        ([("move_facility", 2, 2), ("add", 2, 1), ("spoil_record", 8, 5)], 0),
    ]
)
@example(
    life=[
        ([("hide_facility", 4, 11)], 5),
        ([("deny", 2, 5), ("spoil_facility", 20, 19)], 0),
        ([("move_facility", 8, 4)], -86400),
        ([("behave", 13, 7)], -86400),
    ]
)
@example(life=[([("spoil_facility", 0, 1), ("add", 0, 1)], 0), ([("spoil_facility", 0, 0), ("recalculate", 0, 1)], 0)])
def test_kilograms_are_the_worlds_or_each_difference_is_named(life: Any) -> None:
    live(life)
