"""What a check found wrong with an output; the checks of every stage say it in this form.

Findings about rasters and samples, which a user can accept, are in `soc_assets.reporting.findings`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        check: the name of the check.
        severity: an `error` makes a wrong result if it flows on, a `warning` is worth a look.
        where: the file, table or run, named so that it can be found.
        found: what is wrong with it.
        cure: what to do.
    """

    check: str
    severity: Literal["error", "warning"]
    where: str
    found: str
    cure: str

    @property
    def words(self) -> str:
        """All of it in one paragraph."""
        return f"{self.where}: {self.found}. {self.cure}"


def errors(faults: Iterable[Fault]) -> list[Fault]:
    """Those that must not flow on."""
    return [fault for fault in faults if fault.severity == "error"]
