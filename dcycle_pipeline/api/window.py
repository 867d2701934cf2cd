"""How many requests of one organisation are under way at once: one at first, one more for each answer, half as many after a failure.

So an organisation that does not answer holds few of the connections that all share, and one that answers soon has as many as it can use.
"""

import asyncio
from collections import deque
from types import TracebackType

from dcycle_pipeline.errors import ListError, ThrottledError, TransientError


class Window:
    """Lets so many in, the first comer first; use it with `async with`. `first` is how many that are at first, `most` in the end.

    It is a semaphore whose size changes, which asyncio has not.
    """

    def __init__(self, most: int, first: int = 1) -> None:
        self._most = most
        self._size = min(most, first)
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._under_way -= 1
                self._let_in()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._under_way -= 1
        if error is None or isinstance(error, ListError):
            self._size = min(self._most, self._size + 1)
        elif isinstance(error, TransientError) and not isinstance(error, ThrottledError):  # that is a matter of pace
            self._size = max(1, self._size // 2)
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self._under_way < self._size:
            turn = self._waiting.popleft()
            if not turn.done():  # else who waited for it was cancelled
                self._under_way += 1
                turn.set_result(None)
