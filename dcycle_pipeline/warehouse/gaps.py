"""What a file may lack: a query for each kind of gap, by the names that results have for it."""

from dcycle_pipeline.warehouse.last_sweeps import DOUBTFUL, LISTED_TWICE, QUARANTINED
from dcycle_pipeline.warehouse.unproven_since import UNPROVEN_SINCE

GAPS = {
    "unproven_lists": UNPROVEN_SINCE,
    "quarantined": QUARANTINED,
    "doubtful_rows": DOUBTFUL,
    "listed_twice": LISTED_TWICE,
}
