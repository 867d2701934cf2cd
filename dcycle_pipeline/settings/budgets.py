"""How much one list and one run may use, as settings. Counting what is used belongs to `api.meter`."""

from pydantic import BaseModel, Field


class Budgets(BaseModel):
    """The settings that end what would never end by itself. Their defaults are far above what an account holds."""

    list_pages: int = Field(default=100_000, ge=1, description="pages of one list at most, all passes together")
    list_rows: int = Field(default=1_000_000, ge=1, description="different rows of one list at most")
    list_mb: float = Field(default=2000, gt=0, description="landed pages of one list at most, in MB before compression")
    list_minutes: float = Field(default=240, gt=0, description="longest time that one list is read")
    run_hours: float = Field(
        default=12, gt=0, description="longest time that a run reads lists; the rest is left unread"
    )
