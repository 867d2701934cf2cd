"""Changes of the world while a client reads it, timed by the list requests that arrive.

What a change does to the items belongs to `world`.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from dcycle_pipeline.sandbox.world.chance import dice
from dcycle_pipeline.sandbox.world.world import World

RECORD_ACTIONS = ("insert", "delete", "recalculate", "edit")
FACILITY_ACTIONS = ("insert_facility", "delete_facility")
CHURN_KINDS = (*RECORD_ACTIONS, "mixed", *FACILITY_ACTIONS)
RECORD_LIST = "/v1/waste-water-treatments"


@dataclass(frozen=True)
class Mutation:
    """A change just before the answer to the `after_requests`-th matching list request.

    `action` is one of RECORD_ACTIONS or FACILITY_ACTIONS, or a function of the world.
    Raises ValueError on an action of another name.
    """

    after_requests: int
    action: str | Callable[[World], None]
    facility_id: str | None = None
    """Counts the record lists of this facility and changes this facility. None: any list, and the facility it is of."""
    organization_id: str | None = None
    """Counts only the requests for this organisation."""
    path: str | None = None
    """The list whose requests count. None: the one that shows what the action changes."""
    count: int = 1
    """How many items change."""
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.action, str) and self.action not in RECORD_ACTIONS + FACILITY_ACTIONS:
            raise ValueError(f"unknown action {self.action!r}; known: {', '.join(RECORD_ACTIONS + FACILITY_ACTIONS)}")


@dataclass(frozen=True)
class ListRequest:
    """What the clock sees of a request for a page of a list."""

    path: str
    organization_id: str
    facility_id: str | None = None


class MutationClock:
    """Counts list requests and makes the changes that are due.

    `churn` is (seed, every n list requests, kind), `churn_limit` the number of changes after which it stops.
    """

    def __init__(
        self, mutations: tuple[Mutation, ...], churn: tuple[int, int, str] | None = None, churn_limit: int = 10
    ) -> None:
        self._mutations = mutations
        self._churn = churn
        self._churn_left = churn_limit
        self._seen: Counter[int | str] = Counter()

    def before(self, world: World, request: ListRequest) -> None:
        """To be called at every list request, before its rows are chosen."""
        for index, mutation in enumerate(self._mutations):
            if _counts(mutation, request):
                self._seen[index] += 1
                if self._seen[index] == mutation.after_requests:
                    _perform(world, mutation, request, dice(mutation.seed, index))
        if self._churn and self._churn_left > 0:
            self._churn_on(world, request, *self._churn)

    def _churn_on(self, world: World, request: ListRequest, seed: int, every: int, kind: str) -> None:
        random = dice(seed, self._churn_left)
        action = random.choice(RECORD_ACTIONS) if kind == "mixed" else kind
        mutation = Mutation(every, action)
        if not _counts(mutation, request):
            return
        self._seen["churn"] += 1
        if self._seen["churn"] % every == 0:
            self._churn_left -= 1
            _perform(world, mutation, request, random)


def _counts(mutation: Mutation, request: ListRequest) -> bool:
    if mutation.path is not None:
        right_list = request.path == mutation.path
    elif callable(mutation.action):
        right_list = True
    else:
        right_list = (request.path == RECORD_LIST) == (mutation.action in RECORD_ACTIONS)
    by_facility = mutation.facility_id if mutation.action not in FACILITY_ACTIONS else None
    return (
        right_list
        and by_facility in (None, request.facility_id)
        and mutation.organization_id in (None, request.organization_id)
    )


def _perform(world: World, mutation: Mutation, request: ListRequest, random: Random) -> None:
    if callable(mutation.action):
        mutation.action(world)
        return
    facility_id = mutation.facility_id or request.facility_id
    for _ in range(mutation.count):
        if mutation.action == "insert_facility":
            world.add_facility(request.organization_id)
        elif mutation.action == "delete_facility":
            _delete_facility(world, mutation.facility_id, request.organization_id, random)
        elif facility_id is not None:
            _change_records(world, mutation.action, facility_id, random)


def _delete_facility(world: World, facility_id: str | None, organization_id: str, random: Random) -> None:
    there = world.facility_ids(organization_id)
    if facility_id in there or (facility_id is None and there):
        world.delete_facility(facility_id or random.choice(there))


def _change_records(world: World, action: str, facility_id: str, random: Random) -> None:
    if world.organization_of(facility_id) is None:
        return
    if action == "insert":
        world.add_record(facility_id)
        return
    records = world.peek_records(facility_id)
    if not records:
        return
    record = random.choice(records)
    if action == "delete":
        world.delete_record(record["id"])
    elif action == "recalculate":
        world.recalculate_record(record["id"], round((record["co2e"] or Decimal(100)) * Decimal("1.07"), 6))
    else:
        world.edit_record(record["id"], quantity=(record["quantity"] or Decimal(0)) + Decimal("12.5"))
