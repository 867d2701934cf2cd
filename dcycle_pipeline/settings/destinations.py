"""Where a publication also goes, as settings. Which destinations there are, and sending to them, belongs to `publish`."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, field_validator

_IN_PATTERNS = "*?[]{}"  # readers name the files by a pattern, and could not name a folder with one of these


class Destinations(BaseModel):
    """The destinations beside the published file, and what each of them needs. None is set by default."""

    destinations: str = Field(
        default="", description="where each publication also goes, e.g. parquet; several with commas"
    )
    parquet_dir: Path | None = Field(default=None, description="folder for Parquet files, outside of DCYCLE_DATA_DIR")
    parquet_by_organization: bool = Field(
        default=False, description="write a folder of Parquet files for each organisation too"
    )

    @field_validator("parquet_dir", mode="before")
    @classmethod
    def _whole_folder(cls, value: Any) -> Path | None:
        if value is None:
            return None
        if "://" in (text := str(value).strip()):
            raise ValueError("is an address: only folders of this machine can be written, also mounted ones")
        if found := [each for each in _IN_PATTERNS if each in text]:
            raise ValueError(f"holds {found[0]}, which readers take for a pattern: choose another name")
        try:
            return Path(text).expanduser().absolute()
        except RuntimeError as error:
            raise ValueError(f"names no folder: {error} Name it in full") from None
