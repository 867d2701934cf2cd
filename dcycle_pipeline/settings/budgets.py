"""How much one list, one organisation and one run may use, as settings. Counting what is used belongs to `api.meter`."""

from typing import NamedTuple

from pydantic import BaseModel, Field


class OwnTime(NamedTuple):
    """How long an organisation may be asked in a run, and the setting that says so."""

    minutes: float
    setting: str


class Budgets(BaseModel):
    """The settings that end what would never end by itself. Their defaults are far above what an account holds."""

    list_pages: int = Field(default=100_000, ge=1, description="pages of one list at most, all passes together")
    list_rows: int = Field(default=1_000_000, ge=1, description="different rows of one list at most")
    list_mb: float = Field(default=2000, gt=0, description="landed pages of one list at most, in MB before compression")
    list_minutes: float = Field(default=240, gt=0, description="longest time that one list is read")
    # Longer than one list may take, so that one that never ends leaves time for the others of its organisation.
    organization_minutes: float = Field(
        default=360, gt=0, description="longest time that a run asks one organisation; the rest of it is left unread"
    )
    run_hours: float = Field(
        default=12, gt=0, description="longest time that a run reads lists; the rest is left unread"
    )

    def time_of(self, organization_id: str) -> OwnTime:
        """How long an organisation may be asked in a run. Here it is the same for all of them."""
        del organization_id
        return OwnTime(self.organization_minutes, "DCYCLE_ORGANIZATION_MINUTES")
