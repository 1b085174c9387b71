"""`soc export`: choosing the writer, and moving the finished file into place."""

from collections.abc import Sequence
from pathlib import Path

from soc_assets.errors import FeaturesError
from soc_assets.exporting.arrays import write_npz, write_zarr
from soc_assets.exporting.sources import ImageSource, Source, WideSource, source_of
from soc_assets.exporting.stac.write import is_ours, write_stac
from soc_assets.exporting.tables import write_csv, write_feature_parquet, write_image_parquet
from soc_assets.project import Project
from soc_assets.rasters.names import described_bands
from soc_assets.storage import files, folders


def export(
    project: Project,
    stage: str,
    kind: str,
    path: Path,
    split: str | None = None,
    bands: Sequence[str] | None = None,
    overwrite: bool = False,
    int8: bool = False,
) -> int:
    """Write features, points or embeddings to a file (Zarr, STAC: a folder), which appears only when complete.

    Args:
        project: settings and paths.
        stage: features, points or embeddings.
        kind: csv, parquet, npz, zarr or stac.
        path: where to.
        split: of features and points: only this one.
        bands: only these.
        overwrite: replace what is there.
        int8: vectors as int8 with a scale each (`soc_assets.exporting.int8`).

    Returns:
        Samples written.

    Raises:
        FeaturesError: there is something at `path`, nothing to export, the combination is not possible, or zarr is not
            installed.
    """
    _require_possible(stage, kind, split, bands, int8)
    if path.exists() and not overwrite:
        raise FeaturesError(f"{path} is there already: name another file, or add --overwrite.")
    if kind == "stac":
        if path.exists() and not is_ours(path):
            raise FeaturesError(f"{path} is not an export of embeddings, and is not replaced: name another folder.")
        with folders.replacing_folder(path, "--out") as temporary:
            return write_stac(project, temporary, int8)
    source = source_of(project, stage, split, bands)
    if int8 and source.vector is None:
        raise FeaturesError(
            "--int8 is for embeddings alone, and the features hold point values or coordinates, too ([features] "
            "include in soc.toml): --stage embeddings, or leave out --int8."
        )
    source.metadata |= described_bands(project)

    if kind == "zarr":
        with folders.replacing_folder(path, "--out") as temporary:
            write_zarr(source, stage, temporary, int8)
        return source.n
    with files.replacing(path, "--out") as temporary:
        _write_file(project, source, stage, kind, temporary, int8)
    return source.n


def _require_possible(stage: str, kind: str, split: str | None, bands: Sequence[str] | None, int8: bool) -> None:
    if kind == "stac" and (stage != "embeddings" or split is not None or bands is not None):
        raise FeaturesError(
            "--format stac is of the embeddings, whole batches: leave out --stage, --split and --bands."
        )
    if (stage, kind) == ("embeddings", "parquet") and bands is not None:
        raise FeaturesError("Embeddings as Parquet have the documented columns, all bands: leave out --bands.")
    if int8 and (stage == "points" or kind == "csv"):
        raise FeaturesError(
            "--int8 is for features and embeddings as Parquet, NPZ, Zarr or STAC, not for points or CSV."
        )


def _write_file(project: Project, source: Source, stage: str, kind: str, path: Path, int8: bool) -> None:
    if kind == "csv":
        write_csv(source, path)
    elif kind == "npz":
        write_npz(source, stage, path, int8)
    elif isinstance(source, WideSource):
        write_feature_parquet(source, path, int8)
    elif isinstance(source, ImageSource):
        write_image_parquet(source, project, path, int8)
