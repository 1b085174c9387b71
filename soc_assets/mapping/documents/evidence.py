"""What is known of the model of a map: the samples that it was fitted and tested on, and how good it was.

Counts and scores alone: no coordinate of a sample is in it, so that a map can be published with it.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Campaign:
    """The samples of one source.

    Attributes:
        source: the campaign, as the table of samples names it.
        year_from: of the first sample; None where no year is known.
        year_to: of the last.
        splits: samples by split.
    """

    source: str
    year_from: int | None
    year_to: int | None
    splits: dict[str, int]


@dataclass(frozen=True)
class Score:
    """How good the model, or its recipe, was on samples that it had not seen.

    Attributes:
        by: `test split`, or the folds: `block folds`.
        n: samples.
        units: what the intervals draw: `locations`, `blocks`; "" where that was not kept.
        r2: coefficient of determination, with the ends of its 95 % interval (None where there are none).
        rmse: g/kg, likewise.
        coverage: share of the samples inside their prediction interval; None where that is not known.
        level: that it should be; None where that is not known.
    """

    by: str
    n: int
    units: str
    r2: tuple[float | None, float | None, float | None]
    rmse: tuple[float | None, float | None, float | None]
    coverage: float | None
    level: float | None


@dataclass(frozen=True)
class Evidence:
    """Samples and scores; both empty where nothing is known."""

    campaigns: Sequence[Campaign] = ()
    scores: Sequence[Score] = ()

    @property
    def splits(self) -> list[str]:
        """Those that there are, in the order of the campaigns."""
        return list(dict.fromkeys(split for each in self.campaigns for split in each.splits))

    def samples_as_json(self) -> list[dict[str, Any]]:
        """The campaigns for a JSON file."""
        return [asdict(each) for each in self.campaigns]

    def scores_as_json(self) -> list[dict[str, Any]]:
        """The scores for a JSON file, ends of intervals under names of their own."""
        found = []
        for each in self.scores:
            row = asdict(each)
            for name in ("r2", "rmse"):
                row[name], row[f"{name}_low"], row[f"{name}_high"] = row[name]
            found.append(row)
        return found
