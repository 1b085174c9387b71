"""The documented MLP on features larger than memory, and how near a step comes to the memory's bandwidth.

    python -m benchmarks.mlp_memory [--gb 4] [--limit-gb 2] [--steps 300] [--folder FOLDER]

Invented features of 19,968 columns, as many rows as --gb gigabytes hold, filled block by block as from the batches'
files. The same rows are trained on twice, each in a process of its own: in memory, and in a memory-mapped file with at
most --limit-gb of memory beside the pages of that file, which the system can drop. RLIMIT_DATA allows a gigabyte more,
since it also counts what libraries reserve and never touch; what is resident is measured.
Filling, statistics, --steps steps of 32 rows, validation, predictions and the area of applicability are timed;
predictions must be equal to the bit. Target: memory below the limit, at most 1.5 times the time.

The step: bytes that it must move at least (weights of the first layer read for the outputs and for Adam with its two
moments and the gradient, which is written once and read once; weights and moments written), at the bandwidth of a big
copy in the same process, against what a step takes.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from soc_assets.regression.design.data import FeatureTable
from soc_assets.storage import scratch

WIDTH, BATCH, BLOCK = 19_968, 32, 256
HIDDEN = (512, 256)
RESERVED_GB = 1.0  # addresses that libraries reserve without touching them
_PASSES = 9  # reads: weights twice, gradient, two moments; writes: gradient, weights, two moments


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--gb", type=float, default=4.0)
    arguments.add_argument("--limit-gb", type=float, default=2.0)
    arguments.add_argument("--steps", type=int, default=300)
    arguments.add_argument("--folder", type=Path, help="on a real disk, for the mapped file")
    arguments.add_argument("--child", choices=["memory", "mapped"], help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.child:
        print(json.dumps(train(options)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        options.folder = Path(name)
        found = {way: run(way, options) for way in ("memory", "mapped")}
        same = np.array_equal(*(np.load(options.folder / f"{way}.npy") for way in found))
    print(report(found, options, same))


def run(way: str, options: argparse.Namespace) -> dict[str, float]:
    """Train in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.mlp_memory", "--child", way, "--folder", str(options.folder)]
    command += [f"--{name}={value}" for name, value in (("gb", options.gb), ("steps", options.steps))]
    command += [f"--limit-gb={options.limit_gb}"]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(said.splitlines()[-1])


def report(found: dict[str, dict[str, float]], options: argparse.Namespace, same: bool) -> str:
    """The table, and the share of the limit."""
    lines = ["| features | s | processor s | fill, s | fit, s | predict, area, s | own memory, MB |"]
    lines.append("|---|---|---|---|---|---|---|")
    words = {"memory": "in memory", "mapped": f"mapped, limit {options.limit_gb * 1000:,.0f} MB"}
    for way, one in found.items():
        parts = (one["seconds"], one["processor"], one["fill"], one["fit"], one["after"])
        lines.append(f"| {words[way]} | {' | '.join(f'{part:.1f}' for part in parts)} | {one['own_mb']:,.0f} |")
    one, other = found["memory"], found["mapped"]
    ratio, used = other["seconds"] / one["seconds"], other["processor"] / one["processor"]
    lines.append(f"\n{options.gb:g} GB: {ratio:.2f} times the time (at most 1.5), {used:.2f} of processor time")
    lines.append(f"own memory {'below' if other['own_mb'] < 1000 * options.limit_gb else 'ABOVE'} the limit")
    lines.append(f"predictions {'equal to the bit' if same else 'DIFFER'}")
    share = one["limit_ms"] / one["step_ms"]
    lines.append(f"a step {one['step_ms']:.1f} ms, moving its bytes {one['limit_ms']:.1f} ms: {share:.2f} of the limit")
    return "\n".join(lines)


