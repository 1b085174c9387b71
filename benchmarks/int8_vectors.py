"""Embeddings as int8: the bytes, the nearest neighbours that stay, and R2 of ridge regression on the same folds.

    SOC_CONFIG=.../soc.toml python -m benchmarks.int8_vectors

On the project at hand, after `soc run --to features`; `soc init demo --demo` makes one. Compared are the two ways to
choose a scale: one for each vector (what `--int8` writes), and one, with an offset, for each dimension.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from soc_assets.exporting.export import export
from soc_assets.exporting.int8 import quantise, restore
from soc_assets.project import Project, load_project
from soc_assets.regression.design.design import Design
from soc_assets.regression.evaluation.compare import load_design, load_folds, options_of
from soc_assets.regression.evaluation.plan import fold_of_samples
from soc_assets.regression.models.fitted import fit_recipe
from soc_assets.regression.models.recipes import NAMED

_NEAREST = 10
_SCHEMES = ("block", "location")


def main() -> None:
    project = load_project()
    design = load_design(project)
    exact = np.array(design.matrices["embedding"])
    width = load_width(project)
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "float32": lambda values: values,
        "int8, a scale for each vector": lambda values: by_vector(values, width),
        "int8, a scale for each dimension": by_dimension,
    }
    known, images = nearest(exact), [nearest(part) for part in np.split(exact, exact.shape[1] // width, axis=1)]
    print(f"{len(exact)} samples, {exact.shape[1]} features, vectors of {width}")
    print(f"{'':34}{'recall@10':>11}{'of an image':>13}" + "".join(f"{f'R2 by {name}':>16}" for name in _SCHEMES))
    for way, change in ways.items():
        values = change(exact).astype(np.float32)
        parts = np.split(values, values.shape[1] // width, axis=1)
        alone = np.mean([recall(one, nearest(part)) for one, part in zip(images, parts, strict=True)])
        changed = design.with_group("embedding", values, design.columns["embedding"])
        scores = "".join(f"{r2(project, changed, scheme):16.4f}" for scheme in _SCHEMES)
        print(f"{way:34}{recall(known, nearest(values)):11.4f}{alone:13.4f}{scores}", flush=True)
    sizes(project)


def load_width(project: Project) -> int:
    """Numbers of one vector."""
    from soc_assets.features import refresh

    return refresh.contents_of(project).spec.shape[1]


def by_vector(values: np.ndarray, width: int) -> np.ndarray:
    """What `--int8` keeps of features [n, d]."""
    numbers, scales = quantise(values.reshape(len(values), -1, width))
    return restore(numbers, scales).reshape(values.shape)


def by_dimension(values: np.ndarray) -> np.ndarray:
    """From the lowest to the highest number of each column in 255 steps."""
    low, high = values.min(axis=0), values.max(axis=0)
    scale, middle = np.where(high > low, (high - low) / 254, 1), (high + low) / 2
    return np.rint((values - middle) / scale) * scale + middle


def nearest(values: np.ndarray) -> np.ndarray:
    """The nearest other rows of each row [n, 10] by Euclidean distance."""
    values = values.astype(float) - values.mean(axis=0)
    square = (values**2).sum(axis=1)
    distances = square[:, None] + square - 2 * values @ values.T
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1)[:, :_NEAREST]


def recall(known: np.ndarray, found: np.ndarray) -> float:
    """Share of the nearest that are found, whatever their order."""
    return float(
        np.mean([len(set(a) & set(b)) / _NEAREST for a, b in zip(known.tolist(), found.tolist(), strict=True)])
    )


def r2(project: Project, design: Design, scheme: str) -> float:
    """Of the recipe `ridge` on the embedding, pooled over the folds of a scheme, in g/kg."""
    recipe = NAMED["ridge"].model_copy(update={"features": "embedding"})
    fold, options = fold_of_samples(load_folds(project), scheme, design), options_of(project)
    observed = design.samples["organic_carbon"].to_numpy(float)
    predicted = np.full(len(fold), np.nan)
    for number in np.unique(fold[fold >= 0]):
        train, test = np.flatnonzero((fold >= 0) & (fold != number)), np.flatnonzero(fold == number)
        model = fit_recipe(recipe, design, train, fold[train], options)
        predicted[test] = model.predict(model.reduce(design, test)).mean
    scored = fold >= 0
    left = ((observed - predicted)[scored] ** 2).sum()
    return float(1 - left / ((observed[scored] - observed[scored].mean()) ** 2).sum())


def sizes(project: Project) -> None:
    """Megabytes of each export."""
    print(f"\n{'MB':34}{'float32':>11}{'int8':>13}")
    with tempfile.TemporaryDirectory() as name:
        for stage in ("features", "embeddings"):
            for kind in ("parquet", "npz"):
                found = []
                for int8 in (False, True):
                    path = Path(name) / f"{stage}.{kind}"
                    export(project, stage, kind, path, overwrite=True, int8=int8)
                    found.append(path.stat().st_size / 1e6)
                print(f"{f'{stage}, {kind}':34}{found[0]:11.1f}{found[1]:13.1f}")


if __name__ == "__main__":
    main()
