"""What the records of a facility emit in all, for whoever keeps the API's total of the facility in step with them."""

from decimal import Decimal

from dcycle_pipeline.sandbox.world.world import World


def emitted(world: World, facility_id: str) -> tuple[Decimal, Decimal]:
    """Sums over the records of a facility: kg CO2e, and kg of biogenic origin beside them."""
    records = world.peek_records(facility_id)
    co2e = sum((record["co2e"] or Decimal(0) for record in records), Decimal(0))
    return co2e, sum((record["co2e_biomass"] for record in records), Decimal(0))
