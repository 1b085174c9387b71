"""`soc export`: choosing the writer, and moving the finished file into place."""

from collections.abc import Sequence
from pathlib import Path

from soc_assets.errors import FeaturesError
from soc_assets.exporting.arrays import write_npz, write_zarr
from soc_assets.exporting.sources import FeatureSource, ImageSource, source_of
from soc_assets.exporting.tables import write_csv, write_feature_parquet, write_image_parquet
from soc_assets.project import Project
from soc_assets.rasters.names import described_bands
from soc_assets.storage import files


def export(
    project: Project,
    stage: str,
    kind: str,
    path: Path,
    split: str | None = None,
    bands: Sequence[str] | None = None,
    overwrite: bool = False,
) -> int:
    """Write features or embeddings to a file (Zarr: a folder), which appears only when complete.

    Args:
        project: settings and paths.
        stage: features or embeddings.
        kind: csv, parquet, npz or zarr.
        path: where to.
        split: of features: only this one.
        bands: only these.
        overwrite: replace what is there.

    Returns:
        Samples written.

    Raises:
        FeaturesError: there is something at `path`, nothing to export, or zarr is not installed.
    """
    if path.exists() and not overwrite:
        raise FeaturesError(f"{path} is there already: name another file, or add --overwrite.")
    if (stage, kind) == ("embeddings", "parquet") and bands is not None:
        raise FeaturesError("Embeddings as Parquet have the documented columns, all bands: leave out --bands.")
    source = source_of(project, stage, split, bands)
    source.metadata |= described_bands(project)

    if kind == "zarr":
        with files.replacing_folder(path, "--out") as temporary:
            write_zarr(source, stage, temporary)
        return source.n
    with files.replacing(path, "--out") as temporary:
        if kind == "csv":
            write_csv(source, temporary)
        elif kind == "npz":
            write_npz(source, stage, temporary)
        elif isinstance(source, FeatureSource):
            write_feature_parquet(source, temporary)
        elif isinstance(source, ImageSource):
            write_image_parquet(source, project, temporary)
    return source.n
