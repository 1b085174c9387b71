"""Rows of the comparison with peers: what a result differs by from ours, and the table."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Difference:
    """How far a peer's numbers are from ours.

    Attributes:
        largest: absolute.
        median: absolute.
        tolerance: that the largest, or the median where `of_median`, must keep; None where both mean different things.
        compared: numbers.
    """

    largest: float
    median: float
    tolerance: float
    of_median: bool
    compared: int

    @property
    def holds(self) -> bool:
        """Whether the tolerance is kept; False where nothing was compared."""
        return self.compared > 0 and (self.median if self.of_median else self.largest) <= self.tolerance

    @property
    def words(self) -> str:
        """For the table."""
        limit = f"{'median' if self.of_median else 'all'} within {self.tolerance:.0e}"
        if not self.compared:
            return "nothing to compare"
        found = f"at most {self.largest:.1e}, median {self.median:.1e}"
        return f"{found} ({limit}{'' if self.holds else ': MISSED'})"


def compare(theirs: np.ndarray, ours: np.ndarray, tolerance: float, of_median: bool = False) -> Difference:
    """Compare arrays of one shape, where both have numbers.

    Raises:
        ValueError: the shapes differ.
    """
    if theirs.shape != ours.shape:
        raise ValueError(f"a peer's result is {theirs.shape}, ours {ours.shape}")
    both = np.isfinite(theirs) & np.isfinite(ours)
    gaps = np.abs(theirs[both].astype(np.float64) - ours[both])
    if not len(gaps):
        return Difference(np.nan, np.nan, tolerance, of_median, 0)
    return Difference(float(gaps.max()), float(np.median(gaps)), tolerance, of_median, len(gaps))


@dataclass(frozen=True)
class Row:
    """One way.

    Attributes:
        way: in words.
        seconds: wall time, scaled up where fewer samples were timed.
        processor: processor seconds, likewise.
        timed: what was timed, if not all.
        difference: from ours.
        instead: why there are no numbers.
        least: how many times as fast we mean to be.
    """

    way: str
    seconds: float = float("nan")
    processor: float = float("nan")
    timed: str = ""
    difference: str = ""
    instead: str = ""
    least: float | None = None


def missing_row(way: str, why: str) -> Row:
    """A way that could not be measured."""
    return Row(way, instead=f"not installed: {why}" if why else "not measured")


def table(title: str, rows: Sequence[Row]) -> str:
    """Rows as a Markdown table; the first is ours, and the others are compared with it."""
    ours = rows[0]
    lines = [
        f"| {title} | s | processor s | times ours (wall, processor) | difference from ours |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        name = f"{row.way} ({row.timed})" if row.timed else row.way
        if row.instead:
            lines.append(f"| {name} | {row.instead} | | | |")
            continue
        times = "" if row is ours else f"{row.seconds / ours.seconds:.3g}, {_number(row.processor / ours.processor)}"
        if row.least is not None:
            times += f" (at least {row.least:g})"
        lines.append(f"| {name} | {row.seconds:.3g} | {_number(row.processor)} | {times} | {row.difference} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    """Three digits; what was not measured is a dash."""
    return "-" if np.isnan(value) else f"{value:.3g}"
