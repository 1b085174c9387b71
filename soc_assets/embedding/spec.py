"""The embedding spec: everything that decides the numbers, frozen in spec.json when it is first used.

The normalisation statistics are part of it, taken from the raster catalog at that moment: a raster that comes later
must not shift every batch. Drift since then is reported; `refit` freezes a new spec next to the old one.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from soc_assets.embedding import spec_file
from soc_assets.embedding.encoder.architecture import ARCHITECTURES, Architecture, pooled_tokens
from soc_assets.errors import RasterError
from soc_assets.rasters.steps import Slot, slots
from soc_assets.settings import Channel, ReferenceGrid

VERSION = 4  # of the code that makes the numbers: raise it when they change
DRIFT = 0.1  # standard deviations by which a band's mean may wander before it is reported


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of a band over the valid pixels of all its steps, in the band's unit."""

    mean: float
    std: float

    def apply(self, relative: np.ndarray, normalise: str) -> np.ndarray:
        """Values relative to the mean, restored (`none`) or standardised, as point values are with `image`, too."""
        if normalise == "none":
            return relative + np.float32(self.mean)
        return relative * np.float32(1 / self.std if self.std > 0 else 1)

    def restore(self, values: np.ndarray, normalise: str) -> np.ndarray:
        """What `apply` was given, plus the mean: values in the band's unit, float32."""
        if normalise == "none":
            return values.astype(np.float32)
        scale = float(np.float32(1 / self.std if self.std > 0 else 1))
        return (values.astype(float) / scale + float(np.float32(self.mean))).astype(np.float32)


@dataclass(frozen=True)
class Spec:
    """A frozen embedding spec.

    Attributes:
        choices: the settings that decide the numbers, as plain values.
        statistics: per band.
        created: when it was frozen, UTC.
    """

    choices: dict[str, Any]
    statistics: dict[str, Statistics]
    created: str

    @property
    def digest(self) -> str:
        """The short digest that names the folder."""
        statistics = {name: asdict(value) for name, value in self.statistics.items()}
        return spec_file.digest_of(self.choices, statistics)

    @property
    def architecture(self) -> Architecture:
        """Sizes of the transformer; its groups are of as many frames as those of the checkpoint."""
        known = ARCHITECTURES[self.choices["model"]]
        return replace(known, t_patch_size=self.choices.get("t_patch_size", known.t_patch_size))

    @property
    def bands(self) -> tuple[Channel, ...]:
        """The bands, in the order of the settings; of a class raster one per class."""
        return tuple(Channel.model_validate(band) for band in self.choices["bands"])

    @property
    def grid(self) -> ReferenceGrid | None:
        """The reference grid where it is not that of the reference band."""
        chosen = self.choices.get("grid")
        return ReferenceGrid.model_validate(chosen) if chosen else None

    @property
    def frames(self) -> int:
        """Bands seen together in one group: 1 for `expand`, the architecture's t_patch_size for `stack`."""
        return self.architecture.t_patch_size if self.choices["arrangement"] == "stack" else 1

    @property
    def _first_lag(self) -> int:
        return self.choices["first_lag"]

    @property
    def slots(self) -> list[Slot]:
        """Bands (or groups of them) and lags in feature order."""
        return slots(self.bands, self.choices["reference"], self.choices["time_before"], self._first_lag, self.frames)

    @property
    def band_slots(self) -> list[Slot]:
        """Single bands and lags in feature order, whatever the arrangement: those of the point values."""
        return slots(self.bands, self.choices["reference"], self.choices["time_before"], self._first_lag)

    @property
    def parts(self) -> list[np.ndarray]:
        """Tokens averaged into each part of the pooled vector."""
        return pooled_tokens(self.choices["image_size"], self.choices["pooling"], self.choices["anchor"])

    @property
    def linear(self) -> bool:
        """Whether an image's embedding is linear in its pixels and so comes from its mean patches alone."""
        return self.choices["stage"] == "patch_embed" and self.choices["pooling"] not in ("max", "none")

    @property
    def by_image(self) -> bool:
        """Whether each image is scaled by its own range, and not by statistics of its band."""
        return self.choices["normalise"] == "image"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and width of one image's embedding: (1, 768) when pooled with a base model, (144, 768) without."""
        width = self.architecture.width
        return (len(self.parts), width) if self.choices["pooling"] == "none" else (1, len(self.parts) * width)

    @property
    def n_features(self) -> int:
        """Length of the flattened vector when steps are aligned by lag."""
        return len(self.slots) * self.shape[0] * self.shape[1]

    @property
    def weights(self) -> str:
        """`random (seed 42)` or `pretrained (sha256 ...)`; of an imported run they are unknown."""
        source = self.choices["weights"]
        if "imported" in source:
            return f"unknown (imported from {source['imported']})"
        return f"random (seed {source['seed']})" if "seed" in source else f"pretrained (sha256 {source['sha256'][:12]})"

    def save(self, folder: Path) -> None:
        """Write spec.json and its second copy."""
        spec_file.write(folder / self.digest, {"digest": self.digest, **asdict(self)})


