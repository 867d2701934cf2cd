"""A bar for every endpoint while lists are read: what a terminal shows in place of lines."""

from collections import Counter
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from dcycle_pipeline.cli.heartbeat import ALL_READ, SHOWN_ALREADY
from dcycle_pipeline.cli.names import FirstOfAKind, list_named
from dcycle_pipeline.landing.lists import ListResult, without_request
from dcycle_pipeline.text import counted, plain


class Bars:
    """A bar for every endpoint, with its lists, its rows and the time so far; however many organisations there are."""

    def __init__(self, terminal: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[read]}"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=terminal, transient=False)
        self._names: Mapping[str, str] = {}
        self._kinds = FirstOfAKind()
        self._tasks: dict[str, TaskID] = {}
        self._total, self._rows, self._left = Counter[str](), Counter[str](), 0

    def called(self, names: Mapping[str, str]) -> None:
        self._names = names

    def expect(self, endpoint: str, organization_id: str, lists_count: int) -> None:
        self._progress.start()
        self._total[endpoint] += lists_count
        self._left += lists_count
        if endpoint not in self._tasks:
            self._tasks[endpoint] = self._progress.add_task(endpoint, total=0, read="")
        self._progress.update(self._tasks[endpoint], total=self._total[endpoint], read=self._read(endpoint))

    def finished(self, result: ListResult) -> None:
        endpoint = result.key.endpoint
        self._rows[endpoint] += result.rows_count
        self._left -= 1
        self._progress.update(self._tasks[endpoint], advance=1, read=self._read(endpoint))
        if self._kinds.is_news(result):
            said = f"{list_named(self._names, result.key)}: {result.outcome}: {without_request(result.reason)}"
            self._progress.console.print(Text(plain(said), style="yellow"))

    def _read(self, endpoint: str) -> str:
        return f"{'list' if self._total[endpoint] == 1 else 'lists'}, {counted(self._rows[endpoint], 'row')}"

    def state(self) -> str:
        """What is being done, for who waits. While lists are read, the bars say it."""
        if self._left:
            return SHOWN_ALREADY
        return ALL_READ if self._total else ""

    def stop(self) -> None:
        self._progress.stop()
