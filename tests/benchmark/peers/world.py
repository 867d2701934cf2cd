"""An account of any size as ready answers: bytes made from templates, so a million records take seconds.

What is as it is in a real account, and why:
- Every row can be used. What bad rows cost is another question, which `tests.benchmark` asks.
- Most rows are active. In half of the facilities a few are uploaded, in some a few are loading or in error, so each status has to be
  asked for, and a list without a filter shows the same rows.
- 1 in 25 is pending: its co2e is null until Dcycle has calculated it.
- 1 in 10 has a number with more than nine places, as a division leaves it.
- `user` is an object with personal data, and `file_url` is signed. The signature changes on each start of the server, so no answer is
  twice the same to the byte although nothing changed, and nobody wins by comparing answers as they came.
- A record is 31 days long and begins a week before the one above it, so that it lies in two months. Its label ascends as its date
  descends: both sort orders that ours asks for are right with the same pages, which halves the memory.
- After a change, 1 % of the records of 10 % of the facilities have another co2e, as after a recalculation. Nothing else tells of it.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property

PAGE = 100
ORGANIZATION = "11111111-1111-4111-8111-111111111111"
STATUSES = ("uploaded", "active", "loading", "error")
Statuses = frozenset[str]
KINDS = 8  # of facilities, by the statuses of their rows
LAST_START = datetime(2025, 11, 30, tzinfo=UTC)
HERE = b"#####"  # where the number of the facility goes in a template, in ids and in numbers alike


@dataclass(frozen=True)
class Row:
    """One record of a template: its JSON, and what its co2e adds to the number of the facility; None if it is pending."""

    status: str
    text: bytes
    co2e: Decimal | None


def facility_id(number: int) -> str:
    return f"33333333-3333-4333-8333-0000000{number:05d}"


def status_of(kind: int, n: int) -> str:
    if kind >= 4 and n % 50 == 1:
        return "uploaded"
    if kind >= 6 and n % 100 == 2:
        return "loading"
    return "error" if kind == 7 and n % 200 == 4 else "active"


def co2e_of(n: int, status: str, calculation: int) -> str | None:
    """A number with the facility's inside it. `calculation` is how often it was recalculated."""
    if n % 25 == 3 or status in ("loading", "error"):
        return None
    return f"{n % 7 + 1}{calculation % 10}{HERE.decode()}.{n % 1000:03d}5"


@dataclass(frozen=True)
class Kind:
    """What facilities of the same templates have in common: statuses, number of records, recalculations, signature."""

    number: int
    count: int
    calculation: int
    signature: str

    @cached_property
    def rows(self) -> list[Row]:
        return [_row(self.number, n, self.calculation, self.signature) for n in range(self.count)]

    @cached_property
    def counters(self) -> dict[str, int]:
        """Those that no filter changes; records in error are in neither."""
        has = [row.status for row in self.rows]
        return {"total": has.count("active") + has.count("uploaded"), "total2": has.count("loading")}

    @cached_property
    def co2e(self) -> tuple[Decimal, int]:
        """The sum for a facility of number 0, and how many records are in it."""
        known = [row.co2e for row in self.rows if row.co2e is not None]
        return sum(known, Decimal(0)), len(known)


def _row(kind: int, n: int, calculation: int, signature: str) -> Row:
    """As tests.benchmark.pages.item, for any facility. What stands between = is a number."""
    status, here, start = status_of(kind, n), HERE.decode(), LAST_START - timedelta(days=7 * n)
    identifier = f"{here}{n % 1000:03d}-{n:04d}-4000-8000-{n:012d}"
    co2e = co2e_of(n, status, calculation if n % 100 == 5 else 0)
    item = {
        "id": identifier,
        "type": "waste_water_treatment",
        "status": status,
        "invoice_id": f"WWT-{n:07d}",
        "start_date": f"{start:%Y-%m-%d}",
        "end_date": f"{start + timedelta(days=30):%Y-%m-%d}",
        "facility_id": facility_id(0)[:-5] + here,
        "quantity": f"=2{here}.{n:05d}=",
        "base_quantity": f"=1{here}.{n:05d}=",
        "m3_water_out": f"=1{here}.{n:05d}=",
        "kg_sludge": f"=3{here}.{n % 4096 * 244140625:012d}=" if n % 10 == 0 else 850.0625 + n % 100,
        "percentage": 1,
        "co2e": co2e and f"={co2e}=",
        "co2e_biomass": 0.0,
        "unit": {"id": "u1", "name": "cubic_meter_(m3)", "type": "volume"},
        "user": {"id": f"user-{n % 7}", "first_name": "Ana", "last_name": "García", "email": f"ana{n % 7}@example.org"},
        "uploaded_by": f"user-{n % 7}",
        "source_invoice_id": identifier,
        "file_url": f"https://files.example.org/{here}/{n}?expires=1767225600&signature={signature}",
        "linked_projects": ["p-1"] if n % 20 == 0 else [],
        "facility_percentages": [],
        "created_at": "2025-02-01T10:30:00Z",
    }
    return Row(status, as_json(item), Decimal(co2e.replace(here, "00000")) if co2e else None)


def as_json(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace('"=', "").replace('="', "").encode()


@dataclass(frozen=True)
class World:
    """So many facilities with so many records each, after so many changes.

    Facilities that have less than a page differ, as real ones do: some have more and some fewer, and a few have several pages.
    """

    facilities: int
    records: int
    changes: int = 0
    signature: str = ""

    def calculation(self, number: int) -> int:
        """The last change that this facility was part of; each change takes the next tenth of them."""
        return max((change for change in range(1, self.changes + 1) if change % 10 == number % 10), default=0)

    def count(self, number: int) -> int:
        """How many records a facility has."""
        if self.records >= PAGE:
            return self.records
        return 150 if number % 1000 == 500 else 1 + number * 7 % (2 * self.records - 1)

    def kind(self, number: int) -> Kind:
        """The kind of a facility."""
        return _kind(number % KINDS, self.count(number), self.calculation(number), self.signature)

    def page(self, number: int, statuses: Statuses, page: int, size: int = PAGE) -> bytes:
        """A page of the records of a facility; all statuses if none is named."""
        return _template(self.kind(number), statuses, page, size).replace(HERE, b"%05d" % number)

    def record(self, number: int, n: int) -> bytes:
        """One record of a facility."""
        return self.kind(number).rows[n].text.replace(HERE, b"%05d" % number)

    def expected(self) -> tuple[int, Decimal]:
        """How many records there are, and the sum of their co2e in kg."""
        total, records = Decimal(0), 0
        for number in range(self.facilities):
            records += self.count(number)
            base, count = self.kind(number).co2e
            total += base + count * number
        return records, total


_kind = cache(Kind)


@cache
def _template(kind: Kind, statuses: Statuses, page: int, size: int) -> bytes:
    found = [row.text for row in kind.rows if not statuses or row.status in statuses]
    return as_page(found, page, size, {**kind.counters, "total_general": len(found)})


def as_page(items: list[bytes], page: int, size: int, counters: dict[str, int]) -> bytes:
    """The page of a list, with its envelope behind the items."""
    shown = b",".join(items[(page - 1) * size : page * size])
    return b'{"items":[' + shown + b"]," + as_json({**counters, "page": page, "size": size})[1:]
