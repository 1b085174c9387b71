"""Balancing: rare organic carbon counts for more in training, by repeating samples or by weights.

`balance` knows nothing of splits: it is given the training part, once for the study and again inside every fold.
Quantile bins and min_ratio are those of the original project; inverse-density weights follow Steininger et al.,
"Density-based weighting for imbalanced regression" (Machine Learning, 2021).
"""

from dataclasses import dataclass

import numpy as np

from soc_assets.errors import SamplingError
from soc_assets.settings import Sampling
from soc_assets.settings.soil import TAIL_THRESHOLD

SAMPLES_PER_BIN = 5  # on average; n_bins is cut down where there are too few samples


@dataclass(frozen=True)
class Balance:
    """What balancing gives each of n training samples.

    Attributes:
        bin: [n] int32, the bin of organic carbon, from 0.
        multiplicity: [n] int32, how often the sample is repeated, at least 1.
        weight: [n] float32, its weight in the loss, 1 on average.
    """

    bin: np.ndarray
    multiplicity: np.ndarray
    weight: np.ndarray


def balance(oc: np.ndarray, sampling: Sampling, seed: int) -> Balance:
    """Balance training samples by their organic carbon.

    Args:
        oc: [n] organic carbon of the training samples, g/kg. The draw depends on their order: sort them by sample_id.
        sampling: the settings balance, bins, n_bins, min_ratio, min_per_bin and max_multiplicity.
        seed: decides which samples of a bin are repeated once more than the others.

    Raises:
        SamplingError: there are no samples.

    >>> from soc_assets.settings import Sampling
    >>> carbon = np.repeat([10.0, 60.0], [15, 5])  # g/kg; peat is rare
    >>> balance(carbon, Sampling(bins="width", n_bins=2, min_ratio=1.0), seed=0).multiplicity[-5:].tolist()
    [3, 3, 3, 3, 3]
    """
    oc = np.asarray(oc, float)
    if not len(oc):
        raise SamplingError("There is no training sample to balance; widen the filters of [study] or add samples.")
    edges = bin_edges(oc, sampling)
    bins = np.searchsorted(edges[1:-1], oc, side="right").astype(np.int32)
    multiplicity, weight = np.ones(len(oc), np.int32), np.ones(len(oc), np.float32)
    if sampling.balance == "resample":
        multiplicity = _multiplicity(bins, sampling, seed)
    elif sampling.balance == "weights":
        weight = _inverse_density(bins, edges, sampling.max_multiplicity)
    return Balance(bins, multiplicity, weight)


def bin_edges(oc: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Edges [bins + 1] of organic carbon, g/kg, strictly increasing; one edge alone where all values are equal."""
    n_bins = max(1, min(sampling.n_bins, len(oc) // SAMPLES_PER_BIN))
    if sampling.bins == "width":
        return np.unique(np.linspace(oc.min(), oc.max(), n_bins + 1))
    return np.unique(np.quantile(oc, np.linspace(0, 1, n_bins + 1)))


def tail_share(oc: np.ndarray, multiplicity: np.ndarray | None = None, threshold: float = TAIL_THRESHOLD) -> float:
    """Share of samples above a threshold (g/kg), each counted `multiplicity` times (or with that weight)."""
    above = np.asarray(oc, float) > threshold
    counted = np.ones(len(above)) if multiplicity is None else np.asarray(multiplicity, float)
    return float(counted[above].sum() / counted.sum()) if len(above) else float("nan")


def _multiplicity(bins: np.ndarray, sampling: Sampling, seed: int) -> np.ndarray:
    """Every bin filled up to the target; within a bin, all samples repeat equally often but for a drawn remainder."""
    count = np.bincount(bins)
    target = np.maximum(count, max(int(np.ceil(sampling.min_ratio * count.max())), sampling.min_per_bin))
    order = np.lexsort((np.random.default_rng(seed).random(len(bins)), bins))
    rank = np.empty(len(bins), np.int64)
    rank[order] = np.arange(len(bins)) - (np.cumsum(count) - count)[bins[order]]
    repeats = target[bins] // count[bins] + (rank < target[bins] % count[bins])
    most = sampling.max_multiplicity if sampling.bins == "width" else repeats.max()
    return np.minimum(repeats, most).astype(np.int32)


def _inverse_density(bins: np.ndarray, edges: np.ndarray, most: int) -> np.ndarray:
    """Weights inverse to the samples per g/kg of the bin, at most `most` times the median, 1 on average."""
    if len(edges) < 2:
        return np.ones(len(bins), np.float32)
    weight = (np.diff(edges) / np.maximum(np.bincount(bins, minlength=len(edges) - 1), 1))[bins]
    weight = np.minimum(weight, most * np.median(weight))
    return (weight / weight.mean()).astype(np.float32)