def train(options: argparse.Namespace) -> dict[str, float]:
    """One training; seconds of its parts, and the largest memory of its own."""
    from soc_assets.regression.evaluation.fit_scores import evaluate_fit
    from soc_assets.regression.models.documented import area_of_network
    from soc_assets.regression.models.training import fit_mlp
    from soc_assets.settings import Training

    mapped = options.child == "mapped"
    if mapped:
        limit = int((options.limit_gb + RESERVED_GB) * 1e9)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    own = OwnMemory()
    own.start()
    times = [time.perf_counter()]
    with scratch.matrices(options.folder / "features", most=0 if mapped else 1) as allocate:
        table = invented(allocate, int(options.gb * 1e9 / 4 / WIDTH), options.steps * BATCH)
        times.append(time.perf_counter())
        fit = fit_mlp(table, Training(hidden=HIDDEN, epochs=1, batch_size=BATCH, device="cpu"))
        times.append(time.perf_counter())
        evaluation = evaluate_fit(fit, table)
        rows = table.rows("train")
        area_of_network(fit.network, table.matrix, rows, np.arange(len(rows)) % 3, 0)
        times.append(time.perf_counter())
    np.save(options.folder / f"{options.child}.npy", evaluation.predictions["predicted"].to_numpy())
    used = resource.getrusage(resource.RUSAGE_SELF)
    fill, fitted, after = np.diff(times)
    took = {"seconds": times[-1] - times[0], "processor": used.ru_utime + used.ru_stime}
    parts = {"fill": fill, "fit": fitted, "after": after, "own_mb": own.peak_mb}
    return {**took, **parts, **({} if mapped else step_and_limit(table))}


def invented(allocate: scratch.Allocate, n: int, visits: int) -> FeatureTable:
    """A table of n rows, of which 64 % train and `visits` are visited by an epoch."""
    rng = np.random.default_rng(0)
    matrix = allocate((n, WIDTH))
    block = rng.standard_normal((BLOCK, WIDTH), np.float32)
    for first in range(0, n, BLOCK):
        rows = matrix[first : first + BLOCK]
        np.multiply(block[: len(rows)], rng.uniform(0.5, 2, (len(rows), 1)).astype(np.float32), out=rows)
    split = np.where(np.arange(n) % 25 < 16, "train", np.where(np.arange(n) % 25 < 20, "validation", "test"))
    train = np.flatnonzero(split == "train")
    multiplicity = np.zeros(n, np.int64)
    multiplicity[rng.permutation(train)[:visits]] = 1
    names, zeros = np.arange(n).astype(str).astype(object), np.zeros(n)
    return FeatureTable(
        sample_id=names,
        location_id=names,
        split=split.astype(object),
        multiplicity=multiplicity,
        weight=np.ones(n, np.float32),
        longitude=zeros,
        latitude=zeros,
        year=zeros,
        organic_carbon=np.exp(rng.normal(3, 0.5, n)),
        missing_images=zeros,
        matrix=matrix,
    )


class OwnMemory(threading.Thread):
    """The largest memory of this process that is not a file's, looked at ten times a second (Linux: RssAnon)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mb = 0.0

    def run(self) -> None:
        """Look until the process ends."""
        while True:
            lines = Path("/proc/self/status").read_text().splitlines()
            kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))
            self.peak_mb = max(self.peak_mb, kilobytes / 1024)
            time.sleep(0.1)


def step_and_limit(table: FeatureTable) -> dict[str, float]:
    """Milliseconds of a step, and of moving its bytes at the bandwidth of a big copy."""
    import torch

    from soc_assets.regression.models.epochs import Epochs, Part
    from soc_assets.regression.models.mlp import SocMlp
    from soc_assets.settings import Training

    x = torch.from_numpy(np.array(table.matrix[: 8 * BATCH]))
    part = Part(x, torch.zeros(len(x), 1), torch.ones(len(x), 1))
    epochs = Epochs(SocMlp(WIDTH, HIDDEN), part, part, Training(hidden=HIDDEN, device="cpu"))
    steps = [best_of(1, lambda: epochs.step(torch.arange(BATCH))) for _ in range(30)]
    source = torch.ones(64 * 2**20)  # 256 MB, far more than the caches hold
    target = torch.zeros_like(source)
    bandwidth = 2 * 4 * len(source) / best_of(5, lambda: target.copy_(source))
    moved = _PASSES * 4 * WIDTH * HIDDEN[0]
    return {"step_ms": 1e3 * float(np.median(steps)), "limit_ms": 1e3 * moved / bandwidth}


def best_of(repeats: int, work: Callable[[], object]) -> float:
    """Seconds of the fastest call."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


if __name__ == "__main__":
    main()
