"""Who hears how a run gets on."""

from typing import Protocol

from dcycle_pipeline.landing.lists import ListResult


class Progress(Protocol):
    """Hears how a step gets on: how many lists of an organisation it reads, then each list as it ends."""

    def expect(self, endpoint: str, organization_id: str, lists_count: int) -> None: ...

    def finished(self, result: ListResult) -> None: ...


class Silent:
    """No progress is shown."""

    def expect(self, endpoint: str, organization_id: str, lists_count: int) -> None:
        return None

    def finished(self, result: ListResult) -> None:
        return None
