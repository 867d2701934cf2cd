"""What the endpoints share: the world, the present behaviour and the state that belongs to it, and the text of items.

What one endpoint alone needs belongs to its module.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal

from dcycle_pipeline.sandbox.api.gate import Gate
from dcycle_pipeline.sandbox.api.paging import Row
from dcycle_pipeline.sandbox.faults.behaviour import Behaviour
from dcycle_pipeline.sandbox.faults.deformations import deform, numbers_as_text, unknown_field
from dcycle_pipeline.sandbox.faults.matching import FaultDice
from dcycle_pipeline.sandbox.world.items import Item, encode, facility_form
from dcycle_pipeline.sandbox.world.mutations import ListRequest, MutationClock
from dcycle_pipeline.sandbox.world.world import World

Form = Literal["record", "facility", "legacy facility"]


@dataclass(frozen=True)
class RequestSeen:
    """A request as the server noted it, without the values of its headers: they hold keys."""

    method: str
    path: str
    query: list[tuple[str, str]]
    organization_id: str | None
    status: int | None
    """None if the sandbox cut the connection without an answer."""
    header_names: tuple[str, ...]
    fault: str | None = None
    """The kind of fault that the request met."""


class Service:
    """The state of one server. `world` may be replaced at any time, `behaviour` by `adopt`."""

    def __init__(self, world: World, behaviour: Behaviour, gate: Gate) -> None:
        self.world = world
        self.gate = gate
        self.requests: list[RequestSeen] = []
        self.crashes: list[Exception] = []
        """Errors of the sandbox itself. `Sandbox` raises the first when it closes, so that no client looks for them."""
        self._numbers = count(1)
        self.adopt(behaviour)

    def adopt(self, behaviour: Behaviour) -> None:
        """Changes the behaviour from the next request on. Faults and mutations count from zero again."""
        dice = FaultDice(behaviour.faults, behaviour.seed)
        clock = MutationClock(behaviour.mutations, behaviour.churn, behaviour.churn_limit)
        self.behaviour, self.fault_dice, self._clock = behaviour, dice, clock

    def new_list_request(self, path: str, organization_id: str, facility_id: str | None = None) -> int:
        """Changes the world as the behaviour says; gives the number of the request, from 1."""
        self._clock.before(self.world, ListRequest(path, organization_id, facility_id))
        return next(self._numbers)

    def texts(self, rows: Sequence[Row], form: Form) -> list[bytes]:
        """The JSON of the items of a page."""
        return [self.text(id_, form) for _, id_ in rows]

    def text(self, id_: str, form: Form) -> bytes:
        """The JSON of an item. Raises KeyError if there is none with that id."""
        how = self.behaviour.deformation_of(id_)
        if how is None and not self.behaviour.alters_all_items:
            if form == "record":
                return self.world.derived.record_text(self.world.peek_record(id_))
            return self.world.derived.facility_text(self.world.peek_facility(id_), legacy=form == "legacy facility")
        return self.shown(id_, self._item(id_, form))

    def shown(self, id_: str, item: Item) -> bytes:
        """The JSON of an item, or of another answer about that id, as the behaviour shows it."""
        how = self.behaviour.deformation_of(id_)
        if self.behaviour.extra_fields:
            item = unknown_field(item)
        deformed = item if how is None else deform(item, how)
        if self.behaviour.numbers_as_text and isinstance(deformed, dict):
            deformed = numbers_as_text(deformed)
        return encode(deformed)

    def _item(self, id_: str, form: Form) -> Item:
        if form == "record":
            return self.world.peek_record(id_)
        return facility_form(self.world.peek_facility(id_), legacy=form == "legacy facility")
