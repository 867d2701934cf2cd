"""Has landed lists decoded by another process while the next ones are read, so that both cores work.

It spares time, and nothing else: a list that is not decoded when it is needed, for whatever reason, is decoded then.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

import msgspec

from dcycle_pipeline.landing.lists import ListKey, ListResult
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse.decoded import Decoded, Place

FEWEST_ROWS = 20_000  # a quarter of a second of decoding; to start the process takes half a second of the other core
LONGEST_ANSWER = 1 << 24  # bytes: the places of a list of billions of rows
PROCESS = "dcycle_pipeline.warehouse.decoding_process"
_places = msgspec.json.Decoder(list[Place] | None)


class Decoding:
    """The other process, from the moment that it is worth while, until all `readers` are done; use it with `async with`.

    `decoded` is what it has done so far, None if that is nothing.
    """

    def __init__(self, run: Run, endpoint: str, readers: int) -> None:
        self.decoded: Decoded | None = None
        self._run = run
        self._endpoint = endpoint
        self._readers = readers
        self._offered: list[ListResult] = []
        self._rows = 0
        self._answers: dict[ListKey, asyncio.Future[None]] = {}
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
        """Have a list decoded that has just landed."""
        if result.landed_file is None or self._is_over:
            return
        self._offered.append(result)
        self._rows += result.rows_count
        self._answers[result.key] = asyncio.get_running_loop().create_future()
        if self._questions is not None:
            self._questions.write(_question(result))
        elif self._work is None and self._rows >= FEWEST_ROWS:
            self._work = asyncio.create_task(self._until_the_end())

    async def has_decoded(self, results: list[ListResult]) -> None:
        """Wait until the lists of one reader that were offered are decoded. That reader is done then."""
        if self._work is not None:
            await asyncio.gather(*(self._answers[each.key] for each in results if each.key in self._answers))
        self._readers -= 1
        if self._readers == 0:
            self._is_over = True
            if self._questions is not None:
                self._questions.close()  # and the process ends

    async def _until_the_end(self) -> None:
        try:
            nameless = tempfile.TemporaryFile(dir=self._run.folder.spill)  # noqa: SIM115 - readers need it longer
            file = self._held.enter_context(nameless).fileno()
            async with self._process(file) as process:
                assert process.stdin is not None
                assert process.stdout is not None
                self.decoded = Decoded(file)
                process.stdin.writelines(map(_question, self._offered))
                self._questions, answered = process.stdin, 0
                while line := await process.stdout.readline():
                    result, answered = self._offered[answered], answered + 1
                    if (places := _places.decode(line)) is not None:
                        self.decoded.add(result, places)
                    self._answers[result.key].set_result(None)
        except (OSError, ValueError):
            pass  # there is no such process, or not any more
        finally:
            self._is_over = True
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_result(None)

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


def _question(result: ListResult) -> bytes:
    return msgspec.json.encode(replace(result, fingerprint=None)) + b"\n"


def _has_another_core() -> bool:
    return len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) > 1
