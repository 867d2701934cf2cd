"""Asks for pages side by side, and says if one more may be there. Which pages prove a list belongs to `paging` and `few_passes`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from dcycle_pipeline.api.types import PAGE_SIZE, Paging, Server, read_counter
from dcycle_pipeline.errors import NotFoundError, RejectedError

T = TypeVar("T")


def may_go_on(paging: Paging, server: Server, envelope: Mapping[str, Any], size: int, last: int) -> bool:
    """Whether there may be rows behind the last page, which has `last` of them, if the counter is too low. The first page has `size`.

    Some servers clamp the size without saying so: a page as long as the longest that came from here may be a full one.
    """
    echoed = read_counter(envelope, ("size",)) or PAGE_SIZE
    full = min(echoed, PAGE_SIZE, max(server.longest_page, size))
    return not paging.floor or last >= full


async def ask_side_by_side(ask: Callable[[int], Awaitable[T]], numbers: range) -> list[T | None]:
    """The pages of these numbers, asked for at once; None for one that is past the end."""

    async def one(number: int) -> T | None:
        try:
            return await ask(number)
        except (NotFoundError, RejectedError):
            return None  # some servers answer so past the last page

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number)) for number in numbers]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
