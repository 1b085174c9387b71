"""Distance to the nearest training sample, for the dissimilarity of a map: exact, and about as quick as one product."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_CLOSEST = 4  # training samples whose distance is computed exactly
_PAIRS = 2**24  # of a place and a training sample in memory at once
_PARTS, _SMALLEST = 32, 256  # a part's products fit into the cache of a core


def nearest_distance(place: "Tensor", training: "Tensor") -> "Tensor":
    """Distance [n] of places [n, k] to the nearest of [m, k].

    Products find the four nearest; their distances are computed from differences, which loses no digits. The training
    samples are gone through in parts, and of those at the same position in every part (a group) the nearest is kept:
    the four nearest of all are in the four groups with the nearest ones, so only the groups have to be ordered.
    """
    import torch

    n, m = len(place), len(training)
    if n > (at_once := max(1, _PAIRS // m)):
        return torch.cat([nearest_distance(some, training) for some in place.split(at_once)])
    size = -(-m // max(1, min(_PARTS, m // _SMALLEST)))
    # times a training sample with its square: the squared distance, less the square of the place
    doubled = torch.cat([-2 * place, place.new_ones(n, 1)], dim=1)
    parts = torch.cat([training, training.square().sum(dim=1, keepdim=True)], dim=1).split(size)
    squared = [doubled @ part.T for part in parts]
    squared[-1] = torch.nn.functional.pad(squared[-1], (0, size - len(parts[-1])), value=torch.inf)
    lowest = squared[0].clone()
    for own in squared[1:]:
        torch.minimum(lowest, own, out=lowest)
    groups = lowest.topk(min(_CLOSEST, size), dim=1, largest=False, sorted=False).indices
    of_groups = torch.stack([own.gather(1, groups) for own in squared], dim=2).flatten(1)
    closest = of_groups.topk(min(_CLOSEST, m), dim=1, largest=False, sorted=False).indices
    nearest = groups.gather(1, closest // len(parts)) + size * (closest % len(parts))
    return (place[:, None, :] - training[nearest]).square().sum(dim=2).sqrt().amin(dim=1)
