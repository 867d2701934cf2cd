"""A bar for every organisation and endpoint while lists are read: what a terminal shows in place of lines."""

from collections import defaultdict

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from dcycle_pipeline.landing.lists import ListResult
from dcycle_pipeline.text import plain


class Bars:
    """A bar for every organisation and endpoint, with counts and the time that is left."""

    def __init__(self, terminal: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rows]} rows"),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=terminal, transient=False)
        self._tasks: dict[tuple[str, str], TaskID] = {}
        self._rows: dict[tuple[str, str], int] = defaultdict(int)

    def expect(self, endpoint: str, organization_id: str, lists_count: int) -> None:
        self._progress.start()
        self._tasks[endpoint, organization_id] = self._progress.add_task(
            escape(plain(f"{organization_id[:13]} {endpoint}")), total=lists_count, rows=0
        )

    def finished(self, result: ListResult) -> None:
        key = (result.key.endpoint, result.key.organization_id)
        self._rows[key] += result.rows_count
        self._progress.update(self._tasks[key], advance=1, rows=self._rows[key])
        if not result.nothing_missing:
            self._progress.console.print(
                Text(plain(f"{result.key}: {result.outcome}: {result.reason}"), style="yellow")
            )

    def stop(self) -> None:
        self._progress.stop()
