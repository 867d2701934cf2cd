"""The demo's world: the sites of `places` with years of treatment records. The seed alone decides every number.

Names and places belong to `places`, what a world can do to `world`.
"""

import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from dcycle_pipeline.sandbox.world.corrections import import_twice
from dcycle_pipeline.sandbox.world.emitted import emitted
from dcycle_pipeline.sandbox.world.places import COMPANIES, PEOPLE, PLACES, Place
from dcycle_pipeline.sandbox.world.world import World

# Fixed: a holding that grew with the calendar would make other numbers every day.
_LAST_DAY = date(2026, 9, 30)
# Part of every id: a data folder that holds an earlier edition refuses this one, as it refuses any other account.
_EDITION = 2
# Years that were reported: each of their days has a record, and each record is calculated. So they can be compared.
_REPORTED = (2024, 2025)
_LONGEST_GAP = timedelta(days=40)
# Invented, kg CO2e per m³ of water by country.
_KG_PER_M3 = {"ES": 0.36, "PT": 0.41, "FR": 0.29, "DE": 0.24, "PL": 0.52, "MX": 0.67}
# From this size on a plant digests its sludge and burns the gas: carbon dioxide of biogenic origin.
_DIGESTER_M3 = 20_000


@dataclass(frozen=True)
class _Holding:
    world: World
    random: Random
    people: list[dict[str, str]]
    projects: list[tuple[str, str]]


def demo_world(seed: int = 7) -> World:
    """A water company with 7 organisations, some 40 facilities and 2,000 records; the same one for the same seed.

    >>> world = demo_world()
    >>> world.tree()["name"], len(world.organization_ids())
    ('Grupo Áurea Agua', 7)
    """
    random = Random(f"holding {_EDITION} {seed}")
    world = World(_uuid(random), "Grupo Áurea Agua", seed)
    companies = {"root": world.root_id}
    for key, name, parent in COMPANIES:
        companies[key] = _uuid(random)
        world.add_organization(companies[key], name, companies[parent])
    people = [_person(random, first, last) for first, last in PEOPLE]
    projects = [(_uuid(random), name) for name in ("Reutilización 2027", "Lodos Cero", "Biogás Áureo")]
    holding = _Holding(world, random, people, projects)
    for number, place in enumerate(PLACES, start=1):
        _build(holding, companies[place.company], place, number)
    import_twice(world)
    return world


def _build(holding: _Holding, organization_id: str, place: Place, number: int) -> None:
    random = holding.random
    closed = place.last_year < _LAST_DAY.year
    opened = date(place.first_year, 1, 1) - timedelta(days=random.randint(20, 400))
    facility_id = holding.world.add_facility(
        organization_id,
        id=_uuid(random),
        name=place.name,
        address=place.address if random.random() < 0.9 else None,
        country=place.country,
        type=place.kind,
        status="archived" if closed else "active",
        logistic_factor=random.choice((Decimal("0.8"), Decimal("0.75"), None)),
        categories=random.choice((["electricity", "water"], ["heat", "electricity", "water"], ["electricity"], None)),
        cups_list=[f"ES0021{random.randrange(10**12):012d}QX"] if place.country == "ES" else None,
        facility_purpose_type=random.choice(("facilities", "facilities", None)),
        facility_fuels_ids=[_uuid(random) for _ in range(random.choice((0, 0, 1, 2)))],
        invoices_length=random.randint(3, 90),
        supercharger=random.random() < 0.1,
        facility_id=f"FAC-{opened.year}-{number:03d}" if random.random() < 0.7 else None,
        hub_category=place.hub_category,
        created_at=_moment(random, opened),
        updated_at=_moment(random, _LAST_DAY) if random.random() < 0.7 else None,
    )
    if place.monthly_m3:
        _treat(holding, facility_id, place)
    own, own_biomass = emitted(holding.world, facility_id)
    # The API's total of a facility covers all its invoices, so it is never less than its own records.
    others = Decimal(f"{random.uniform(500, 60_000):.2f}") + round(own * Decimal(f"{random.uniform(0, 0.7):.3f}"), 3)
    being_built = place.kind == "factory" and not place.monthly_m3
    before = holding.world.peek_facility(facility_id)["updated_at"]
    holding.world.edit_facility(
        facility_id,
        co2e=None if being_built else own + others,
        co2e_biomass=None if being_built else own_biomass + round(others * Decimal("0.0125"), 4),
        updated_at=before,
    )


