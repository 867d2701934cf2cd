"""A group of small organisations, and twenty of them in trouble: five hang, five are unauthorised, five send garbage, five are rate-limited."""

from dcycle_pipeline.sandbox import Fault, World

ROOT = "11111111-1111-4111-8111-111111111111"
TROUBLES = (
    {"kind": "slow", "seconds": 3600.0},
    {"kind": "401"},
    {"kind": "not_json"},
    {"kind": "429", "retry_after": "seconds", "retry_after_seconds": 30},
)


def organization(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def group(first: int, count: int, facilities: int, records: int) -> World:
    """A holding without facilities above so many organisations, numbered from `first` on, each with so many facilities and records in each."""
    world = World(ROOT, "Holding X")
    for number in range(first, first + count):
        world.add_organization(organization(number), f"Water {number}", ROOT)
        for site in range(facilities):
            world.add_records(world.add_facility(organization(number), id=f"f-{number}-{site}"), records)
    return world


def trouble(count: int) -> tuple[Fault, ...]:
    """The first organisations, so that they are asked before the others."""
    return tuple(
        Fault(organization_id=organization(number), **TROUBLES[number % len(TROUBLES)]) for number in range(count)
    )
