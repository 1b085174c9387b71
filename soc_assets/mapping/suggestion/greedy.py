"""Choosing sites one after another: each is the place that is farthest from all samples and from the sites before it.

The greedy rule for k centres (Gonzalez, Theoretical Computer Science 38, 1985), whose largest remaining distance is at
most twice the smallest possible. Weighted by the width of the interval it prefers, among places that are equally unlike
the samples, the one that the model is less sure of.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Chosen:
    """Sites in order: their positions [k] among the places, and how far each was from what was known before [k]."""

    positions: np.ndarray
    novelty: np.ndarray


def choose_sites(
    places: np.ndarray,
    distance: np.ndarray,
    weight: np.ndarray,
    where: np.ndarray,
    count: int,
    apart: float,
    unit: float = 1.0,
) -> Chosen:
    """Choose up to `count` sites; the first of equally good places, so that the same places give the same sites.

    Args:
        places: [n, d] in the space of dissimilarity.
        distance: [n] of each to the nearest sample, over `unit`.
        weight: [n], at least 0: what a distance counts for at each place.
        where: [n, 2] coordinates, metres.
        count: how many.
        apart: metres that two sites are apart at least.
        unit: what distances are divided by.
    """
    known, free = np.array(distance, float), np.ones(len(places), bool)
    positions, novelty = [], []
    while len(positions) < count and free.any():
        best = int(np.argmax(np.where(free, known * weight, -np.inf)))
        positions.append(best)
        novelty.append(known[best])
        free &= np.hypot(*(where - where[best]).T) >= apart
        free[best] = False
        known = np.minimum(known, np.linalg.norm(places - places[best], axis=1) / unit)
    return Chosen(np.array(positions, int), np.array(novelty, float))
