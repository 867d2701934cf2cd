"""Random mixtures of the sandbox's switches and faults, and what they mean to a reader.

Every mixture is bounded, so that a patient reader comes to an end. What a sync makes of one belongs to `test_mixtures`.
"""

from dataclasses import fields
from random import Random
from typing import Any

from dcycle_pipeline.sandbox.faults.behaviour import PAST_END, Behaviour
from dcycle_pipeline.sandbox.faults.deformations import DEFORMATIONS
from dcycle_pipeline.sandbox.faults.matching import Fault
from dcycle_pipeline.sandbox.world.chance import dice
from dcycle_pipeline.sandbox.world.mutations import CHURN_KINDS

ODD = "review"  # a status that no documentation names
PASSING = (
    "429", "500", "502", "503", "504", "reset", "truncated", "not_json", "bad_json", "empty_body", "slow",
)  # fmt: skip
STATUSES = ("archived", "uploaded", "loading", "error", ODD)
LASTING = ("401", "403", "404", "500", "503", "reset", "not_json", "truncated", "redirect")


def random_mixture(seed: int) -> Behaviour:
    """The mixture of a seed: most faults pass after at most two failures an address, some never do."""
    random = dice("mixture", seed)
    values: dict[str, Any] = {"seed": seed}
    values |= _paging(random)
    values |= _items(random)
    values["faults"] = (*_passing(random), *_lasting(random))
    if random.random() < 0.25:
        values["churn"] = (seed, random.randint(1, 6), random.choice(CHURN_KINDS))
        values["churn_limit"] = random.randint(1, 6)
    if random.random() < 0.15:
        values["denied_share"] = random.choice((0.05, 0.3))
    values["filter_needed"] = random.random() < 0.05
    values["hidden_by_default"] = tuple(status for status in STATUSES if random.random() < 0.2)
    return Behaviour(**values)


def _paging(random: Random) -> dict[str, Any]:
    return {
        "max_size": random.choice((None, None, 3, 10, 50)),
        "clamp_echo": random.random() < 0.6,
        "past_end": random.choice(PAST_END),
        "ties": random.choice(("stable", "stable", "shuffled")),
        "ignore_sort": random.random() < 0.15,
        "counter_offset": random.choice((0, 0, 0, 0, 0, 0, -1, 1, 40)),
        "missing_counter": random.random() < 0.08,
        "only_active_by_default": random.random() < 0.5,
        "legacy_archived_hidden": random.random() < 0.2,
        "validation_as_text": random.random() < 0.3,
    }


def _items(random: Random) -> dict[str, Any]:
    return {
        "malformed_share": random.choice((0.0, 0.0, 0.0, 0.02, 0.2)),
        "malformed_kinds": tuple(random.sample(sorted(DEFORMATIONS), k=random.randint(1, len(DEFORMATIONS)))),
        "items_as_object": random.random() < 0.3,
        "numbers_as_text": random.random() < 0.2,
        "extra_fields": random.random() < 0.3,
    }


def _passing(random: Random) -> list[Fault]:
    """At most two failures of one address altogether."""
    kinds = random.sample(PASSING, k=random.randint(0, 2))
    return [
        Fault(
            kind,
            times=1,
            probability=random.choice((0.05, 0.2, 0.6, 1.0)),
            retry_after=random.choice((None, None, "seconds", "date")) if kind in ("429", "503") else None,
            retry_after_seconds=random.choice((0, 1)),
            seconds=0.01,
            chunked=random.random() < 0.5,
        )
        for kind in kinds
    ]


def _lasting(random: Random) -> list[Fault]:
    if random.random() >= 0.15:
        return []
    path = random.choice(("/v1/facilities", "/v1/waste-water-treatments", "/api/v1/facilities"))
    return [Fault(random.choice(LASTING), path=path, page=random.choice((None, 1, 2)))]


def is_lasting(fault: Fault) -> bool:
    """Whether asking again never helps. A slow answer is an answer."""
    return fault.times is None and fault.probability == 1 and fault.kind != "slow"


def has_lasting_obstacles(behaviour: Behaviour) -> bool:
    """Whether some rows can never be read, however often one asks."""
    return bool(behaviour.denied) or behaviour.denied_share > 0 or any(map(is_lasting, behaviour.faults))


def described(behaviour: Behaviour) -> str:
    """The switches that differ from the documented behaviour, one a line, and whether asking again helps."""
    usual = Behaviour()
    names = [switch.name for switch in fields(behaviour)]
    changed = [name for name in names if getattr(behaviour, name) != getattr(usual, name)]
    lines = [f"{name} = {getattr(behaviour, name)!r}" for name in changed if name != "faults"]
    lines += [f"{'lasting' if is_lasting(fault) else 'passing'} fault: {fault}" for fault in behaviour.faults]
    return "\n".join(lines) or "as documented"
