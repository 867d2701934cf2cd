"""Which request meets which fault. What a fault does on the wire is in `wire`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from dcycle_pipeline.sandbox.world.chance import chance

FAULT_KINDS = (
    "429", "500", "502", "503", "504", "reset", "truncated", "not_json", "bad_json", "slow", "401", "403", "404",
    "redirect", "empty_body",
)  # fmt: skip
RETRY_AFTER = (None, "seconds", "date")


@dataclass(frozen=True)
class Target:
    """What the matchers see of a request."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    organization_id: str | None = None
    facility_id: str | None = None
    page: int | None = None

    @property
    def address(self) -> tuple[object, ...]:
        """The organisation travels in a header, so two organisations share addresses but not faults."""
        return (self.method, self.path, tuple(sorted(self.query)), self.organization_id)


@dataclass(frozen=True)
class Fault:
    kind: str
    organization_id: str | None = None
    facility_id: str | None = None
    path: str | None = None
    """A prefix."""
    page: int | None = None
    probability: float = 1.0
    times: int | None = None
    """How often one address fails before it works; None = for ever."""
    retry_after: str | None = None
    retry_after_seconds: int = 1
    seconds: float = 0.0
    """How late a slow answer is."""
    location: str = "https://elsewhere.example.org/"
    """Where a redirect leads."""
    chunked: bool = False
    """A truncated answer lacks its last chunk instead of contradicting its Content-Length."""

    def __post_init__(self) -> None:
        if self.kind not in FAULT_KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known: {', '.join(FAULT_KINDS)}")
        if self.retry_after not in RETRY_AFTER:
            raise ValueError(f"retry_after is 'seconds' or 'date', not {self.retry_after!r}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability is between 0 and 1, not {self.probability}")

    def matches(self, target: Target) -> bool:
        return (
            self.organization_id in (None, target.organization_id)
            and self.facility_id in (None, target.facility_id)
            and self.page in (None, target.page)
            and target.path.startswith(self.path or "")
        )


class FaultDice:
    """Counts askings per address, so that what happens does not depend on the order of other requests."""

    def __init__(self, faults: Sequence[Fault], seed: int) -> None:
        self._faults = tuple(enumerate(faults))
        self._seed = seed
        self._asked: Counter[tuple[object, ...]] = Counter()
        self._fired: Counter[tuple[object, ...]] = Counter()
        self._lock = Lock()

    def choose(self, target: Target) -> Fault | None:
        if not self._faults:
            return None
        with self._lock:
            self._asked[target.address] += 1
            asked = self._asked[target.address]
            for index, fault in self._faults:
                if fault.matches(target) and self._falls(index, fault, target.address, asked):
                    self._fired[(index, *target.address)] += 1
                    return fault
        return None

    def _falls(self, index: int, fault: Fault, address: tuple[object, ...], asked: int) -> bool:
        if fault.times is not None and self._fired[(index, *address)] >= fault.times:
            return False
        return fault.probability >= 1 or chance(self._seed, index, address, asked) < fault.probability
