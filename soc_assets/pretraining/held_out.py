"""The held-out loss: how well masked tokens of a rectangle are reconstructed that training has never seen."""

from dataclasses import dataclass

import torch
from torch import Tensor

from soc_assets.pretraining.augment import gaps_filled
from soc_assets.pretraining.network import MaskedAutoencoder, to_patches
from soc_assets.pretraining.objective import draw_mask, standardised_by, terms
from soc_assets.pretraining.references import interpolated, reconstruction_error
from soc_assets.pretraining.run import Job
from soc_assets.pretraining.windows import WindowSampler

WINDOWS = 256
_AT_ONCE = 64


@dataclass(frozen=True)
class HeldOut:
    """Held-out windows with one number of frames, and what the references reach on them.

    Attributes:
        images: [n, frames, h, w].
        valid: [n, frames, h, w] pixels that count.
        seen: [n, frames, h, w] pixels that have a value.
        kept: [n, m] visible tokens.
        masked: [n, tokens] hidden ones.
        names: of the images (`LAI_2012`).
        filled: [n, frames, h, w] masked tokens interpolated from visible ones.
        band_mean: sum over masked tokens of the mean squared error of the band's mean.
        interpolation: the same of `filled`.
    """

    images: Tensor
    valid: Tensor
    seen: Tensor
    kept: Tensor
    masked: Tensor
    names: tuple[str, ...]
    filled: Tensor
    band_mean: float
    interpolation: float


def draw_held_out(sampler: WindowSampler, job: Job) -> list[HeldOut]:
    """About 256 windows, by their numbers of frames; always the same ones for a seed."""
    generator, found = torch.Generator().manual_seed(job.settings.seed), []
    for windows in sampler.held_out(WINDOWS):
        images, valid, seen = (torch.from_numpy(each) for each in (windows.images, windows.valid, windows.seen))
        images = gaps_filled(images, seen) if job.by_image else images
        tokens = job.tokens(windows.images.shape)
        kept, masked = draw_mask(len(images), tokens, job.settings.mask_ratio, generator)
        filled = interpolated(images, seen, masked, job.together)
        normalise = job.settings.normalise_target
        level = _level(images, seen) if job.by_image else torch.zeros_like(images)
        errors = [
            reconstruction_error(each, images, valid, masked, job.together, normalise) for each in (level, filled)
        ]
        found.append(HeldOut(images, valid, seen, kept, masked, windows.names, filled, *errors))
    return found


def _level(images: Tensor, seen: Tensor) -> Tensor:
    """Each frame's own mean, which takes the place of the band's where images are scaled by their own range."""
    mean = (images * seen).sum(dim=(2, 3), keepdim=True) / seen.sum(dim=(2, 3), keepdim=True).clamp(min=1)
    return mean.expand_as(images)


@torch.inference_mode()
def evaluate(model: MaskedAutoencoder, weights: dict[str, Tensor], sets: list[HeldOut], job: Job) -> dict[str, float]:
    """Mean squared error per masked token: `held_out` of the model, and of the references."""
    total = tokens = 0.0
    for each in sets:
        for rows in torch.arange(len(each.images)).split(_AT_ONCE):
            found = _terms(model, weights, each, rows, job)
            total, tokens = total + float(found.masked), tokens + float(found.masked_tokens)
    references = {name: sum(getattr(each, name) for each in sets) for name in ("band_mean", "interpolation")}
    return {name: value / max(tokens, 1) for name, value in {"held_out": total, **references}.items()}


@torch.inference_mode()
def reconstructed(model: MaskedAutoencoder, weights: dict[str, Tensor], windows: HeldOut, n: int, job: Job) -> Tensor:
    """The first n windows [n, frames, h, w] as the model fills their masked tokens."""
    from soc_assets.pretraining.network import from_patches
    from soc_assets.pretraining.references import pixels_of

    images, valid, kept = (each[:n].to(job.device) for each in (windows.images, windows.valid, windows.kept))
    cut = to_patches(images, job.together)
    predicted = _predict(model, weights, cut, kept)
    if job.settings.normalise_target:
        predicted = standardised_by(predicted, cut, to_patches(valid, job.together), back=True)
    whole = from_patches(predicted, images.shape, job.together)
    return torch.where(pixels_of(windows.masked[:n], images.shape, job.together), whole.cpu(), images.cpu())


def _terms(model: MaskedAutoencoder, weights: dict[str, Tensor], windows: HeldOut, rows: Tensor, job: Job):
    each = (windows.images, windows.valid, windows.kept, windows.masked)
    images, valid, kept, masked = (values[rows].to(job.device) for values in each)
    cut, there = (to_patches(values, job.together) for values in (images, valid))
    normalise = job.settings.normalise_target
    return terms(_predict(model, weights, cut, kept), cut, there, masked, normalise, with_sums=False)


def _predict(model: MaskedAutoencoder, weights: dict[str, Tensor], patches: Tensor, kept: Tensor) -> Tensor:
    """In float32, with the given weights (the moving average where there is one)."""
    return torch.func.functional_call(model, weights, (patches, kept)).float()
