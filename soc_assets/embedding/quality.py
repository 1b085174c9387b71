"""Checks of the numbers of a batch: finite, varied enough, and no column constant where the rasters differ.

Thresholds, and what is legitimately low, are in `soc_assets.embedding.variety`; reading the file is in
`soc_assets.embedding.check`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from soc_assets.embedding.spec import Spec
from soc_assets.embedding.tile_cache import POINT_WINDOWS
from soc_assets.embedding.variety import ENCODER_LEAST, ENOUGH, LINE, SCATTERED, Slot, effective_rank, stride
from soc_assets.reporting.findings import Finding, of_output

_DIFFERENT = 0.05  # standard deviations of a band by which 25 x 25 means must differ before vectors must, in float32
_DIFFERENT_ROUNDED = 0.5  # ... and where the numbers are rounded to 8 or 11 bits
_MOST_CONSTANT = 0.5  # share of an image's columns


class EmbeddingQuality:
    """The vectors of a batch of n samples, seen chunk by chunk."""

    def __init__(self, spec: Spec, n: int) -> None:
        self._spec, self._slots, self._frames = spec, spec.slots, spec.frames
        self._width = spec.shape[0] * spec.shape[1]
        self._seen = [Slot.empty(self._width) for _ in self._slots]
        place = {(slot.name, slot.lag): number for number, slot in enumerate(spec.band_slots)}
        self._points = [[place[band.name, slot.lag] for band in slot.bands] for slot in self._slots]
        names = [slot.name for slot in self._slots]
        self._stride = {name: stride(n, names.count(name), self._width) for name in set(names)}
        self._kept: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in dict.fromkeys(names)}
        self._not_finite: list[str] = []

    def see(
        self, images: Sequence[tuple[np.ndarray, np.ndarray]], points: np.ndarray, ids: Sequence[str], first: int
    ) -> None:
        """Take in some rows.

        Args:
            images: per column of the file, vectors [present, d] and which [rows * slots] are present, in slot order.
            points: [rows, band slots, 4] point values.
            ids: of the samples.
            first: number of the first row in the batch.
        """
        number = 0
        for vectors, present in images:
            slots = len(present) // max(len(ids), 1)
            place = np.flatnonzero(present)
            for own in range(slots):
                of_slot = place % slots == own
                found = vectors.reshape(-1, slots, self._width)[:, own] if present.all() else vectors[of_slot]
                self._see_slot(number, found, points, place[of_slot] // slots, ids, first)
                number += 1

    def _see_slot(
        self, number: int, vectors: np.ndarray, points: np.ndarray, rows: np.ndarray, ids: Sequence[str], first: int
    ) -> None:
        seen, name = self._seen[number], self._slots[number].name
        was_finite = seen.finite
        around = points[rows][:, self._points[number]]
        seen.see(vectors, around[:, :, -1])
        if was_finite and not seen.finite:
            row = int(np.argmin(np.isfinite(vectors).all(axis=1)))
            self._not_finite.append(f"sample {ids[rows[row]]}, {self._words(number)}")
        chosen = (rows + first) % self._stride[name] == 0
        per_vector = self._frames * len(POINT_WINDOWS)
        self._kept[name].append((vectors[chosen], around[chosen].reshape(int(chosen.sum()), per_vector)))

    def findings(self, path: Path) -> Iterator[Finding]:
        """What is wrong with the numbers."""

        def finding(check: str, severity: Literal["error", "warning"], found: str) -> Finding:
            return of_output(check, severity, str(path), found, "")

        if self._not_finite:
            places = "; ".join(self._not_finite[:3])
            count = len(self._not_finite)
            yield finding("finite", "error", f"numbers of {count} bands and lags are not finite (first {places})")
            return
        for check, found in (("rank", self._ranks()), ("constant_columns", self._constant())):
            for severity, words in found:
                if self._spec.by_image:  # windows that differ in level and range alone are equal then
                    severity, words = "warning", f"{words}; normalise = 'image' keeps neither level nor range"
                yield finding(check, severity, words)

    def _ranks(self) -> Iterator[tuple[Literal["error", "warning"], str]]:
        for name, kept in self._kept.items():
            if not kept:  # no sample of the batch is left in the study
                continue
            vectors, points = (np.concatenate(parts) for parts in zip(*kept, strict=True))
            if not any(self._must_vary(number) for number, slot in enumerate(self._slots) if slot.name == name):
                continue
            rank = effective_rank(vectors) if len(vectors) > 1 else None
            if rank == 0:
                yield "error", f"the embeddings of {name} are all the same, while the rasters differ"
            elif rank is not None and len(np.unique(vectors.sum(axis=1, dtype=np.float64))) >= ENOUGH:
                if rank < LINE and _scattered(points):
                    yield "error", f"the embeddings of {name} lie on a line (effective rank {rank:.2f})"
                elif rank < ENCODER_LEAST and self._spec.choices["stage"] == "encoder":
                    yield "warning", f"the embeddings of {name} have an effective rank of only {rank:.2f}"

    def _constant(self) -> Iterator[tuple[Literal["error", "warning"], str]]:
        shares = {number: float(seen.constant().mean()) for number, seen in enumerate(self._seen) if seen.count > 1}
        shares = {number: share for number, share in shares.items() if share > 0 and self._must_vary(number)}
        if grave := [number for number, share in shares.items() if share > _MOST_CONSTANT]:
            words = ", ".join(f"{shares[number]:.0%} of {self._words(number)}" for number in grave[:3])
            yield "error", f"most columns of {len(grave)} images are the same in every sample ({words})"
        elif shares:
            worst = max(shares, key=lambda number: shares[number])
            words = f"{shares[worst]:.1%} of {self._words(worst)}"
            yield "warning", f"columns of {len(shares)} images are the same in every sample (at most {words})"

    def _must_vary(self, number: int) -> bool:
        """Whether the rasters differ enough among the samples that the vectors of a slot must too."""
        choices = self._spec.choices
        exact = choices["storage"] == "float32" and choices["precision"] == "float32"
        statistics = [self._spec.statistics[band.name] for band in self._slots[number].bands]
        unit = np.array([one.std if choices["normalise"] == "none" else 1.0 for one in statistics])
        varied = np.array([one.std > 0 for one in statistics])
        least = np.where(varied, unit * (_DIFFERENT if exact else _DIFFERENT_ROUNDED), np.inf)
        return self._seen[number].inputs_differ(least)

    def _words(self, number: int) -> str:
        slot = self._slots[number]
        return slot.name if slot.lag is None else f"{slot.name} lag {slot.lag}"


def _scattered(points: np.ndarray) -> bool:
    """Whether point values [m, 4 * bands] do not lie on a line."""
    complete = points[np.isfinite(points).all(axis=1)]
    return len(complete) >= ENOUGH and effective_rank(complete) >= SCATTERED
