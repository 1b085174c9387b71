"""The index behind neighbours, distances and drift: each image as coordinates in the space that the embeddings span.

Where the embedding is linear in the pixels (stage `patch_embed`, pooled) all vectors lie in a space of some 65
dimensions; in an orthonormal basis of it, inner products and distances are those of the vectors, and a twelfth of the
numbers is read. Where they fill their whole width the coordinates are the vectors themselves. Tokens that are not
pooled are averaged first.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from soc_assets.embedding.spec import Spec
from soc_assets.features.images import Images, read_images
from soc_assets.runtime import progress

_LOST = 1e-4  # largest share of a vector's length outside the basis: inner products are then exact to 1e-8
_NOISE = 1e-3  # directions shorter than this share of the longest are left for the next pass: they may be rounding
_AT_ONCE = 256  # vectors from which directions are taken
_LOOKED_AT = 8  # batches from which the basis is found; all are checked against it
COLUMNS = {
    "sample_id": "the sample",
    "slot": "band and lag, see slots",
    "coordinates": "of the image's vector in a basis of all vectors; inner products and distances are the vectors'",
    "square": "squared length of the vector",
}


class BasisTooSmallError(Exception):
    """A vector lies outside the basis."""


def fill_index(connection: duckdb.DuckDBPyConnection, batches: Sequence[Path], spec: Spec) -> int:
    """Fill the table `neighbour_index`, a batch at a time; missing images have no row.

    Args:
        connection: to the database under construction, with a table `studied_batches` of sample_id and batch.
        batches: files of the spec.
        spec: of the files.

    Returns:
        Dimensions of the coordinates; 0 where there is no image.
    """
    basis = _basis(_mean_tokens(images) for path in _spread(batches) for images in read_images(path, spec))
    while True:
        try:
            _create(connection, max(1, basis.shape[1]))
            for done, path in enumerate(batches, start=1):
                for images in read_images(path, spec, ["batch"]):
                    _insert(connection, images, basis)
                progress.report(done, len(batches), "batches indexed")
            return basis.shape[1]
        except BasisTooSmallError:
            basis = _basis(_mean_tokens(images) for path in batches for images in read_images(path, spec))


def _create(connection: duckdb.DuckDBPyConnection, dimensions: int) -> None:
    connection.execute(
        f"""CREATE OR REPLACE TABLE neighbour_index
            (sample_id VARCHAR, slot INTEGER, coordinates FLOAT[{dimensions}], square FLOAT)"""
    )


def _spread(batches: Sequence[Path]) -> list[Path]:
    step = max(1, len(batches) // _LOOKED_AT)
    return list(batches[::step][:_LOOKED_AT])


def _mean_tokens(images: Images) -> np.ndarray:
    """Vectors [m, width] of the images that are there."""
    return images.vectors.mean(axis=2)[~images.missing]


def _basis(row_blocks: Iterator[np.ndarray]) -> np.ndarray:
    """An orthonormal basis [width, r] of vectors [m, width]; the unit vectors where r would be over half the width."""
    basis = np.zeros((1, 0), np.float32)
    for vectors in row_blocks:
        basis = basis if basis.size else np.zeros((vectors.shape[1], 0), np.float32)
        while (far := _outside(vectors, basis)).size:
            chosen = far[:: max(1, len(far) // _AT_ONCE)][:_AT_ONCE]
            squares, mixes = np.linalg.eigh(chosen.astype(float) @ chosen.T)
            directions = mixes[:, squares > _NOISE**2 * squares[-1]].T @ chosen
            basis = np.linalg.qr(np.hstack([basis, directions.T]))[0].astype(np.float32)
            if 2 * basis.shape[1] > basis.shape[0]:
                return np.eye(basis.shape[0], dtype=np.float32)
    return basis


def _outside(vectors: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The residuals outside the space of a basis, of those vectors [m, width] for which they are noticeable."""
    outside = vectors - (vectors @ basis) @ basis.T
    return outside[np.linalg.norm(outside, axis=1) > _LOST / 10 * np.linalg.norm(vectors, axis=1)]


def _insert(connection: duckdb.DuckDBPyConnection, images: Images, basis: np.ndarray) -> None:
    vectors = _mean_tokens(images)
    whole = basis.shape[0] == basis.shape[1]
    coordinates = vectors if whole else vectors @ basis
    square = np.einsum("ij,ij->i", coordinates, coordinates)
    if not whole:
        lost = np.linalg.norm(vectors - coordinates @ basis.T, axis=1)
        if (lost > _LOST * np.linalg.norm(vectors, axis=1)).any():
            raise BasisTooSmallError
    sample, slot = np.nonzero(~images.missing)
    order = np.argsort(slot, kind="stable")  # a band's rows are contiguous, so that others are skipped
    table = pa.table(
        {
            "sample_id": pa.array(images.sample_id[sample[order]], pa.string()),
            "batch": images.columns["batch"].combine_chunks().take(pa.array(sample[order])),
            "slot": pa.array(slot[order].astype(np.int32)),
            "coordinates": pa.FixedSizeListArray.from_arrays(coordinates[order].ravel(), max(1, basis.shape[1])),
            "square": pa.array(square[order].astype(np.float32)),
        }
    )
    connection.register("chunk", table)
    connection.execute(
        """INSERT INTO neighbour_index
        SELECT c.sample_id, c.slot, c.coordinates, c.square
        FROM chunk c JOIN studied_batches s ON s.sample_id = c.sample_id AND s.batch = c.batch"""
    )
    connection.unregister("chunk")
