"""The samples of an evaluation embedded by a variant, in memory; what was embedded before is kept on disk."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from soc_assets.embedding.batch import read_facts
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encoder.encoder import load_encoder
from soc_assets.embedding.inputs import EmbeddingInputs
from soc_assets.pretraining.inputs import pretraining_inputs, read_region
from soc_assets.pretraining.windows import WindowSampler
from soc_assets.project import Project
from soc_assets.regression.design.design import Design, columns_table, make_design
from soc_assets.regression.encoders.pca import KEPT, fit_window_pca
from soc_assets.regression.encoders.variants import OWN, PCA, PUBLISHED, RANDOM, Variant
from soc_assets.runtime import progress
from soc_assets.storage import digest, files
from soc_assets.storage.vouching import vouch, wrong

_VERSION = "1"  # of the code behind the matrices
_AT_ONCE = 128  # samples


@dataclass(frozen=True)
class EmbeddedSamples:
    """The design with a variant's embedding, the file of the matrix (None: the project's own), and seconds it took."""

    design: Design
    path: Path | None
    seconds: float


def embedded_by(project: Project, inputs: EmbeddingInputs, design: Design, variant: Variant) -> EmbeddedSamples:
    """Embed the samples of a design; a missing image becomes zeros.

    What the project's own embeddings hold is not embedded again.
    """
    if variant.name in (OWN, PUBLISHED) and variant.spec.choices == inputs.spec.choices:
        seconds = sum(float(read_facts(inputs.path(name)).get("soc.seconds", "nan")) for name in inputs.keys)
        return EmbeddedSamples(design, None, seconds)
    samples = inputs.samples.set_index("sample_id").loc[design.samples["sample_id"]].reset_index()
    key = digest.of_inputs(
        _VERSION,
        variant.name,
        variant.spec.digest,
        samples["sample_id"].tolist(),
        [each.inputs for each in inputs.digests.values()],
        pretraining_inputs(project) if variant.name in (PCA, RANDOM) else None,
        *([KEPT] if variant.name == PCA else []),
    )
    path = project.scratch / "encoders" / f"{key}.npy"
    beside = path.with_suffix(".parquet")
    if not beside.is_file() or wrong(beside):
        started = time.perf_counter()
        made = _embed(project, inputs, variant, samples)
        took = time.perf_counter() - started
        with files.replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, made)
        files.write_table(beside, pd.DataFrame({"seconds": [took]}), vouch(beside, [path]))
    matrix, seconds = np.load(path), float(files.read_table(beside)["seconds"].iloc[0])
    slots, each = variant.spec.slots, matrix.shape[1] // len(variant.spec.slots)
    columns = columns_table([("embedding", slot.name, slot.lag, 0) for slot in slots for _ in range(each)])
    matrices = {"embedding": matrix, "point": design.matrices["point"]}
    named = {"embedding": columns, "point": design.columns["point"]}
    return EmbeddedSamples(make_design(design.samples, matrices, named), path, seconds)


def forget_others(project: Project, kept: set[Path | None]) -> None:
    """Remove matrices that no variant of the last comparison used."""
    for path in (project.scratch / "encoders").glob("*.npy"):
        if path not in kept:
            files.remove(path)
            files.remove(path.with_suffix(".parquet"))


def _untrained(project: Project, variant: Variant) -> Variant:
    """Random weights as a pre-training begins with them: what it is worth is what it changed of these."""
    from soc_assets.pretraining.checkpoint import write_checkpoint
    from soc_assets.pretraining.inputs import architecture_of
    from soc_assets.pretraining.network import DecoderSizes, MaskedAutoencoder, initialise

    path = project.scratch / "encoders" / "untrained.pth"
    model = MaskedAutoencoder(architecture_of(project), DecoderSizes(8, 1, 1))
    initialise(model, project.settings.pretraining.seed)
    write_checkpoint(path, model.state_dict(), {})
    weights = {"sha256": digest.of_file(path, 64)}
    return replace(
        variant, spec=replace(variant.spec, choices={**variant.spec.choices, "weights": weights}), checkpoint=path
    )


def _embed(project: Project, inputs: EmbeddingInputs, variant: Variant, samples: pd.DataFrame) -> np.ndarray:
    """Embeddings float32 [n, slots * width]."""
    variant = _untrained(project, variant) if variant.name == RANDOM else variant
    spec, settings = variant.spec, project.settings.embedding
    if variant.name == PCA:
        sampler = WindowSampler(read_region(project), settings.cache_mb, project.settings.pretraining.seed)
        encoder = fit_window_pca(sampler, spec, project.settings.pretraining.seed)
    else:
        expected = len(samples) * len(spec.slots)
        encoder = load_encoder(
            spec,
            variant.checkpoint,
            settings.drop_path,
            settings.device,
            settings.images_at_once,
            images_expected=expected,
            compiling=settings.compile,
        )
    embedder = Embedder(spec, inputs.raster_index, encoder, settings.cache_mb)  # type: ignore[arg-type]
    try:
        parts = []
        for first in range(0, len(samples), _AT_ONCE):
            progress.report(first, len(samples), f"samples embedded, {variant.name}")
            parts.append(embedder(samples.iloc[first : first + _AT_ONCE].reset_index(drop=True)).vectors)
    finally:
        embedder.close()
    return np.concatenate(parts).reshape(len(samples), -1)
