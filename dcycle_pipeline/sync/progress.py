"""Who hears how a run gets on."""

from collections.abc import Mapping
from typing import Protocol

from dcycle_pipeline.landing.lists import ListResult


class Progress(Protocol):
    """Hears what organisations are called, then how a step gets on: how many lists of one it reads, then each list as it ends."""

    def called(self, names: Mapping[str, str]) -> None: ...

    def expect(self, endpoint: str, organization_id: str, lists_count: int) -> None: ...

    def finished(self, result: ListResult) -> None: ...


class Silent:
    """No progress is shown."""

    def called(self, names: Mapping[str, str]) -> None:
        return None

    def expect(self, endpoint: str, organization_id: str, lists_count: int) -> None:
        return None

    def finished(self, result: ListResult) -> None:
        return None
