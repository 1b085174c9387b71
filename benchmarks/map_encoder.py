"""The encoder in a map: its rate against that of `benchmarks/encoder.py`, and windows that several years share.

    python -m benchmarks.map_encoder [--size 200] [--step 100] [--years 2021 2022 2023] [--device cpu]

Run as above, it maps the years together and one by one and prints how many windows were embedded: those of static
bands, and of the years that all of them read, are embedded once. The rate is a row of `benchmarks.map`.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.map_region import bare, write_region
from soc_assets.mapping.engine.engines import engine_for
from soc_assets.mapping.inputs import read_map_inputs
from soc_assets.mapping.lattice import Period
from soc_assets.mapping.tiles import write_tiles
from soc_assets.project import Project, load_project


class _First:
    """A stand-in for the model, since the encoder is what is measured: the first three features."""

    def predict(self, features: np.ndarray) -> np.ndarray:
        return features[:, :3]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--size", type=int, default=200)
    arguments.add_argument("--step", type=int, default=100)
    arguments.add_argument("--years", type=int, nargs="+", default=[2021, 2022, 2023])
    arguments.add_argument("--device", default="cpu")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "region"
        write_region(folder, options.size, f'stage = "encoder"\ndevice = "{options.device}"')
        with (folder / "soc.toml").open("a") as file:
            file.write(f"\n[map]\nstep = {options.step}\n")
        project = load_project(folder / "soc.toml")
        alone = [map_years(project, [year], f"alone {year}") for year in options.years]
        images, seconds = (sum(values) for values in zip(*alone, strict=True))
        print(f"{len(options.years)} years one by one   {images:>10,} windows {seconds:>10.1f} s")
        images, seconds = map_years(project, options.years, "together")
        print(f"{len(options.years)} years together     {images:>10,} windows {seconds:>10.1f} s")


def encoder_rates(folder: Path, size: int, device: str) -> tuple[float, float]:
    """Images per second of a map of size x size cells by the whole encoder, and of the encoder alone.

    Args:
        folder: a new one, for the region.
        size: of the region, pixels.
        device: as torch names it.
    """
    images, seconds = map_years(write_region(folder, size, f'stage = "encoder"\ndevice = "{device}"'), [2023], "rate")
    command = [sys.executable, Path(__file__).with_name("encoder.py"), "--device", device]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"encoder, images per second +([\d.]+)", said)
    assert found, said
    return images / seconds, float(found[1])


def map_years(project: Project, years: Sequence[int], name: str) -> tuple[int, float]:
    """Windows that were embedded for the tiles of some years, and seconds with the weights loaded."""
    registered = replace(bare(project, "embedding"), model=_First(), files=name, most_missing=25)
    inputs = read_map_inputs(project, registered, [Period(year) for year in years])
    encoder, engine = inputs.predictor.embedder.encoder, engine_for(inputs)
    start = time.perf_counter()
    for _ in write_tiles(inputs, inputs.keys, engine):
        pass
    return encoder.images_embedded, time.perf_counter() - start


if __name__ == "__main__":
    main()
