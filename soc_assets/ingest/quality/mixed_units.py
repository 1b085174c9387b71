"""Bands whose steps are in two units: some in Kelvin and some in degrees Celsius, some scaled and some not.

A single step that is unlike all others is found by `ingest.quality.values`; here are changes in between, after which
a whole group of steps is stored differently, as with a new version of a product.
"""

from dataclasses import dataclass

import numpy as np

CELSIUS = 273.15
_SCALES = (10.0, 100.0, 1000.0, 10_000.0, 50.0)
_MEAN, _SPREAD = 0.15, 0.3  # by which mean and standard deviation may differ from what the relation says
_ALIKE = 0.5  # share of a group's mean by which its steps may differ


@dataclass(frozen=True)
class TwoUnits:
    """A group of steps whose values are those of the other steps in another unit.

    Attributes:
        members: positions of the steps of the smaller group, or of the later one where both are as large.
        others: positions of the others.
        words: what their values look like compared with the others'.
        cure: what to do, without the end of the sentence.
    """

    members: list[int]
    others: list[int]
    words: str
    cure: str


def two_units(means: np.ndarray, spreads: np.ndarray) -> TwoUnits | None:
    """The steps that are in another unit than the rest, if there are two groups and a unit explains them.

    Args:
        means: [n] of the steps of a band and season, in chronological order; NaN where a step has no value.
        spreads: [n] standard deviations.
    """
    known = np.flatnonzero(np.isfinite(means))
    if len(known) < 2:
        return None
    order = known[np.argsort(means[known], kind="stable")]
    split = int(np.argmax(np.diff(means[order]))) + 1
    groups = [sorted(part.tolist()) for part in (order[:split], order[split:])]
    fewer, more = sorted(groups, key=lambda group: (len(group), -group[0]))
    if not all(_alike(means[group], spreads[group]) for group in groups):
        return None
    found = _relation(*(float(np.median(of[group])) for group in (fewer, more) for of in (means, spreads)))
    return TwoUnits(fewer, more, *found) if found else None


def scaled(factor: float) -> str:
    """How to divide a file by a factor, by its scale tag."""
    return (
        f"divide the file by {factor:g}, or multiply its scale tag by {1 / factor:g}, in Python: with "
        f'rasterio.open(FILE, "r+") as file: file.scales = [{1 / factor:g} * scale for scale in file.scales]'
    )


def _alike(means: np.ndarray, spreads: np.ndarray) -> bool:
    middle = float(np.median(means))
    return bool(np.abs(means - middle).max() <= max(_ALIKE * abs(middle), 3 * float(np.median(spreads))))


def _relation(mean: float, std: float, usual: float, usual_std: float) -> tuple[str, str] | None:
    """How a group is stored beside the other, in words, and the fix; None where no unit explains it."""
    if not std or not usual_std:
        return None
    for factor in (1.0, *_SCALES):
        for scale in dict.fromkeys((factor, 1 / factor)):
            if abs(std / usual_std / scale - 1) > _SPREAD:
                continue
            if scale != 1 and usual and abs(mean / usual / scale - 1) <= _MEAN:
                return f"about {scale:g} times as large", scaled(scale)
            if words := _of_temperature(mean / scale, std / scale, usual, usual_std, scale):
                return words
    return None


def _of_temperature(mean: float, std: float, usual: float, usual_std: float, scale: float) -> tuple[str, str] | None:
    """`_relation` where one group is in Kelvin and one in degrees Celsius; mean and std times 1 / scale."""
    degree = max(1.0, 1 / scale)  # in the numbers of the others
    near = max(0.05 * CELSIUS, 2 * usual_std / degree, 2 * std / degree)
    apart, warm = (mean - usual) / degree, usual / degree > CELSIUS / 2
    if near > CELSIUS / 4 or abs(abs(apart) - CELSIUS) >= near or warm == (apart > 0):
        return None
    own, other = ("degrees Celsius", "Kelvin") if warm else ("Kelvin", "degrees Celsius")
    own += f" times {scale:g}" if scale > 1 else ""
    other += f" times {degree:g}" if degree > 1 else ""
    shift = f"{'+' if warm else '-'} {CELSIUS * degree:g}"
    if scale == 1:
        tags = f"file.offsets = [o {shift} for o in file.offsets]"
    else:
        tags = f"file.scales, file.offsets = [{1 / scale:g} * s for s in file.scales], "
        tags += f"[{1 / scale:g} * o {shift} for o in file.offsets]"
    return (
        f"as if in {own}, where the others are in {other}",
        'write the unit of the others into its tags, in Python: with rasterio.open(FILE, "r+") as file: ' + tags,
    )
