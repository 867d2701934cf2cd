"""One thing that a check-up looked at. Looking belongs to `doctor` and `doctor_folder`."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "error", "down"]


@dataclass(frozen=True)
class Diagnosis:
    """One thing looked at. `error` is a wrong setting, `down` something out of reach, `warn` a risk."""

    level: Level
    subject: str
    what: str
    advice: str = ""
