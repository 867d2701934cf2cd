"""Lists that never end: every page has new rows, and the counter is never reached.

Lists that end belong to `paging` and to the module of each endpoint.
"""

from dcycle_pipeline.sandbox.api.paging import Asked
from dcycle_pipeline.sandbox.world.items import Item, encode

COUNTER = 10**17


def endless_text(how: str, asked: Asked, sample: Item, counters: tuple[str, ...]) -> bytes:
    """The JSON of one page, of rows like the sample. `counters` are the names of those that count the rows.

    `how`: rows (as many as were asked for), growing (page n has n times as many), counter (it grows with each page).
    """
    rows = asked.size * asked.page if how == "growing" else asked.size
    items = [sample | {"id": f"endless-{asked.page}-{row}"} for row in range(rows)]
    counter = asked.size * (asked.page + 1) if how == "counter" else COUNTER
    envelope = dict.fromkeys(counters, counter) | {"page": asked.page, "size": asked.size}
    return encode({"items": items, **envelope})
