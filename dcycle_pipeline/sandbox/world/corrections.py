"""What is not right yet in the demo's holding, and what becomes of it within a month.

The usual records belong to `holding`. Nothing is left to chance here: both states are the same for the same seed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal

from dcycle_pipeline.sandbox.world.emitted import emitted
from dcycle_pipeline.sandbox.world.items import Item, as_date
from dcycle_pipeline.sandbox.world.world import World

_TWICE = "STEP d'Orange"
_MISREAD = "PTAR León Norte"
_LATE = "STEP de Fréjus-Plage"
_MOVED = "Oficina Técnica Cáceres"
# Poland's electricity of 2025 turned out cleaner than assumed before.
_POLAND_2025 = Decimal("0.94")
_METER = Decimal("0.97")
_SETTLED_UNTIL, _LAST_DAY = "2026-07-31", date(2026, 9, 30)
_HANDED_IN, _CORRECTED = "2026-10-09T07:45:00Z", "2026-10-28T09:30:00Z"
_OWN = ("id", "type", "facility_id", "source_invoice_id")
_AMOUNTS = ("quantity", "base_quantity", "m3_water_out", "kg_sludge", "co2e", "co2e_biomass")


def import_twice(world: World) -> None:
    """Adds a record of 2025 once more, as a file that was imported twice does."""
    with _keeping_total(world, _TWICE) as facility_id:
        first = next(item for item in world.facility_records(facility_id) if item["start_date"] >= "2025-05")
        fields = {name: value for name, value in first.items() if name not in _OWN}
        world.add_record(facility_id, **fields | {"created_at": "2026-02-03T10:12:00Z"})


def a_month_later(world: World) -> None:
    """What Dcycle and its users did in October 2026, to the world as `demo_world` makes it.

    Dcycle recalculated 2025 in Poland, and calculated what had been pending from January to July 2026. Users corrected a
    meter, deleted what was imported twice, handed in the last days of September of one plant, and moved an office.
    """
    for facility_id in world.facility_ids():
        with _keeping_total(world, world.peek_facility(facility_id)["name"]):
            _recalculate_poland(world, facility_id)
            _settle(world, facility_id)
    with _keeping_total(world, _MISREAD) as facility_id:
        *_, read = [item for item in world.facility_records(facility_id) if item["end_date"] < "2025-11"]
        world.edit_record(read["id"], **_scaled(read, _METER))
    with _keeping_total(world, _TWICE) as facility_id:
        *_, second = world.facility_records(facility_id)
        world.delete_record(second["id"])
    with _keeping_total(world, _LATE) as facility_id:
        _hand_in(world, facility_id)
    world.edit_facility(_facility(world, _MOVED), address="Avenida de España 21, Cáceres", updated_at=_CORRECTED)


@contextmanager
def _keeping_total(world: World, name: str) -> Iterator[str]:
    """Gives the id of a facility, whose total afterwards differs by as much as its records do."""
    facility_id = _facility(world, name)
    before = emitted(world, facility_id)
    yield facility_id
    co2e, biomass = (now - then for now, then in zip(emitted(world, facility_id), before, strict=True))
    if co2e or biomass:
        item = world.peek_facility(facility_id)
        total, of_biomass = item["co2e"] + co2e, item["co2e_biomass"] + biomass
        world.edit_facility(facility_id, co2e=total, co2e_biomass=of_biomass, updated_at=_CORRECTED)


def _facility(world: World, name: str) -> str:
    (found,) = [id_ for id_ in world.facility_ids() if world.peek_facility(id_)["name"] == name]
    return found


def _recalculate_poland(world: World, facility_id: str) -> None:
    if world.peek_facility(facility_id)["country"] == "PL":
        for record in world.facility_records(facility_id):
            if record["start_date"][:4] == "2025":
                world.recalculate_record(record["id"], _times(record["co2e"], _POLAND_2025))


def _settle(world: World, facility_id: str) -> None:
    """Calculates what is pending from January to July 2026, by what the plant emits per cubic metre."""
    records = world.facility_records(facility_id)
    calculated = [record for record in records if record["co2e"] is not None]
    for record in records:
        is_due = record["start_date"] > "2026" and record["end_date"] <= _SETTLED_UNTIL
        if is_due and record["status"] == "active" and record["co2e"] is None:
            share = record["quantity"] / sum(each["quantity"] for each in calculated)
            sums = {name: sum(each[name] for each in calculated) for name in ("co2e", "co2e_biomass")}
            world.edit_record(record["id"], **{name: round(total * share, 4) for name, total in sums.items()})


def _hand_in(world: World, facility_id: str) -> None:
    """Adds the days from the last record to the end of September, with the amounts a day of the last one that is calculated."""
    records = sorted(world.facility_records(facility_id), key=lambda item: item["end_date"])
    like = [item for item in records if item["status"] == "active" and item["co2e"]][-1]
    start = as_date(records[-1]["end_date"]) + timedelta(days=1)
    if start > _LAST_DAY:
        return
    days = (as_date(like["end_date"]) - as_date(like["start_date"])).days + 1
    fields = {name: value for name, value in like.items() if name not in _OWN}
    fields |= _scaled(like, Decimal((_LAST_DAY - start).days + 1) / days)
    fields |= {"invoice_id": f"{like['invoice_id'][:-7]}{start:%Y-%m}", "created_at": _HANDED_IN}
    world.add_record(facility_id, **fields | {"start_date": start, "end_date": _LAST_DAY})


def _scaled(record: Item, factor: Decimal) -> dict[str, Decimal]:
    return {name: _times(record[name], factor) for name in _AMOUNTS}


def _times(amount: Decimal, factor: Decimal) -> Decimal:
    """With as many decimal places as before."""
    return (amount * factor).quantize(amount)
