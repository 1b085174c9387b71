"""Dissimilarity index and area of applicability: where training data resembled the points to predict.

Meyer and Pebesma, "Predicting into unknown space?" (Methods in Ecology and Evolution 12, 2021): features are
standardised and weighted by their importance; the dissimilarity of a place is its distance to the nearest training
sample over the mean distance between training samples. Training samples are compared with those of other folds only;
the largest of theirs that is not an outlier (beyond the upper quartile by 1.5 times the interquartile range) is the
threshold. Places above it are outside the area of applicability.
"""

from dataclasses import dataclass

import numpy as np

from soc_assets.regression.design.reduction import GroupReduction

_PAIRS = 2000  # training samples that the mean distance is taken over; the mean of all pairs of a few thousand is close
_CHUNK = 256
_FLAT = 3  # dimensions up to which a tree finds the nearest; in more of them it is slower than all distances


@dataclass(frozen=True)
class Applicability:
    """What `index` and `inside` need.

    Attributes:
        mean: [d] of the training features.
        scale: [d] standard deviation over importance weight; features without weight have scale inf.
        training: [n, d] weighted, standardised training samples.
        mean_distance: between training samples.
        threshold: dissimilarity index up to which a place is inside.
        space: that features are taken to before anything else; None takes them as they are.
    """

    mean: np.ndarray
    scale: np.ndarray
    training: np.ndarray
    mean_distance: float
    threshold: float
    space: GroupReduction | None = None

    @classmethod
    def fit(
        cls,
        features: np.ndarray,
        importance: np.ndarray,
        fold: np.ndarray,
        seed: int = 0,
        space: GroupReduction | None = None,
    ) -> "Applicability":
        """Learn the training data's distribution in feature space.

        Args:
            features: [n, d] of the training samples, without NaN; in the space, if there is one.
            importance: [d], at least 0; all equal where none is positive.
            fold: [n] cross-validation fold of each training sample.
            seed: chooses the pairs for the mean distance where there are more than 2,000 samples.
            space: that the features of places have yet to be taken to.
        """
        weight = np.maximum(np.asarray(importance, float), 0)
        weight = weight / weight.mean() if weight.sum() > 0 else np.ones(features.shape[1])
        mean, std = features.mean(axis=0), features.std(axis=0, ddof=1)
        with np.errstate(divide="ignore"):
            scale = np.where((std > 0) & (weight > 0), std / weight, np.inf)
        z = ((features - mean) / scale).astype(np.float32)
        some = z if len(z) <= _PAIRS else z[np.random.default_rng(seed).choice(len(z), _PAIRS, replace=False)]
        distance = mean_pairwise_distance(some) or 1.0
        found = np.empty(len(z))
        for number in np.unique(fold):
            held_out = fold == number
            found[held_out] = _nearest(z[held_out], z[~held_out]) / distance
        return cls(mean, scale, z, distance, upper_whisker(found[np.isfinite(found)]), space)

    @property
    def measured_in(self) -> str:
        """What distances are measured in, as text."""
        k = self.training.shape[1]
        if self.space is None:
            return f"its {k} reduced features"
        return f"{k} principal components of its standardised features ({self.space.explained:.1%} of their variance)"

    def index(self, features: np.ndarray) -> np.ndarray:
        """Dissimilarity index [m] of places [m, d]; 0 at a training sample, 1 at the mean distance between them."""
        taken = self.space.transform(features) if self.space else np.asarray(features)
        z = ((taken - self.mean) / self.scale).astype(np.float32)
        return _nearest(z, self.training) / self.mean_distance

    def inside(self, features: np.ndarray) -> np.ndarray:
        """Whether places [m, d] are inside the area of applicability."""
        return self.index(features) <= self.threshold


def upper_whisker(values: np.ndarray) -> float:
    """The largest value that is not beyond the upper quartile by more than 1.5 interquartile ranges."""
    if not len(values):
        return float("inf")
    lower, upper = np.quantile(values, [0.25, 0.75])
    return float(values[values <= upper + 1.5 * (upper - lower)].max())


def mean_pairwise_distance(z: np.ndarray) -> float:
    """Mean Euclidean distance over all pairs of different rows."""
    n, total = len(z), 0.0
    for start in range(0, n, _CHUNK):
        total += float(_distances(z[start : start + _CHUNK], z).sum(dtype=np.float64))
    return total / (n * (n - 1)) if n > 1 else 0.0


def _nearest(z: np.ndarray, training: np.ndarray) -> np.ndarray:
    if not len(training):
        return np.full(len(z), np.inf)
    if training.shape[1] <= _FLAT:
        from scipy.spatial import KDTree

        return np.asarray(KDTree(training).query(z)[0], float) if len(z) else np.empty(0)
    parts = [_distances(z[i : i + _CHUNK], training).min(axis=1) for i in range(0, len(z), _CHUNK)]
    return np.concatenate(parts).astype(float) if parts else np.empty(0)


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Euclidean distances [m, n]; exact zeros for equal rows."""
    from scipy.spatial.distance import cdist

    return cdist(a, b)
