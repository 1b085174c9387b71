"""The pixels around each sample as a group of features: read from the rasters once, kept as a file, mapped into memory.

A row holds the middle of each of the sample's windows, slot by slot, normalised as the encoder takes them and relative
to what stands for a gap; NaN where an image is missing. `soc_assets.embedding.sample_windows` reads them.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.embedding.inputs import EmbeddingInputs
from soc_assets.embedding.sample_windows import SampleWindows
from soc_assets.embedding.spec import Spec
from soc_assets.errors import TrainingError
from soc_assets.project import Project
from soc_assets.regression.design.design import Design, columns_table
from soc_assets.runtime import progress
from soc_assets.settings.evaluation import Recipe
from soc_assets.storage import digest, files
from soc_assets.storage.vouching import vouch, wrong

_VERSION = "1"  # of the code behind the matrices
_AT_ONCE = 128  # samples


def window_groups(recipes: Iterable[Recipe]) -> list[str]:
    """The groups of windows that recipes read, such as `window:16`."""
    words = (word for recipe in recipes for word in recipe.features.split("+"))
    return sorted({word for word in words if word.startswith("window:")})


def require_windows(recipes: Iterable[Recipe], image_size: int) -> None:
    """Refuse recipes whose windows are larger than those of the embedding, before anything is fitted.

    Raises:
        TrainingError: one is.
    """
    for recipe in recipes:
        for group in window_groups([recipe]):
            if int(group.split(":")[1]) > image_size:
                raise TrainingError(
                    f"The recipe {recipe.name!r} reads {group}, and image_size in [embedding] of soc.toml is "
                    f"{image_size}. Take a smaller window, in [[evaluation.recipes]] if it is a named recipe of "
                    "[evaluation] models, or a larger image_size."
                )


def window_columns(spec: Spec, group: str) -> pd.DataFrame:
    """What each column of a group of windows means: what, band, lag, window (its side, pixels)."""
    side = int(group.split(":")[1])
    each = spec.frames * side * side
    return columns_table([("window", slot.name, slot.lag, side) for slot in spec.slots for _ in range(each)])


def with_windows(design: Design, project: Project, inputs: EmbeddingInputs, groups: Sequence[str]) -> Design:
    """The design with groups of windows, which stay on disk until they are read.

    Args:
        design: of the project's samples.
        project: settings and paths; the files are kept in its results.
        inputs: the spec, the rasters and the samples.
        groups: such as `window:16`.

    Raises:
        EmbeddingError: the side is not of whole tokens, or larger than the window.
        TrainingError: samples have left the soil tables since the features were made.
    """
    if not groups:
        return design
    known = inputs.samples.set_index("sample_id")
    if gone := sorted(set(design.samples["sample_id"]) - set(known.index)):
        raise TrainingError(
            f"{len(gone)} samples of soc.duckdb are no longer in the soil tables, for example {gone[0]!r}. "
            "Run `soc run --to features`."
        )
    samples = known.loc[design.samples["sample_id"]].reset_index()
    batches = [each.inputs for each in inputs.digests.values()]
    for group in groups:
        key = digest.of_inputs(_VERSION, group, inputs.spec.digest, samples["sample_id"].tolist(), batches)
        path = project.scratch / "windows" / f"{group.replace(':', '_')}_{key}.npy"
        if not path.with_suffix(".parquet").is_file() or wrong(path.with_suffix(".parquet")):
            _write(path, project, inputs, samples, group)
        design = design.with_group(group, np.load(path, mmap_mode="r"), window_columns(inputs.spec, group))
    return design


def _write(path: Path, project: Project, inputs: EmbeddingInputs, samples: pd.DataFrame, group: str) -> None:
    """Read the windows block by block into a file; earlier ones of the same group are removed."""
    spec, side = inputs.spec, int(group.split(":")[1])
    width = len(spec.slots) * spec.frames * side * side
    reader = SampleWindows(spec, inputs.raster_index, project.settings.embedding.cache_mb)
    try:
        with files.replacing(path) as temporary, temporary.open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (len(samples), width)}
            np.lib.format.write_array_header_1_0(file, header)
            for first in range(0, len(samples), _AT_ONCE):
                progress.report(first, len(samples), f"samples, their windows of {side} pixels read")
                some = samples.iloc[first : first + _AT_ONCE].reset_index(drop=True)
                file.write(reader.middles(some, side).astype("<f4", copy=False).tobytes())
    finally:
        reader.close()
    beside = path.with_suffix(".parquet")
    files.write_table(beside, pd.DataFrame({"samples": [len(samples)]}), vouch(beside, [path]))
    for other in path.parent.glob(f"{group.replace(':', '_')}_*"):
        if other.stem != path.stem:
            files.remove(other)
