"""Forests and boosting as a torch graph against scikit-learn's own prediction: time per row, size, loading.

    python -m benchmarks.trees [--samples 5000] [--features 60] [--trees 300] [--rows 4096]

Both run on one thread, in turns, and the best of several runs counts. The largest difference of the predictions is
printed beside them: docs/decisions/trees.md says why it is a rounding error and never another leaf.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import threadpoolctl
import torch

from soc_assets.regression.models.learners import fit_learner
from soc_assets.regression.models.trees import Trees, tree_arrays
from soc_assets.settings.evaluation import Recipe

_REPEATS = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("samples", 5000), ("features", 60), ("trees", 300), ("rows", 4096)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    x, rows = (rng.normal(size=(n, asked.features)).astype(np.float32) for n in (asked.samples, asked.rows))
    y = 0.5 * x[:, 0] - 0.4 * x[:, 2] + rng.normal(0, 0.7, len(x))
    torch.set_num_threads(1)
    for kind, least, share in (("random_forest", 3, 0.33), ("extra_trees", 3, 0.33), ("gradient_boosting", 20, 1.0)):
        recipe = Recipe(name=kind, model=kind, trees=asked.trees, min_leaf=least, max_features=share)
        compare(kind, fit_learner(recipe, x, y, np.ones(len(x)), 0, "cpu"), rows)


def compare(kind: str, learner, rows: np.ndarray) -> None:
    arrays = tree_arrays(learner.estimator)
    graph, size, loading = exported(Trees(arrays).eval(), torch.from_numpy(rows))
    times = {"scikit-learn": np.inf, "graph": np.inf}
    with torch.inference_mode(), threadpoolctl.threadpool_limits(1):
        for _ in range(_REPEATS):
            for name, predict in (
                ("scikit-learn", lambda: learner.predict(rows).value),
                ("graph", lambda: graph(torch.from_numpy(rows)).numpy()),
            ):
                start = time.perf_counter()
                found = predict()
                times[name] = min(times[name], time.perf_counter() - start)
        apart = np.abs(found - learner.predict(rows).value).max()
    per_row = {name: seconds / len(rows) * 1e6 for name, seconds in times.items()}
    print(
        f"{kind}: {len(arrays.roots)} trees, {len(arrays.child):,} nodes, deepest leaf {len(arrays.walking)}, "
        f"{size / 1e6:.1f} MB, loaded in {loading:.1f} s; scikit-learn {per_row['scikit-learn']:.0f} µs a row, graph "
        f"{per_row['graph']:.0f} µs, ratio {times['graph'] / times['scikit-learn']:.2f}; largest difference {apart:.0e}"
    )


def exported(trees: Trees, rows: torch.Tensor):
    """The graph as it is loaded again, bytes of its file, seconds to load it."""
    program = torch.export.export(trees, (rows[:2],), dynamic_shapes=({0: torch.export.Dim("n")},))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trees.pt2"
        torch.export.save(program, path)
        start = time.perf_counter()
        graph = torch.export.load(path).module()
        return graph, path.stat().st_size, time.perf_counter() - start


if __name__ == "__main__":
    main()
