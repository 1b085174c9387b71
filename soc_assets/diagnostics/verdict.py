"""What one look at the machine found."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Verdict:
    """A subject, what was found of it and whether that is right; with a cure where it is not."""

    subject: str
    found: str
    state: Literal["ok", "warning", "error"] = "ok"
    cure: str = ""
