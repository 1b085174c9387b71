"""Which files of a step many groups of windows read, all groups at once: `StepMosaic.digest_of` answers for one."""

import numpy as np

from soc_assets.rasters.mosaic import StepMosaic
from soc_assets.rasters.tiles import REACH, reaches
from soc_assets.storage import digest

_MOST = 2**20  # pairs that are compared at once, of groups and files or of windows and files


def digests_of_groups(
    mosaic: StepMosaic, rows: np.ndarray, columns: np.ndarray, counts: np.ndarray, size: int
) -> list[str | None]:
    """What `mosaic.digest_of` says of each group of windows.

    A file is first compared with the box round a group's windows, and with the windows only where it reaches into that.

    Args:
        mosaic: the files of a step.
        rows: [n] first row of each window, group after group.
        columns: [n] first column of each window.
        counts: [g] windows of each group, at least 1.
        size: of the windows, in pixels.
    """
    starts = np.cumsum(counts) - counts
    boxes = np.array([tile.reach for tile in mosaic.tiles]).T  # [4, tiles]
    low = [np.minimum.reduceat(values, starts) for values in (rows, columns)]
    high = [np.maximum.reduceat(values, starts) + size for values in (rows, columns)]
    found: list[tuple[np.ndarray, np.ndarray]] = []
    at_once = max(1, _MOST // len(counts))
    for first in range(0, len(mosaic.tiles), at_once):
        part = boxes[:, first : first + at_once, None]
        tiles, groups = np.nonzero(_overlap(part, low, high))
        found += _touched(boxes, tiles + first, groups, (rows, columns), counts, starts, size)
    tiles, groups = (np.concatenate([each[n] for each in found] or [np.empty(0, np.int64)]) for n in (0, 1))
    order = np.lexsort((tiles, groups))
    tiles, ends = tiles[order], np.cumsum(np.bincount(groups, minlength=len(counts))).tolist()
    return [_digest(mosaic, tiles[a:b].tolist()) for a, b in zip([0, *ends], ends, strict=False)]


def _overlap(boxes: np.ndarray, low: list[np.ndarray], high: list[np.ndarray]) -> np.ndarray:
    """Whether the box round each group's windows reaches each file's [tiles, groups]."""
    top, left, bottom, right = boxes
    vertical = (low[0] < bottom + REACH) & (high[0] > top - REACH)
    return vertical & (low[1] < right + REACH) & (high[1] > left - REACH)


def _touched(
    boxes: np.ndarray,
    tiles: np.ndarray,
    groups: np.ndarray,
    corners: tuple[np.ndarray, np.ndarray],
    counts: np.ndarray,
    starts: np.ndarray,
    size: int,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Those pairs of files and groups of which a window of the group reaches the file."""
    found, lengths = [], counts[groups]
    parts = np.cumsum(lengths) // _MOST
    for part in np.unique(parts):
        chosen = np.flatnonzero(parts == part)
        length, pair = lengths[chosen], np.repeat(chosen, lengths[chosen])
        begin = np.cumsum(length) - length
        window = starts[groups[pair]] + np.arange(len(pair)) - np.repeat(begin, length)
        top, left, bottom, right = boxes[:, tiles[pair]]
        hit = reaches((top, left, bottom, right), corners[0][window], corners[1][window], size)
        kept = chosen[np.logical_or.reduceat(hit, begin)]
        found.append((tiles[kept], groups[kept]))
    return found


def _digest(mosaic: StepMosaic, touched: list[int]) -> str | None:
    digests = [mosaic.tiles[number].digest for number in touched]
    return digests[0] if len(digests) == 1 else digest.of_values(digests) if digests else None
