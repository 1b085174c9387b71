"""SpectralGPT's objective: hide tokens at random, and compare what is predicted for them with what is there.

L1 is the mean squared error per token over the masked tokens; L3 the same between predictions and targets, each summed
over the groups at a place, over all places (equation 6 of Hong et al., IEEE TPAMI 2024, with equal weights). Pixels
without a value count in neither. With one group L3 says nothing that L1 does not, and is left out.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from soc_assets.embedding.encoder.architecture import PATCH


@dataclass(frozen=True)
class Terms:
    """Sums of both losses and what they are divided by, so that parts of a batch, and processes, can be added up."""

    masked: Tensor
    masked_tokens: Tensor
    summed: Tensor
    places: Tensor

    def mean(self, tokens: Tensor, places: Tensor) -> Tensor:
        """The loss of a batch that holds so many masked tokens and places in all."""
        return self.masked / tokens.clamp(min=1) + self.summed / places.clamp(min=1)


def draw_mask(n: int, tokens: int, ratio: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which tokens stay visible, each image by itself, uniformly at random over all groups and places.

    Returns:
        Indices [n, kept] in rising order, int(tokens * (1 - ratio)) of them and at least one; and which are masked
        [n, tokens].
    """
    count = max(1, int(tokens * (1 - ratio)))
    order = torch.rand(n, tokens, generator=generator).argsort(dim=1)
    kept = order[:, :count].sort(dim=1).values
    masked = torch.ones(n, tokens, dtype=torch.bool).scatter_(1, kept, False)
    return kept, masked


def terms(
    predicted: Tensor, target: Tensor, valid: Tensor, masked: Tensor, normalise: bool = False, with_sums: bool = True
) -> Terms:
    """Both losses of a batch.

    Args:
        predicted: [n, groups, places, frames * 64].
        target: [n, groups, places, k]; k is 64 where the frames of a group are one band.
        valid: [n, groups, places, k] whether the target has a value.
        masked: [n, groups * places] tokens that were hidden.
        normalise: standardise the target of each token; without the sums over groups then.
        with_sums: whether L3 is wanted.
    """
    frames = predicted.float().unflatten(-1, (-1, PATCH**2))
    target, valid = (each.unflatten(-1, (-1, PATCH**2)) for each in (target, valid))
    aim = _standardised(target, valid) if normalise else target
    per_token, tokens = _mean_squares(frames, aim, valid)
    hidden = masked.view(tokens.shape) & tokens
    masked_sum, none = (per_token * hidden).sum(), per_token.new_zeros(())
    if normalise or not with_sums or frames.shape[1] == 1:
        return Terms(masked_sum, hidden.sum(), none, none)
    per_place, places = _mean_squares(frames.sum(dim=1), target.sum(dim=1), valid.all(dim=1))
    return Terms(masked_sum, hidden.sum(), (per_place * places).sum(), places.sum())


def _mean_squares(predicted: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared error [...] over the valid pixels of [..., frames, 64], and whether there is one."""
    squares = (predicted - target) ** 2 * valid
    count = valid.expand_as(squares).sum(dim=(-2, -1))
    return squares.sum(dim=(-2, -1)) / count.clamp(min=1), count > 0


def standardised_by(guess: Tensor, target: Tensor, valid: Tensor, back: bool = False) -> Tensor:
    """Patches [n, groups, places, k] on the scale of their standardised targets; with `back` from it.

    Args:
        guess: predictions.
        target: [n, groups, places, k], or k = 64 where the frames of a group are one band.
        valid: of the target.
        back: from standardised values to those of the target.
    """
    frames = guess.unflatten(-1, (-1, PATCH**2))
    mean, deviation = _moments(*(each.unflatten(-1, (-1, PATCH**2)) for each in (target, valid)))
    return (frames * deviation + mean if back else (frames - mean) / deviation).flatten(-2)


def _standardised(target: Tensor, valid: Tensor) -> Tensor:
    """Targets [..., frames, 64] with mean 0 and variance 1 over the valid pixels of a token."""
    mean, deviation = _moments(target, valid)
    return (target - mean) / deviation


def _moments(target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (unbiased, plus 1e-6 of variance) [..., 1, 1] over the valid pixels of a token."""
    count = valid.sum(dim=(-2, -1), keepdim=True)
    mean = (target * valid).sum(dim=(-2, -1), keepdim=True) / count.clamp(min=1)
    squares = ((target - mean) ** 2 * valid).sum(dim=(-2, -1), keepdim=True)
    return mean, (squares / (count - 1).clamp(min=1) + 1e-6).sqrt()