def _treat(holding: _Holding, facility_id: str, place: Place) -> None:
    """Adds the records of a plant."""
    random = holding.random
    # From whole kilograms to the nine places that the warehouse keeps.
    places, trend = PLACES.index(place) % 10, random.uniform(-0.05, 0.06)
    biogenic = random.uniform(0.45, 0.95) if place.monthly_m3 >= _DIGESTER_M3 else 0
    code = _plain(place.name).upper()[:12].strip("-")
    imported = _moment(random, date(place.first_year, 12, 20))
    for start, end in _periods(random, place):
        fields = _figures(random, place, start, end, trend=trend, places=places, biogenic=biogenic)
        user = random.choice(holding.people)
        in_bulk = start.year == place.first_year and end.month < 12
        late = end + timedelta(days=random.randint(1, 20))
        holding.world.add_record(
            facility_id,
            id=_uuid(random),
            invoice_id=f"{code}-{start:%Y-%m}" if random.random() < 0.95 else "s/n",
            start_date=start,
            end_date=end,
            user=dict(user),
            uploaded_by=user["id"] if random.random() < 0.9 else None,
            file_url=_signed(random) if random.random() < 0.6 else None,
            linked_projects=_links(random, holding.projects),
            created_at=imported if in_bulk else _moment(random, late),
            **fields,
        )


def _periods(random: Random, place: Place) -> Iterator[tuple[date, date]]:
    """First and last day of each record. A few come after a gap, a few overlap the record before."""
    day = date(place.first_year, 1, random.randint(1, 20))
    last = min(date(place.last_year, 12, 31), _LAST_DAY)
    while True:
        days = {"week": 7, "day": 1, "quarter": random.randint(85, 97)}.get(place.rhythm, random.randint(28, 35))
        end = day + timedelta(days=days - 1)
        if end > last:
            return
        yield day, end
        pause = random.randint(20, 40) if place.rhythm == "day" else 0
        luck = random.random()
        if luck < 0.03 and not _touch_reported(end, end + _LONGEST_GAP):
            pause += random.randint(5, _LONGEST_GAP.days)
        elif 0.03 < luck < 0.05 and days > 7:
            pause -= random.randint(2, 9)
        day = end + timedelta(days=1 + pause)


def _touch_reported(first: date, last: date) -> bool:
    return first.year <= _REPORTED[-1] and last.year >= _REPORTED[0]


def _figures(
    random: Random, place: Place, start: date, end: date, *, trend: float, places: int, biogenic: float
) -> dict[str, Any]:
    """Water in m³, sludge in kg, emissions in kg CO2e with `places` decimal places, and the status."""
    days = 30 if place.rhythm == "day" else (end - start).days + 1
    # 1 at the end of July, the 210th day, and -1 half a year later.
    phase = math.cos((start.timetuple().tm_yday - 210) / 365 * 2 * math.pi)
    season = 1 + (0.55 if place.tourism else 0.12) * phase
    years = start.year - place.first_year + start.month / 12
    water = place.monthly_m3 * days / 30 * season * (1 + trend) ** years * random.gauss(1, 0.04)
    water_in = Decimal(f"{max(water, 0.4):.3f}")
    water_out = round(water_in * Decimal(f"{random.uniform(0.93, 0.99):.4f}"), 3)
    factor = _KG_PER_M3[place.country] * random.gauss(1, 0.08)
    co2e = Decimal(f"{float(water_in) * factor:.{places}f}") if random.random() < 0.99 else Decimal("0.0")
    status, is_pending = _processed(random, start, end)
    biomass = float(co2e) * biogenic * random.gauss(1, 0.05)
    return {
        "status": status,
        "quantity": water_in,
        "base_quantity": water_out,
        "kg_sludge": Decimal(f"{float(water_in) * random.uniform(0.05, 0.09):.2f}"),
        "co2e": None if is_pending else co2e,
        "co2e_biomass": Decimal(f"{biomass:.6f}") if biomass and not is_pending else Decimal("0.0"),
    }


def _processed(random: Random, start: date, end: date) -> tuple[str, bool]:
    """The status of a record, and whether its emissions are pending. What is new waits more often than what is old."""
    if _touch_reported(start, end):
        return "active", False
    is_new = start.year > _REPORTED[-1]
    weights, waiting = ((82, 6, 8, 4), 0.15) if is_new else ((94, 2, 2, 2), 0.01)
    status = random.choices(("active", "uploaded", "loading", "error"), weights)[0]
    return status, status == "loading" or random.random() < waiting


def _links(random: Random, projects: list[tuple[str, str]]) -> list[Any]:
    """The documentation does not say what the elements look like, so ids and objects both occur."""
    chosen = random.sample(projects, k=random.choices((0, 1, 2), (85, 12, 3))[0])
    return [id_ if random.random() < 0.5 else {"id": id_, "name": name} for id_, name in chosen]


def _person(random: Random, first: str, last: str) -> dict[str, str]:
    email = f"{_plain(first)}.{_plain(last)}@example.org".lower()
    return {"id": _uuid(random), "first_name": first, "last_name": last, "email": email}


def _signed(random: Random) -> str:
    name, signature = f"{random.getrandbits(64):016x}", f"{random.getrandbits(128):032x}"
    return f"https://files.example.org/imports/{name}.csv?X-Amz-Expires=3600&X-Amz-Signature={signature}"


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L").replace("ß", "ss"))
    return "".join(letter if letter.isalnum() else "-" for letter in letters if not unicodedata.combining(letter))


def _moment(random: Random, day: date) -> str:
    return f"{day.isoformat()}T{random.randint(6, 20):02d}:{random.randint(0, 59):02d}:{random.randint(0, 59):02d}Z"


def _uuid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))
