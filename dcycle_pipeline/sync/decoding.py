"""Has landed lists decoded by another process while the next ones are read, so that both cores work.

It spares time, and nothing else: a list that is not decoded when it is needed, for whatever reason, is decoded then.
"""

import asyncio
import logging
import os
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

import msgspec

from dcycle_pipeline.landing.lists import ListResult
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse.decoded import Decoded, Place

FEWEST_ROWS = 20_000  # a quarter of a second of decoding; to start the process takes half a second of the other core
IN_WORK = 2  # lists that the process has at once: one to decode, and the next
SILENT_SECONDS = 300.0  # for decoding ten million rows; a process that is stopped would never answer
LONGEST_ANSWER = 1 << 24  # bytes: the places of a list of billions of rows
PROCESS = "dcycle_pipeline.warehouse.decoding_process"
_places = msgspec.json.Decoder(list[Place] | None)
_log = logging.getLogger(__name__)


class Decoding:
    """The other process, from the moment that it is worth while, until all `readers` are done; use it with `async with`.

    `decoded` is what it has done so far, None if that is nothing.
    """

    def __init__(self, run: Run, endpoint: str, readers: int) -> None:
        self.decoded: Decoded | None = None
        self._run = run
        self._endpoint = endpoint
        self._readers = readers
        self._waiting: deque[ListResult] = deque()
        self._in_work: deque[tuple[ListResult, asyncio.Future[None]]] = deque()
        self._rows = 0
        self._work: asyncio.Task[None] | None = None
        self._questions: asyncio.StreamWriter | None = None
        self._is_over = not _has_another_core()
        self._held = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._work is not None:
            self._work.cancel()
            with suppress(asyncio.CancelledError):
                await self._work
        await self._held.aclose()

    def offer(self, result: ListResult) -> None:
        """Have a list decoded that has just landed. One that came with rows twice is decoded as a whole, which takes memory: later."""
        proof = result.proof
        if self._is_over or result.landed_file is None or proof is None or proof.rows != proof.distinct:
            return
        self._waiting.append(result)
        self._rows += result.rows_count
        # One list alone is decoded as fast by who loads it, with nothing to wait for.
        if self._work is None and self._rows >= FEWEST_ROWS and len(self._waiting) > 1:
            self._work = asyncio.create_task(self._until_the_end())
        self._ask_more()

    async def has_decoded(self, results: list[ListResult]) -> None:
        """Wait for what the process has begun of the lists of one reader; it does not begin the others. That reader is done then."""
        keys = {each.key for each in results}
        self._waiting = deque(each for each in self._waiting if each.key not in keys)
        begun = {answer for each, answer in self._in_work if each.key in keys}
        while begun:
            done, begun = await asyncio.wait(begun, timeout=SILENT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not done and self._work is not None:
                self._work.cancel()
                break
        self._readers -= 1
        if self._readers == 0:
            self._is_over = True
            if self._questions is not None:
                self._questions.close()  # and the process ends

    def _ask_more(self) -> None:
        while self._questions is not None and self._waiting and len(self._in_work) < IN_WORK:
            result = self._waiting.popleft()
            self._in_work.append((result, asyncio.get_running_loop().create_future()))
            self._questions.write(msgspec.json.encode(replace(result, fingerprint=None)) + b"\n")

    async def _until_the_end(self) -> None:
        try:
            nameless = tempfile.TemporaryFile(dir=self._run.folder.spill)  # noqa: SIM115 - readers need it longer
            file = self._held.enter_context(nameless).fileno()
            async with self._process(file) as process:
                assert process.stdout is not None
                self.decoded, self._questions = Decoded(file), process.stdin
                self._ask_more()
                while line := await process.stdout.readline():
                    self._take(self.decoded, _places.decode(line))
        except Exception as error:
            _log.info("Landed lists are decoded by this process alone: %s", type(error).__name__)
        finally:
            self._is_over, self._questions = True, None
            for _, answer in self._in_work:
                answer.set_result(None)
            self._in_work.clear()

    def _take(self, decoded: Decoded, places: list[Place] | None) -> None:
        result, answer = self._in_work.popleft()
        if places is not None:
            decoded.add(result, places)
        answer.set_result(None)
        self._ask_more()

    @asynccontextmanager
    async def _process(self, file: int) -> AsyncIterator[asyncio.subprocess.Process]:
        landing = self._run.folder.landing.absolute()
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-P",
                "-m",
                PROCESS,
                self._run.settings.facilities_api,
                self._endpoint,
                landing,
                str(file),
            ),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LONGEST_ANSWER,
            pass_fds=[file],
            start_new_session=True,  # Ctrl-C is for this process; the other one ends as its input does
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _has_another_core() -> bool:
    return len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) > 1
