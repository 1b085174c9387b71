"""What a reconstruction has to beat: the band's mean, and linear interpolation of the visible patches.

Both are scored as the network is: the mean squared error per masked token, over pixels that have a value.
"""

from contextlib import suppress

import numpy as np
import torch
from torch import Tensor

from soc_assets.embedding.encoder.architecture import PATCH
from soc_assets.pretraining.network import to_patches
from soc_assets.pretraining.objective import standardised_by, terms


def reconstruction_error(
    predicted: Tensor, images: Tensor, valid: Tensor, masked: Tensor, together: int, normalise: bool = False
) -> float:
    """Sum over the masked tokens of their mean squared error.

    Args:
        predicted: [n, frames, h, w].
        images: [n, frames, h, w].
        valid: [n, frames, h, w].
        masked: [n, tokens].
        together: frames of a group.
        normalise: divide each token's error by the variance of its target, as where the target is standardised.
    """
    guess, target, there = (to_patches(each, together) for each in (predicted, images, valid))
    if normalise:
        guess = standardised_by(guess, target, there)
    return float(terms(guess, target, there, masked, normalise, with_sums=False).masked)


def interpolated(images: Tensor, valid: Tensor, masked: Tensor, together: int) -> Tensor:
    """Images [n, frames, h, w] with masked tokens filled from the visible pixels of the frame.

    Bilinear on the triangles between visible pixels, the nearest one outside of them; the mean (0) where a frame has
    none.
    """
    hidden = pixels_of(masked, images.shape, together).numpy()
    values, known = images.numpy().copy(), valid.numpy() & ~hidden
    for image in range(len(values)):
        for frame in range(values.shape[1]):
            at = hidden[image, frame]
            values[image, frame][at] = _fill(values[image, frame], known[image, frame], at)
    return torch.from_numpy(values)


def visible_images(images: Tensor, masked: Tensor, together: int) -> Tensor:
    """Images with NaN where a token is masked, for pictures."""
    return images.masked_fill(pixels_of(masked, images.shape, together), torch.nan)


def pixels_of(masked: Tensor, shape: torch.Size, together: int) -> Tensor:
    """Which pixels [n, frames, h, w] belong to masked tokens [n, tokens]."""
    n, frames, height, width = shape
    per_group = 1 if frames == 1 else together
    edge = masked.view(n, frames // per_group, height // PATCH, width // PATCH)
    return edge.repeat_interleave(per_group, 1).repeat_interleave(PATCH, 2).repeat_interleave(PATCH, 3)


def _fill(values: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values at the wanted pixels of [h, w] from the known ones."""
    from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator
    from scipy.ndimage import binary_erosion
    from scipy.spatial import QhullError

    if not known.any():
        return np.zeros(int(wanted.sum()), np.float32)
    inner = np.asarray(binary_erosion(known), bool)
    points = np.argwhere(known & ~inner)
    there, targets = values[tuple(points.T)], np.argwhere(wanted)
    found = np.full(len(targets), np.nan, np.float32)
    with suppress(QhullError):  # fewer than three points, or all on a line: the nearest is all there is
        found = LinearNDInterpolator(points, there)(targets).astype(np.float32)
    lacking = np.isnan(found)
    if lacking.any():
        found[lacking] = NearestNDInterpolator(points, there)(targets[lacking])
    return found
