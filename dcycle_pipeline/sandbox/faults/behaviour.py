"""How the sandbox answers: every switch in one frozen value.

How a switch reads from text belongs to `switches`, how it acts to `api` and to the other modules of this room.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from dcycle_pipeline.sandbox.faults.deformations import DEFORMATIONS, Deformation
from dcycle_pipeline.sandbox.faults.matching import Fault
from dcycle_pipeline.sandbox.world.chance import chance
from dcycle_pipeline.sandbox.world.mutations import CHURN_KINDS, Mutation

PAST_END = ("empty", "uncounted", "repeat", "404", "422")
TIES = ("stable", "shuffled")
ENDLESS = ("rows", "growing", "counter")
DENIALS = (401, 403, 404)
LONGEST = 10**9  # seconds and counts, so that no clock overflows


def _switch(default: Any, doc: str) -> Any:
    if isinstance(default, dict):
        return field(default_factory=dict, metadata={"doc": doc})
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class Behaviour:
    """The switches. `Behaviour()` is a server that does what the documentation says.

    Durations are in seconds, sizes in rows, shares between 0 and 1. `seed` decides what looks
    random, so the same requests get the same answers. Raises ValueError on a value that a switch does not know.

    >>> behaviour = Behaviour(max_size=50, past_end="404", denied={"facility-1": 403})
    >>> behaviour.denial_of("facility-1", facility=True)
    403
    >>> Behaviour.switches()["counter_offset"]
    'added to the counter that paging relies on'
    """

    seed: int = _switch(0, "decides every random choice below")
    max_size: int | None = _switch(None, "rows per page at most; larger sizes are accepted and clamped")
    clamp_echo: bool = _switch(True, "echo the clamped size (true) or the requested one (false)")
    past_end: str = _switch(
        "empty", "a page past the end: empty | uncounted (empty, and counts 0) | repeat (the last page) | 404 | 422"
    )
    ties: str = _switch("stable", "rows of equal sort value: stable | shuffled (another order at every request)")
    ignore_sort: bool = _switch(False, "ignore an explicit sort; all rows become one tie")
    counter_offset: int = _switch(0, "added to the counter that paging relies on")
    missing_counter: bool = _switch(False, "leave out the counter that paging relies on (and pages)")
    only_active_by_default: bool = _switch(False, "lists without status[] show active rows only")
    hidden_by_default: tuple[str, ...] = _switch((), "statuses that lists without status[] leave out")
    filter_needed: bool = _switch(False, "lists without status[] are refused with 422")
    hubs_hidden: bool = _switch(False, "leave logistics hubs out of the new facility list too")
    legacy_archived_hidden: bool = _switch(False, "the legacy list shows active rows unless filter_by=status:archived")
    validation_as_text: bool = _switch(False, "422 carries detail as text instead of a list")
    token_seconds: float = _switch(3600.0, "lifetime of a login token in seconds")
    token_requests: int | None = _switch(None, "requests after which a login token has expired")
    mutations: tuple[Mutation, ...] = _switch((), "changes of the data while it is read")
    churn: tuple[int, int, str] | None = _switch(None, "(seed, every n list requests, kind) of endless small changes")
    churn_limit: int = _switch(10, "changes after which churn stops, so that a reader can finish")
    faults: tuple[Fault, ...] = _switch((), "wrong answers, the first that matches is given")
    denied: Mapping[str, int] = _switch({}, "organisation or facility id -> 401, 403 or 404 for ever")
    denied_share: float = _switch(0.0, "share of the facilities that are denied with 403")
    malformed: Mapping[str, str | Deformation] = _switch({}, "record or facility id -> how the item is deformed")
    malformed_share: float = _switch(0.0, "share of the items that are deformed somehow")
    malformed_kinds: tuple[str, ...] = _switch(tuple(DEFORMATIONS), "what malformed_share chooses from")
    items_as_object: bool = _switch(False, "a page of one item gives items as that object instead of a list")
    numbers_as_text: bool = _switch(False, "every number of every item is text")
    endless: Mapping[str, str] = _switch(
        {}, "facility or organisation id -> how its list never ends: rows | growing | counter"
    )
    extra_fields: bool = _switch(False, "every item has undocumented fields, personal data among them")
    latency_seconds: float = _switch(0.0, "delay of every answer")
    clock_ahead_seconds: float = _switch(0.0, "by how much the server's clock is ahead of ours, in its Date header too")
    set_cookie: bool = _switch(False, "every answer sets a cookie that names its organisation")
    echo: bool = _switch(False, "every answer shows the key or token of its request, in several forms")

    def __post_init__(self) -> None:
        object.__setattr__(self, "mutations", tuple(self.mutations))
        object.__setattr__(self, "faults", tuple(self.faults))
        _one_of("past_end", self.past_end, PAST_END)
        _one_of("ties", self.ties, TIES)
        for status in self.denied.values():
            _one_of("denied", status, DENIALS)
        for how in self.endless.values():
            _one_of("endless", how, ENDLESS)
        for kind in (*self.malformed_kinds, *(how for how in self.malformed.values() if isinstance(how, str))):
            _one_of("malformed", kind, tuple(DEFORMATIONS))
        if self.churn:
            _one_of("churn", self.churn[2], CHURN_KINDS)
        for name in ("denied_share", "malformed_share"):
            _between(name, getattr(self, name), 0, 1)
        for name in ("latency_seconds", "churn_limit", "token_requests"):
            _between(name, getattr(self, name) or 0, 0, LONGEST)
        if (self.max_size is not None and self.max_size < 1) or (self.churn and self.churn[1] < 1):
            raise ValueError("max_size and the distance between churn changes are at least 1")

    @staticmethod
    def switches() -> dict[str, str]:
        """Every switch and its one line of documentation."""
        return {switch.name: str(switch.metadata["doc"]) for switch in fields(Behaviour)}

    @property
    def alters_all_items(self) -> bool:
        """Whether no item is served as the world holds it."""
        return self.numbers_as_text or self.extra_fields

    def deformation_of(self, item_id: str) -> str | Deformation | None:
        """How an item is deformed, by its id; None if it is not."""
        if item_id in self.malformed:
            return self.malformed[item_id]
        if self.malformed_share and chance(self.seed, "malformed", item_id) < self.malformed_share:
            return self.malformed_kinds[int(chance(self.seed, "how", item_id) * len(self.malformed_kinds))]
        return None

    def denial_of(self, id_: str, *, facility: bool = False) -> int | None:
        """The status with which an organisation or facility is denied; None if it is not."""
        if id_ in self.denied:
            return self.denied[id_]
        return 403 if facility and chance(self.seed, "denied", id_) < self.denied_share else None


def _between(switch: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ValueError(f"{switch} is between {least} and {most}, not {value!r}")


def _one_of(switch: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        raise ValueError(f"{switch} is one of {', '.join(map(str, known))}, not {value!r}")
