"""Progress as lines of a run's log in Dagster: one when an organisation is done, by name, and one warning for whatever it lacks."""

from collections.abc import Mapping

import dagster as dg

from dcycle_pipeline.landing.lists import FACILITIES_NOT_READ, ListKey, ListResult
from dcycle_pipeline.telemetry import log_lines
from dcycle_pipeline.text import counted, plain, with_id


class LogProgress:
    """Hears of a step. `names` are those of organisations, and of facilities that are known, by id. `told` is what the run was warned of:
    organisation and outcome.
    """

    def __init__(self, log: dg.DagsterLogManager, names: Mapping[str, str], told: set[tuple[str, str]]) -> None:
        self._log, self._names, self._told = log, names, told
        self._expected: dict[tuple[str, str], int] = {}
        self._ended: dict[tuple[str, str], dict[ListKey, ListResult]] = {}

    def called(self, names: Mapping[str, str]) -> None:
        self._names = {**self._names, **names}

    def expect(self, endpoint: str, organization_id: str, lists_count: int) -> None:
        self._expected[endpoint, organization_id] = lists_count
        self._ended[endpoint, organization_id] = {}
        said = f"{endpoint}: {counted(lists_count, 'list')} to read"
        self._say("debug" if lists_count else "info", organization_id, said, endpoint=endpoint)

    def finished(self, result: ListResult) -> None:
        """A list that is read again, because its news may be a race with a writer, is told again only if it fails."""
        which = result.key.endpoint, result.key.organization_id
        ended = self._ended.setdefault(which, {})
        is_again = result.key in ended
        ended[result.key] = result
        if is_again and not result.nothing_missing:
            self._done([result], 1)
        elif not is_again and len(ended) == self._expected.get(which, 1):
            self._done(list(ended.values()), len(ended))

    def _done(self, results: list[ListResult], lists_count: int) -> None:
        first = results[0].key
        missing = [result for result in results if not result.nothing_missing]
        rows = sum(result.rows_count for result in results)
        said = f"{first.endpoint}: {counted(rows, 'row')} in {counted(lists_count, 'list')}"
        if not missing:
            self._say("info", first.organization_id, f"{said}, nothing is missing", endpoint=first.endpoint)
            return
        # One denial is one warning, whatever else of the organisation it closes.
        news = {(first.organization_id, result.outcome) for result in missing} - self._told
        self._told |= news
        level = "warning" if {outcome for _, outcome in news} - {FACILITIES_NOT_READ} else "info"
        only = missing[0].key if len(missing) == 1 else first
        is_all = len(missing) == lists_count and not rows
        said = (
            f"{first.endpoint if is_all else f'{said}, {len(missing):,} of them may lack rows'}: {self._why(missing)}"
        )
        self._say(level, first.organization_id, said, endpoint=first.endpoint, facility_id=only.facility_id)

    def _why(self, missing: list[ListResult]) -> str:
        """The first reason of each outcome, and which list it is of."""
        by_outcome: dict[str, list[ListResult]] = {}
        for result in missing:
            by_outcome.setdefault(result.outcome, []).append(result)
        return "; ".join(
            f"{self._which(found[0].key)}{f' and {len(found) - 1} more' if found[1:] else ''}: {outcome}: {found[0].reason}"
            for outcome, found in by_outcome.items()
        )

    def _which(self, key: ListKey) -> str:
        if key.facility_id:
            return f"facility {with_id(self._names.get(key.facility_id), key.facility_id)}"
        return f"year {key.year}" if key.year else "the list"

    def _say(self, level: str, organization_id: str, text: str, **where: object) -> None:
        said = plain(f"{with_id(self._names.get(organization_id), organization_id)}, {text}")
        self._log.log(level.upper(), said)
        if log_lines.are_json() and level != "debug":
            with log_lines.about(organization_id=organization_id, **where):
                log_lines.write(level, said)
