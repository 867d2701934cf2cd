"""How a run gets on while lists are read: bars on a terminal, lines elsewhere. Tables belong to `tables`."""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from dcycle_pipeline.cli import console, heartbeat
from dcycle_pipeline.cli.names import FirstOfAKind, list_named, named
from dcycle_pipeline.landing.lists import ListResult
from dcycle_pipeline.sync.progress import Progress
from dcycle_pipeline.telemetry import log_lines
from dcycle_pipeline.text import counted

if TYPE_CHECKING:
    from dcycle_pipeline.cli.bars import Bars


class Lines:
    """One line when an endpoint of an organisation is read, with the time since the start; one for the first list that stays unproven in its way."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._names: Mapping[str, str] = {}
        self._kinds = FirstOfAKind()
        self._left: dict[tuple[str, str], int] = {}
        self._total: dict[tuple[str, str], int] = {}
        self._rows: dict[tuple[str, str], int] = defaultdict(int)
        self._unproven: dict[tuple[str, str], int] = defaultdict(int)

    def called(self, names: Mapping[str, str]) -> None:
        self._names = names

    def expect(self, endpoint: str, organization_id: str, lists_count: int) -> None:
        self._left[endpoint, organization_id] = self._total[endpoint, organization_id] = lists_count

    def finished(self, result: ListResult) -> None:
        key = (result.key.endpoint, result.key.organization_id)
        self._left[key] -= 1
        self._rows[key] += result.rows_count
        self._unproven[key] += not result.nothing_missing
        with log_lines.about(organization_id=key[1], endpoint=key[0]):
            if self._kinds.is_news(result):
                with log_lines.about(facility_id=result.key.facility_id):
                    where = list_named(self._names, result.key)
                    console.say(f"{where}: {result.outcome}: {result.reason}", "warning")
            if self._left[key] == 0 and (self._rows[key] or self._unproven[key] < self._total[key]):
                self._tell_read(key)

    def _tell_read(self, key: tuple[str, str]) -> None:
        unproven = f", {self._unproven[key]:,} of them may lack rows" if self._unproven[key] else ""
        said = f"{counted(self._rows[key], 'row')} in {counted(self._total[key], 'list')}{unproven}"
        seconds = time.monotonic() - self._started
        console.say(f"{named(self._names, key[1])}, {key[0]}: {said} ({seconds:.1f} s)")

    def state(self) -> str:
        """What is being done, for who waits."""
        left, total = sum(self._left.values()), sum(self._total.values())
        if left:
            return f"{total - left:,} of {counted(total, 'list')} are read"
        return heartbeat.ALL_READ if total else ""

    def stop(self) -> None:
        return None


@contextmanager
def progress() -> Iterator[Progress]:
    """Bars on a terminal, lines elsewhere and in logs; all on stderr, so that stdout holds the result alone."""
    terminal = Console(stderr=True)
    shown = _bars(terminal) if terminal.is_terminal and not log_lines.are_json() else Lines()
    with heartbeat.knowing(shown.state):
        try:
            yield shown
        finally:
            shown.stop()


def _bars(terminal: Console) -> "Bars":
    from dcycle_pipeline.cli.bars import Bars

    return Bars(terminal)
