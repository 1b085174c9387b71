"""1, 4, 16 and 64 batches of 256 samples: time per batch and peak memory, which must not grow.

    python benchmarks/scaling.py [--batches 1 4 16 64]

The samples are drawn on the demo region, default settings (patch_embed, mean); each size runs in a process of its own.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

from benchmarks.bavaria_scale import own_peak_mb
from benchmarks.embed_cpu import draw, prepare, write_all
from soc_assets.embedding.inputs import freeze_spec, read_inputs


def measure(folder: str, batches: int, connection) -> None:
    """Embed that many batches and tell seconds and peak memory (MB)."""
    from soc_assets.project import load_project

    project = load_project(Path(folder) / "soc.toml")
    inputs = draw(read_inputs(project, freeze_spec(project)), batches * 256)
    start = time.perf_counter()
    write_all(inputs, project, Path(folder) / f"scaling{batches}")
    connection.send((time.perf_counter() - start, own_peak_mb()))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 64])
    options = arguments.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        print(f"{'batches':>8}{'seconds':>10}{'s per batch':>13}{'peak MB':>10}")
        for batches in options.batches:
            ours, theirs = context.Pipe()
            process = context.Process(target=measure, args=(folder, batches, theirs))
            process.start()
            seconds, peak = ours.recv()
            process.join()
            print(f"{batches:8}{seconds:10.2f}{seconds / batches:13.3f}{peak:10.0f}")


if __name__ == "__main__":
    main()
