"""The account that the old folder was filled from, as its API was at the third sync and still is.

`folder.tar.xz` was made by the command line of the last version with layout 2: three syncs with changes of every kind between
them (recalculated, edited, settled, deleted, restored), a quarantined item and a forbidden list in the third, and a fourth run
that died. `expected.json` is what its published file said.
"""

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from dcycle_pipeline.sandbox import Behaviour, World

SEED = 11
ROOT = "11111111-1111-4111-8111-111111111111"
IBERIA = "22222222-2222-4222-8222-222222222222"
LEVANTE = "33333333-3333-4333-8333-333333333333"
NORD = "44444444-4444-4444-8444-444444444444"
MONTH_ENDS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def uid(name: str) -> str:
    """The id of a facility ("Alta") or record ("Alta 2025-03") of this world."""
    return str(uuid5(NAMESPACE_URL, f"https://old-folder.example.org/{name}"))


def account() -> World:
    """What the API holds."""
    world = World(ROOT, "Grupo Agua Vieja, S.A.", SEED)
    _begin(world)
    _mutate_before_2(world)
    _mutate_before_3(world)
    return world


def behaviour() -> Behaviour:
    """How the API answers: one facility's records are forbidden and one record is malformed."""
    return Behaviour(denied={uid("Costa"): 403}, malformed={uid("Nord 2025-06"): "number_garbage"})


def _begin(world: World) -> None:
    world.add_organization(IBERIA, "Aguas Ibéricas Viejas, S.L.", ROOT)
    world.add_organization(LEVANTE, "Saneamientos del Levante Viejo, S.L.", IBERIA)
    world.add_organization(NORD, "Altes Wasser Nord GmbH", ROOT)
    _facility(world, ROOT, "Sede", "Sede Central", kind="office", co2e="5120.25")
    _facility(world, IBERIA, "Alta", "EDAR Sierra Alta", co2e="150000.125")
    _facility(world, IBERIA, "Baja", "EDAR Vega Baja", co2e="90210.5")
    _facility(world, LEVANTE, "Costa", "EDAR Costa Ñandú", co2e="71000.75")
    _facility(world, LEVANTE, "Vieja", "EDAR Vieja", status="archived", co2e=None)
    _facility(world, NORD, "Nord", "Klärwerk Lübeck-Süd", country="DE", co2e="64000.1234567891")
    _facility(world, NORD, "Büro", "Büro Hamburg", country="DE", kind="office", co2e="812.5")
    for year in (2024, 2025):
        for month in range(1, 13):
            _record(world, "Alta", year, month, 10_000 + 37 * month + year % 7)
    # Thirty days each, so that they cross the turns of months; one overlap, one hole, and one year's turn.
    for number, (start, end) in enumerate(
        (
            ("2024-12-20", "2025-01-18"),
            ("2025-01-19", "2025-02-17"),
            ("2025-02-18", "2025-03-19"),
            ("2025-03-15", "2025-04-18"),
            ("2025-04-19", "2025-05-18"),
            ("2025-06-01", "2025-06-30"),
            ("2025-07-01", "2025-07-30"),
            ("2025-07-31", "2025-08-29"),
        ),
        start=1,
    ):
        _period(world, "Baja", f"Baja {number}", (start, end), 3_000 + 111 * number)
    for month in range(1, 13):
        pending = month in (9, 10)
        _record(world, "Costa", 2025, month, 5_000 + 13 * month, **({"co2e": None} if pending else {}))
    for month in range(1, 7):
        _record(world, "Vieja", 2024, month, 800 + month, status="uploaded" if month == 6 else "active")
    for month in range(1, 13):
        more: dict[str, Any] = {"status": "error", "co2e": None} if month == 11 else {}
        _record(world, "Nord", 2025, month, f"{7_000 + month}.123456789", **more)


def _mutate_before_2(world: World) -> None:
    world.recalculate_record(uid("Alta 2024-03"), "4000.5")  # recalculated: two restatements, one in each year
    world.recalculate_record(uid("Alta 2025-02"), "3999.125")
    world.recalculate_record(uid("Baja 3"), "1234.567891234")  # spread over two months
    world.edit_record(uid("Alta 2025-05"), quantity="11111.5", co2e="4011.75")  # edited
    world.edit_record(uid("Costa 2025-09"), co2e="1850.25", co2e_biomass="3.5")  # settled
    world.delete_record(uid("Nord 2025-12"))  # deleted: asked for by id, 404
    world.delete_record(uid("Alta 2024-12"))  # deleted, and restored before sync 3
    world.edit_facility(uid("Alta"), co2e="149500.5", updated_at="2026-02-01T10:00:00Z")
    _record(world, "Nord", 2026, 1, "7100.5")  # new


def _mutate_before_3(world: World) -> None:
    world.recalculate_record(uid("Alta 2025-02"), "4100.5")  # a second time
    world.recalculate_record(uid("Nord 2025-03"), "2600.000000001")
    _record(world, "Alta", 2024, 12, 10_000 + 37 * 12 + 2024 % 7)  # restored with other figures: see _record
    world.edit_record(
        uid("Nord 2025-06"), quantity="7777.25", co2e="2700.5"
    )  # arrives malformed in sync 3: quarantined
    world.recalculate_record(uid("Costa 2025-04"), "2222.25")  # not seen in sync 3: the list is forbidden
    world.edit_record(uid("Vieja 2024-06"), status="active")
    world.edit_facility(uid("Baja"), name="EDAR Vega Baja II", categories=["water"], updated_at="2026-03-01T10:00:00Z")
    world.delete_facility(uid("Büro"))
    _facility(world, IBERIA, "Nueva", "EDAR Nueva", co2e="1500.5")
    _record(world, "Nueva", 2025, 11, 900)
    _record(world, "Nueva", 2025, 12, 950)


def _facility(
    world: World,
    organization: str,
    name: str,
    title: str,
    *,
    kind: str = "factory",
    country: str = "ES",
    status: str = "active",
    co2e: str | None,
) -> None:
    world.add_facility(
        organization,
        id=uid(name),
        name=title,
        address="Camino Viejo 1",
        country=country,
        type=kind,
        status=status,
        co2e=co2e,
        co2e_biomass="0.0",
        logistic_factor="0.8",
        categories=["electricity", "water"],
        cups_list=["ES0021000000000001AA"] if country == "ES" else None,
        facility_purpose_type="facilities",
        created_at="2023-05-01T08:00:00Z",
        updated_at="2026-01-02T08:00:00Z",
    )


def _record(world: World, facility: str, year: int, month: int, quantity: object, **fields: Any) -> None:
    """A record of one calendar month, called by facility, year and month."""
    last = 29 if (year % 4 == 0 and month == 2) else MONTH_ENDS[month - 1]
    start, end = f"{year}-{month:02d}-01", f"{year}-{month:02d}-{last:02d}"
    _period(world, facility, f"{facility} {year}-{month:02d}", (start, end), quantity, **fields)


def _period(world: World, facility: str, name: str, days: tuple[str, str], quantity: object, **fields: Any) -> None:
    usual: dict[str, Any] = {
        "id": uid(name),
        "invoice_id": name,
        "start_date": days[0],
        "end_date": days[1],
        "quantity": quantity,
        "m3_water_out": round(float(str(quantity)) * 0.96, 3),
        "kg_sludge": round(float(str(quantity)) * 0.07, 2),
        "co2e": round(float(str(quantity)) * 0.3617, 4),
        "co2e_biomass": "0.0",
        "percentage": "1",
        "status": "active",
        "created_at": "2026-01-02T08:30:00Z",
    }
    world.add_record(uid(facility), **usual | fields)
