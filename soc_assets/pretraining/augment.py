"""Random resized crops and flips of windows, with their gaps: each image by itself, from the generator of its step."""

import torch
from torch import Tensor
from torch.nn import functional

_ASPECT = (3 / 4, 4 / 3)  # of a crop: torchvision's range, which the official code takes


def augmented(
    images: Tensor, valid: Tensor, smallest: float, generator: torch.Generator, size: int, own: slice
) -> tuple[Tensor, Tensor]:
    """Crop to a random share of the area, resize back bilinearly, flip.

    Args:
        images: [n, frames, h, w], zero where there is no value.
        valid: [n, frames, h, w] where there is one.
        smallest: share of the area that a crop has at least; 1 leaves the windows uncropped.
        generator: on the CPU.
        size: images of the whole batch; processes that share it draw the same numbers.
        own: those that are given.

    Returns:
        Images and gaps of the same shapes; a pixel has a value where more than half of what it is made of has.
    """
    flips = (torch.rand(2, size, generator=generator) < 0.5)[:, own]
    if smallest == 1:
        return _flipped(images, flips), _flipped(valid, flips)
    boxes, sign = _boxes(size, smallest, generator)[own], torch.where(flips, -1.0, 1.0)
    theta = torch.zeros(len(images), 2, 3)
    theta[:, 0, 0], theta[:, 0, 2] = boxes[:, 3] * sign[1], boxes[:, 1]
    theta[:, 1, 1], theta[:, 1, 2] = boxes[:, 2] * sign[0], boxes[:, 0]
    grid = functional.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
    values = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    weight = functional.grid_sample(valid.to(images.dtype), grid, padding_mode="border", align_corners=False)
    enough = weight > 0.5
    return torch.where(enough, values / weight.clamp(min=0.5), 0.0), enough


def gaps_filled(images: Tensor, seen: Tensor) -> Tensor:
    """Images [n, frames, h, w] with gaps set to their frame's mean, as `normalise = "image"` has it."""
    total, count = (images * seen).sum(dim=(2, 3), keepdim=True), seen.sum(dim=(2, 3), keepdim=True)
    return torch.where(seen, images, total / count.clamp(min=1))


def _boxes(n: int, smallest: float, generator: torch.Generator) -> Tensor:
    """Centres (y, x) in -1..1 and extents (y, x) in 0..1 of crops [n, 4]."""
    area = smallest + (1 - smallest) * torch.rand(n, generator=generator)
    low, high = torch.tensor(_ASPECT).log()
    aspect = (low + (high - low) * torch.rand(n, generator=generator)).exp()
    height, width = (area / aspect).sqrt().clamp(max=1), (area * aspect).sqrt().clamp(max=1)
    place = 2 * torch.rand(2, n, generator=generator) - 1
    return torch.stack([place[0] * (1 - height), place[1] * (1 - width), height, width], dim=1)


def _flipped(images: Tensor, flips: Tensor) -> Tensor:
    flips = flips.to(images.device)[:, :, None, None, None]
    images = torch.where(flips[0], images.flip(2), images)
    return torch.where(flips[1], images.flip(3), images)
