"""The one writer of a step: stages what organisations have read, and merges it, of as many at once as wait for it.

A statement has its price, however few rows it is for: 200 organisations of a few records one by one took ten times as long. Which
lists are read, and what is asked about rows that vanished, belongs to `lists`.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import duckdb

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.lists import ListKey, ListResult
from dcycle_pipeline.landing.manifest import SweepManifest
from dcycle_pipeline.sync.decoding import Decoding
from dcycle_pipeline.sync.judgement import Verdict
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.compared import Seen
from dcycle_pipeline.warehouse.load import load_lists, merge_sweeps
from dcycle_pipeline.warehouse.merge import Staging

# Bounds what is staged at once of several organisations. One with more rows is staged alone, as if there were no others.
MOST_ORGANIZATIONS, MOST_ROWS = 100, 20_000


@dataclass(frozen=True, eq=False)
class Swept:
    """What was read of one organisation: the results of its lists, those that are `unchanged`, those that are noted beside them
    without having been read, and what the same run decided before about rows of lists that it does not read again.
    """

    organization_id: str
    results: Mapping[ListKey, ListResult]
    unchanged: Collection[ListKey] = ()
    beside: tuple[ListResult, ...] = ()
    deleted_before: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def rows_count(self) -> int:
        return sum(result.rows_count for key, result in self.results.items() if key not in self.unchanged)


@dataclass
class _Errand:
    """What an organisation waits for: to see its lists compared, or with a `verdict` to have them merged."""

    swept: Swept
    verdict: Verdict | None = None
    seen: Seen = field(default_factory=Seen)
    merged: list[ListResult] | None = None
    is_done: bool = False
    failure: Exception | None = None


class Merging:
    """Stages, compares and merges the lists of one endpoint. Nobody else uses the connection meanwhile.

    What the API is asked about an organisation, it is asked while others are merged.
    """

    def __init__(self, run: Run, connection: duckdb.DuckDBPyConnection, endpoint: Endpoint, decoding: Decoding) -> None:
        self._run = run
        self._connection = connection
        self._endpoint = endpoint
        self._decoding = decoding
        self._writing = asyncio.Lock()
        self._waiting: deque[_Errand] = deque()
        self._staged: tuple[Swept, Staging] | None = None

    async def compare(self, swept: Swept) -> tuple[Seen, list[ListResult] | None]:
        """What the lists of an organisation show beside its versions. If that leaves no question, they are merged, and their results
        come too.
        """
        errand = await self._done(_Errand(swept))
        return errand.seen, errand.merged

    async def merge(self, swept: Swept, verdict: Verdict) -> list[ListResult]:
        """Merge the lists of an organisation, with what became of the rows that vanished; their results, with their counts."""
        errand = await self._done(_Errand(swept, verdict))
        assert errand.merged is not None
        return errand.merged

    async def _done(self, errand: _Errand) -> _Errand:
        self._waiting.append(errand)
        async with self._writing:
            if not (errand.is_done or errand.failure):  # else another one's turn served it too
                await asyncio.to_thread(self._serve_or_fail, self._next())
        if errand.failure:
            raise errand.failure
        return errand

    def _next(self) -> list[_Errand]:
        errands = [self._waiting.popleft()]
        rows = errands[0].swept.rows_count
        while self._waiting and len(errands) < MOST_ORGANIZATIONS:
            rows += self._waiting[0].swept.rows_count
            if rows > MOST_ROWS:
                break
            errands.append(self._waiting.popleft())
        return errands

    def _serve_or_fail(self, errands: list[_Errand]) -> None:
        try:
            self._serve(errands)
        except Exception as error:
            for errand in errands:
                errand.failure = error

    def _serve(self, errands: list[_Errand]) -> None:
        staging = self._staging(errands)
        if any(errand.verdict is None for errand in errands):
            seen = staging.compared.seen()
            for errand in errands:
                errand.seen = seen[errand.swept.organization_id]
        ready = [errand for errand in errands if errand.verdict is not None or not errand.seen.leaves_questions]
        # An organisation alone, as a large one is, comes back to what is staged of it, if nobody came between.
        self._staged = None if ready or len(errands) > 1 else (errands[0].swept, staging)
        if ready:
            self._merge(staging, ready)
        for errand in errands:
            errand.is_done = True

    def _staging(self, errands: list[_Errand]) -> Staging:
        if self._staged and len(errands) == 1 and self._staged[0] is errands[0].swept:
            return self._staged[1]
        organization_ids = [errand.swept.organization_id for errand in errands]
        landing, decoded = self._run.folder.landing, self._decoding.decoded
        staging = Staging(self._connection, self._endpoint, organization_ids, landing, decoded)
        results = [result for errand in errands for result in errand.swept.results.values()]
        unchanged = {key for errand in errands for key in errand.swept.unchanged}
        load_lists(staging, results, self._run.settings.memory_limit_mb, unchanged)
        return staging

    def _merge(self, staging: Staging, errands: list[_Errand]) -> None:
        """Write the decisions beside the landed pages, then merge them."""
        moments, began = run_log.moments(self._connection, self._run.now()), self._run.started_at(self._connection)
        sweeps = []
        for moment, errand in zip(moments, errands, strict=False):
            swept, verdict = errand.swept, errand.verdict or Verdict()
            results = [staging.described(result) for result in (*swept.results.values(), *swept.beside)]
            deleted, unlisted, doubtful = (
                {**swept.deleted_before, **verdict.deleted},
                verdict.unlisted,
                verdict.doubtful,
            )
            where, pending_only = (swept.organization_id, self._endpoint.name), self._run.pending_only
            sweeps.append(
                SweepManifest(
                    self._run.run_id,
                    began,
                    moment,
                    *where,
                    results,
                    deleted,
                    unlisted,
                    doubtful,
                    pending_only=pending_only,
                )
            )
        for sweep in sweeps:
            manifest.write_sweep(self._run.folder.landing, sweep)
        merged = merge_sweeps(staging, sweeps, self._run.settings.memory_limit_mb)
        for errand, results in zip(errands, merged, strict=True):
            errand.merged = results
