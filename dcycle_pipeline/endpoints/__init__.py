"""The registry of endpoints: a new resource is one file beside this one and one line here."""

from dcycle_pipeline.endpoints import facilities, total_impacts, waste_water_treatments
from dcycle_pipeline.endpoints.declaration import Endpoint, YearTotal

# What is asked after every list is read, to set beside what the lists add up to.
YEAR_TOTALS: tuple[YearTotal, ...] = (total_impacts.ENDPOINT,)


def declared(facilities_api: str = "v1") -> tuple[Endpoint, ...]:
    """Every endpoint that a sync walks, parents before children."""
    return (
        facilities.BY_API[facilities_api],
        waste_water_treatments.ENDPOINT,
    )
