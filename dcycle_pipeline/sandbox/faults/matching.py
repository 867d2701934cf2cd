"""Which request meets which fault. What the client then sees belongs to `wire`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from dcycle_pipeline.sandbox.world.chance import chance

FAULT_KINDS = (
    "429", "500", "502", "503", "504", "reset", "truncated", "not_json", "bad_json", "slow", "401", "403", "404",
    "redirect", "empty_body", "no_route", "404_page", "410", "foreign", "408", "425", "501", "520", "error_body",
    "throttled", "throttled_page",
)  # fmt: skip
RETRY_AFTER = (None, "seconds", "date")


@dataclass(frozen=True)
class Target:
    """What a fault is matched with: the parts of a request that it may name."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    organization_id: str | None = None
    facility_id: str | None = None
    page: int | None = None

    @property
    def address(self) -> tuple[object, ...]:
        """What failures are counted by: with the organisation, because two of them share URLs but not faults."""
        return (self.method, self.path, tuple(sorted(self.query)), self.organization_id)


@dataclass(frozen=True)
class Fault:
    """A wrong answer, and the requests that get it: those that match every field given.

    `Fault("429", path="/v1/facilities", times=2, retry_after="seconds")` refuses the first two requests of each address
    below that path. Raises ValueError on an unknown kind, a wrong `retry_after` or a probability outside 0 to 1.
    """

    kind: str
    """A status, or one of these words of FAULT_KINDS:

    slow | reset (no answer) | truncated (the connection ends within the body) | bad_json (200 with half a document) |
    not_json (200 with a maintenance page) | empty_body | redirect | no_route (404 in FastAPI's words, without the API's code) |
    404_page (404 of a proxy, in HTML) | foreign (403: the facility belongs to another organisation) |
    error_body (200 with an error in it) | throttled (403 that says so) | throttled_page (the same of a proxy, in HTML).
    """
    organization_id: str | None = None
    facility_id: str | None = None
    path: str | None = None
    """The path of the URL begins with this."""
    page: int | None = None
    probability: float = 1.0
    """The chance of a matching request to fail."""
    times: int | None = None
    """How often one address fails before it works. None: for ever."""
    retry_after: str | None = None
    """Form of the Retry-After header: seconds | date (by the server's clock). None: no header."""
    retry_after_seconds: int = 1
    """Negative: a date in the past."""
    seconds: float = 0.0
    """The delay of a slow answer."""
    location: str = "https://elsewhere.example.org/"
    """The address that a redirect leads to."""
    chunked: bool = False
    """A truncated answer lacks its last chunk. If false, it is shorter than its Content-Length."""

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known: {', '.join(FAULT_KINDS)}")
        if self.retry_after not in RETRY_AFTER:
            raise ValueError(f"retry_after is 'seconds' or 'date', not {self.retry_after!r}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability is between 0 and 1, not {self.probability}")

    def matches(self, target: Target) -> bool:
        """Whether a request has everything that the fault names. Its chance and `times` are for FaultDice to judge."""
        return (
            self.organization_id in (None, target.organization_id)
            and self.facility_id in (None, target.facility_id)
            and self.page in (None, target.page)
            and target.path.startswith(self.path or "")
        )


class FaultDice:
    """Chooses the fault of each request.

    It counts the requests of each address by itself, so the choice does not depend on other requests or their order.
    """

    def __init__(self, faults: Sequence[Fault], seed: int) -> None:
        self._faults = tuple(enumerate(faults))
        self._seed = seed
        self._asked: Counter[tuple[object, ...]] = Counter()
        self._fired: Counter[tuple[object, ...]] = Counter()
        self._lock = Lock()

    def choose(self, target: Target) -> Fault | None:
        """The first fault that matches and strikes; None if the request is answered as usual."""
        if not self._faults:
            return None
        with self._lock:
            self._asked[target.address] += 1
            asked = self._asked[target.address]
            for index, fault in self._faults:
                if fault.matches(target) and self._strikes(index, fault, target.address, asked):
                    self._fired[(index, *target.address)] += 1
                    return fault
        return None

    def _strikes(self, index: int, fault: Fault, address: tuple[object, ...], asked: int) -> bool:
        if fault.times is not None and self._fired[(index, *address)] >= fault.times:
            return False
        return fault.probability >= 1 or chance(self._seed, index, address, asked) < fault.probability
