"""The settings of the report's look, beside the others. What they must be is in `look`."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, field_validator

from dcycle_pipeline.settings.look import USUAL_LANGUAGE, Look, known_language, known_locale, whole_logo


class Presentation(BaseModel):
    """How the report looks."""

    report_title: str = Field(default="", description="title of the report above the group's name")
    report_logo: Path | None = Field(default=None, description="picture at the head of the report: png, jpg or svg")
    report_language: str = Field(default=USUAL_LANGUAGE, description="language of the report: en or es")
    report_locale: str = Field(
        default="", description="how the report writes numbers, e.g. es_ES or de_DE; by default as its language does"
    )

    @field_validator("report_title")
    @classmethod
    def _trimmed(cls, value: str) -> str:
        return value.strip()

    @field_validator("report_language")
    @classmethod
    def _known_language(cls, value: str) -> str:
        return known_language(value)

    @field_validator("report_locale")
    @classmethod
    def _known_locale(cls, value: str) -> str:
        return known_locale(value)

    @field_validator("report_logo", mode="before")
    @classmethod
    def _whole_logo(cls, value: Any) -> Path | None:
        return whole_logo(value)

    @property
    def look(self) -> Look:
        """All of them together, as the report takes them."""
        return Look(self.report_title, self.report_logo, self.report_language, self.report_locale)
