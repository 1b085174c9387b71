"""What came of a pre-training, in words and pictures; read from what was written, or from the run itself."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from soc_assets.reporting.as_text import percent

if TYPE_CHECKING:
    from soc_assets.pretraining.session import Session

_STEP = re.compile(r"_\d{4}(_(winter|spring|summer|autumn))?$")
FACTS = "soc.pretraining"  # key of the facts in the table's metadata


def in_words(curve: pd.DataFrame, by_image: bool = False) -> str:
    """The last evaluation, and whether the network beats interpolation.

    Args:
        curve: a row per evaluation.
        by_image: whether each image is scaled to 0..1 by its own range.
    """
    unit = "of images scaled to 0..1" if by_image else "in variances of the bands"
    last = curve.iloc[-1]
    better = last["held_out"] < last["interpolation"]
    share = 1 - last["held_out"] / last["interpolation"] if last["interpolation"] > 0 else 0.0
    compared = f"{percent(share, 0)} less than" if better else "not less than"
    return (
        f"Held-out loss {last['held_out']:.4f} after {last['images']:,.0f} images (mean squared error per masked "
        f"token, {unit}): {compared} by linear interpolation of the visible patches "
        f"({last['interpolation']:.4f}); by the {'image' if by_image else 'band'}'s mean it is {last['band_mean']:.4f}."
    )


def read_summary(table: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The curve and the facts of a finished pre-training."""
    from soc_assets.storage import files

    stored = files.read_metadata(table)
    return files.read_table(table), json.loads(stored.get(FACTS, "{}"))


def picture_of(session: "Session") -> bytes:
    """Reconstructions of some held-out windows, of different bands where there are several."""
    import torch

    from soc_assets.pretraining.held_out import reconstructed
    from soc_assets.pretraining.plots import ROWS, reconstructions
    from soc_assets.pretraining.references import visible_images

    windows, job = session.held_out[-1], session.job  # those with most frames
    first: dict[str, int] = {}
    for number, name in enumerate(windows.names):
        first.setdefault(_STEP.sub("", name), number)
    every = list(first.values())
    rows = sorted(every[:: max(1, len(every) // ROWS)][:ROWS])
    count = max(rows) + 1
    found = reconstructed(session.run.model, session.run.weights, windows, count, job)
    shown = windows.images[:count].masked_fill(~windows.seen[:count], torch.nan)
    visible = visible_images(shown, windows.masked[:count], job.together)
    panels = (shown, visible, found, windows.filled[:count])
    chosen = [each[rows, 0].numpy() for each in panels]
    return reconstructions(chosen[0], chosen[1], chosen[2], chosen[3], tuple(windows.names[row] for row in rows))
