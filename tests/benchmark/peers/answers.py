"""What the server answers: everything that a sync asks for is made before the first request, the rest when it is asked for.

A request is understood by splitting its target once. Sort orders that the pages do not have, and what Dcycle does not document, are
refused with 422, so that nobody is measured on a wrong answer.
"""

from collections import Counter

from tests.benchmark.peers.world import ORGANIZATION, PAGE, STATUSES, World, as_json, as_page, facility_id

WWT, FACILITIES, TREE, TOTALS = (
    b"/v1/waste-water-treatments",
    b"/v1/facilities",
    b"/v2/organizations/tree",
    b"/v1/total-impacts",
)
LISTS = (WWT, FACILITIES, TREE, TOTALS)
PAGED = (WWT, FACILITIES)
STATUS = (b"status%5B%5D", b"status[]", b"status%5b%5d")
SORTS = (b"", b"-start_date", b"invoice_id")
FACILITY_STATUSES = ("active", "archived")
YEARS = range(1920, 2030)
Key = tuple[bytes, bytes, frozenset[bytes], bytes]
NONE: frozenset[bytes] = frozenset()


def http(status: bytes, body: bytes) -> bytes:
    """A whole answer."""
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


REFUSED = http(b"422 Unprocessable Entity", b'{"detail":"Unprocessable Entity"}')
NOT_FOUND = http(b"404 Not Found", b'{"detail":"Not Found","code":"NOT_FOUND"}')


def facility(world: World, number: int) -> bytes:
    """A facility. 1 in 20 is archived; its total moves with the calculation of its records."""
    item = {
        "id": facility_id(number),
        "name": f"Planta {number}",
        "address": "Camino del Agua 1, Zaragoza",
        "country": ("ES", "PT", "FR")[number % 3],
        "type": "factory",
        "status": "archived" if number % 20 == 19 else "active",
        "co2e": 10**9 + number + world.calculation(number) * 1000,
        "co2e_biomass": 0.0,
        "logistic_factor": 0.8,
        "categories": ["electricity", "water"],
        "cups_list": [f"ES00210000000{number:05d}AA"],
        "facility_purpose_type": "facilities",
        "created_at": "2024-01-01T00:00:00Z",
        "updated_at": None,
    }
    return as_json(item)


class Answers:
    """The ready answers of a world. `counts` are the requests by address, and those answered with something not ready."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = {facility_id(number).encode(): number for number in range(world.facilities)}
        self._sites = [facility(world, number) for number in range(world.facilities)]
        self._ready: dict[Key, bytes] = {}
        self.counts: Counter[str] = Counter()
        self._prepare()

    def of(self, target: bytes) -> bytes:
        """The answer to a GET."""
        path, _, query = target.partition(b"?")
        facility, page, size, sort, statuses = b"", b"1", b"", b"", []
        for part in query.split(b"&"):
            name, _, value = part.partition(b"=")
            if name in STATUS:
                statuses.append(value)
            elif name == b"page":
                page = value
            elif name in (b"facility_id", b"start_date"):
                facility = value
            elif name == b"size":
                size = value
            elif name == b"sort":
                sort = value
            elif name and path != TOTALS:
                return self._note("refused", REFUSED)
        self.counts[path.decode() if path in LISTS else "details"] += 1
        asked = (path, facility, frozenset(statuses), page)
        if (size == b"100" or path not in PAGED) and sort in SORTS and (found := self._ready.get(asked)):
            return found
        return self._made(asked, size, sort)

    def _note(self, what: str, answer: bytes) -> bytes:
        self.counts[what] += 1
        return answer

    def _made(self, asked: Key, size: bytes, sort: bytes) -> bytes:
        """An answer that is not ready: pages of other statuses or sizes, single items."""
        path, facility, named, page = asked
        *above, last = path.split(b"/")
        if path.startswith(FACILITIES + b"/") and last in self._numbers:
            return self._note("not ready", http(b"200 OK", self._sites[self._numbers[last]]))
        if path.startswith(WWT + b"/") and last == b"detail":
            return self._note("not ready", self._record(above[-1].decode()))
        if sort not in SORTS or not page.isdigit() or not size.isdigit() or not 1 <= int(size) <= PAGE or page == b"0":
            return self._note("refused", REFUSED)
        statuses = frozenset(name.decode() for name in named)
        if path == FACILITIES and statuses <= set(FACILITY_STATUSES):
            return self._note("not ready", self._facilities(statuses, int(page), int(size)))
        if path == WWT and statuses <= set(STATUSES) and facility in self._numbers:
            body = self._world.page(self._numbers[facility], statuses, int(page), int(size))
            return self._note("not ready", http(b"200 OK", body))
        return self._note("refused", NOT_FOUND)

    def _record(self, identifier: str) -> bytes:
        number, n = identifier[:5], identifier[-12:]
        if (
            not (number.isdigit() and n.isdigit())
            or int(number) >= self._world.facilities
            or int(n) >= self._world.count(int(number))
        ):
            return NOT_FOUND
        return http(b"200 OK", self._world.record(int(number), int(n)))

    def _facilities(self, statuses: frozenset[str], page: int, size: int) -> bytes:
        found = [
            text
            for number, text in enumerate(self._sites)
            if not statuses or FACILITY_STATUSES[number % 20 == 19] in statuses
        ]
        counters = {"total": len(found), "pages": -(-len(found) // size)}
        return http(b"200 OK", as_page(found, page, size, counters))

    def _prepare(self) -> None:
        tree = {"id": ORGANIZATION, "name": "Aguas", "children": []}
        self._ready[TREE, b"", NONE, b"1"] = http(b"200 OK", as_json(tree))
        for year in YEARS:
            self._ready[TOTALS, b"%d-01-01" % year, NONE, b"1"] = http(b"200 OK", _total(year))
        for page in pages(self._world.facilities):
            self._keep((FACILITIES, b""), FACILITY_STATUSES, page, self._facilities(frozenset(), page, PAGE))
        for identifier, number in self._numbers.items():
            for page in pages(self._world.count(number)):
                answer = http(b"200 OK", self._world.page(number, frozenset(), page))
                self._keep((WWT, identifier), STATUSES, page, answer)

    def _keep(self, list_: tuple[bytes, bytes], every: tuple[str, ...], page: int, answer: bytes) -> None:
        """The same answer for all statuses and for none named."""
        for statuses in (NONE, frozenset(name.encode() for name in every)):
            self._ready[*list_, statuses, b"%d" % page] = answer


def pages(rows: int) -> range:
    """The pages of so many rows, and an empty one behind them, which ours looks at if the last one is full."""
    return range(1, -(-rows // PAGE) + 2)


def _total(year: int) -> bytes:
    """More than all records together: the total is of all sources."""
    scopes = [{"scope": scope, "co2e": 1e9, "category": None, "year": None, "month": None} for scope in (1, 2, 3)]
    return as_json(
        {
            "organization_id": ORGANIZATION,
            "start_date": f"{year}-01-01",
            "end_date": f"{year}-12-31",
            "unit": "tCO2e",
            "total_co2e": 3e9,
            "items": scopes,
        }
    )