def pooled_statistics(catalog: pd.DataFrame) -> dict[str, Statistics]:
    """Mean and standard deviation per band over the valid pixels of all its rasters, exact."""
    result = {}
    for band, rows in catalog.groupby("band", sort=False):
        count = rows["valid_count"].to_numpy(float)
        mean, std = rows["mean"].fillna(0).to_numpy(float), rows["std"].fillna(0).to_numpy(float)
        if not count.sum():
            raise RasterError(f"No raster of the band {band} has a valid pixel: check its nodata and fill_values.")
        overall = float((count * mean).sum() / count.sum())
        variance = float((count * (std**2 + (mean - overall) ** 2)).sum() / count.sum())
        result[str(band)] = Statistics(overall, variance**0.5)
    return result


def find_spec(folder: Path, choices: Mapping[str, Any]) -> Spec | None:
    """The newest spec in `folder` with these choices, or None if they were never used.

    What was resolved when it was frozen is not asked for: any precision fits `auto`, and the checkpoint has its own
    group size.
    """

    def fits(spec: Spec) -> bool:
        resolved = {name: spec.choices[name] for name in ("t_patch_size",) if name in spec.choices}
        if choices["precision"] == "auto":
            resolved["precision"] = spec.choices["precision"]
        return spec.choices == {**choices, **resolved}

    return max(filter(fits, all_specs(folder)), key=lambda spec: spec.created, default=None)


def all_specs(folder: Path) -> list[Spec]:
    """Every spec in the embeddings folder; one that is damaged is read from its second copy.

    Raises:
        EmbeddingError: embeddings are there whose spec is lost.
    """
    specs = []
    for stored in spec_file.read_all(folder):
        statistics = {name: Statistics(**value) for name, value in stored["statistics"].items()}
        specs.append(Spec(stored["choices"], statistics, stored["created"]))
    return specs


def freeze(
    folder: Path,
    choices: dict[str, Any],
    catalog: pd.DataFrame,
    refit: bool = False,
    settle: Callable[[Spec], str] = lambda spec: "float32",
    complete: Callable[[dict[str, Any]], dict[str, Any]] = lambda choices: choices,
) -> Spec:
    """The spec for these choices: the one frozen before, or a new one with today's statistics (always, if `refit`).

    For a new one `complete` adds what the checkpoint decides, and `settle` resolves the precision `auto`; from then on
    both are part of the spec.
    """
    spec = None if refit else find_spec(folder, choices)
    if spec is None:
        spec = Spec(complete(choices), pooled_statistics(catalog), _newest(folder))
        if choices["precision"] == "auto":
            spec = replace(spec, choices={**spec.choices, "precision": settle(spec)})
        spec.save(folder)
    return spec


def _newest(folder: Path) -> str:
    """The time, or just after the newest spec where the clock was set back since: it is the newest that is used."""
    now = datetime.now(UTC)
    for spec in all_specs(folder):
        now = max(now, datetime.fromisoformat(spec.created) + timedelta(microseconds=1))
    return now.isoformat(timespec="microseconds")


def drift(spec: Spec, catalog: pd.DataFrame) -> list[str]:
    """Bands whose statistics have drifted from the frozen ones, as text."""
    words = []
    for band, now in pooled_statistics(catalog).items():
        if (frozen := spec.statistics.get(band)) is None:
            continue
        scale = frozen.std or 1.0
        if abs(now.mean - frozen.mean) > DRIFT * scale or abs(now.std - frozen.std) > DRIFT * scale:
            words.append(
                f"{band}: frozen mean {frozen.mean:.4g} (sd {frozen.std:.4g}), now {now.mean:.4g} (sd {now.std:.4g})"
            )
    return words
