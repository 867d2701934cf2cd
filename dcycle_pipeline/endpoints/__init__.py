"""The registry of endpoints. A new resource is one file beside this one and one line here.

An endpoint says how to ask for it, what an item looks like, and which tables it fills. Asking belongs to `api`.
"""

from dcycle_pipeline.endpoints import facilities, total_impacts, waste_water_treatments
from dcycle_pipeline.endpoints.declaration import Endpoint, YearTotal

# Asked for after all lists are read, to compare with what the lists add up to.
YEAR_TOTALS: tuple[YearTotal, ...] = (total_impacts.ENDPOINT,)


def declared(facilities_api: str = "v1") -> tuple[Endpoint, ...]:
    """Every endpoint of lists that a sync reads, parents before children. `facilities_api` is DCYCLE_FACILITIES_API."""
    return (
        facilities.BY_API[facilities_api],
        waste_water_treatments.ENDPOINT,
    )
