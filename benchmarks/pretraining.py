"""Pre-training's images per second, as a share of what forward passes allow and of the device's peak, in the same run.

    python -m benchmarks.pretraining [--config soc.toml] [--device cuda] [--model vit_tiny_patch8] [--mask-ratio 0.9]

A step is one forward and about two backward passes over the tokens that are computed: the visible ones in the encoder,
all in the decoder. So a third of the forward rate is the limit of arithmetic; the aim is 0.7 of it on a CPU. Timed in
turns, because machines drift: the step, the forward pass alone, and large matrix products (the peak). With --config the
whole loop is timed, too, with windows of that project's rasters: the share of the step's rate that reading leaves.
"""

import argparse
import time
from pathlib import Path

import torch

from soc_assets.embedding.encoder.architecture import ARCHITECTURES
from soc_assets.pretraining.network import DecoderSizes, MaskedAutoencoder, initialise, to_patches
from soc_assets.pretraining.run import Job, begin
from soc_assets.pretraining.train import prepared, take_step
from soc_assets.pretraining.windows import Windows
from soc_assets.settings.pretraining import Pretraining

_PEAK = 1024  # edge of the matrices of the peak; 8192 on a GPU


def flops(architecture, decoder: DecoderSizes, visible: int, tokens: int) -> float:
    """Of a forward pass of one image: matrix products only, multiply and add counted apart."""

    def blocks(count: int, width: int, depth: int) -> float:
        return depth * (2 * count * width * 12 * width + 4 * count * count * width)

    between = 2 * visible * architecture.width * decoder.width
    outer = 2 * visible * 64 * architecture.width + 2 * tokens * decoder.width * architecture.t_patch_size * 64
    encoder = blocks(visible, architecture.width, architecture.depth)
    return encoder + blocks(tokens, decoder.width, decoder.depth) + between + outer


def best(works: dict, device: torch.device, rounds: int = 5) -> dict[str, float]:
    """Best seconds of each, in turns, after a round that warms up."""
    found = dict.fromkeys(works, float("inf"))
    for number in range(rounds + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number:
                found[name] = min(found[name], time.perf_counter() - start)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--model", default="vit_tiny_patch8", choices=ARCHITECTURES)
    parser.add_argument("--mask-ratio", type=float, default=0.9)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    device, architecture = torch.device(options.device), ARCHITECTURES[options.model]
    decoder = DecoderSizes.of(options.model)
    model = MaskedAutoencoder(architecture, decoder)
    initialise(model, 0)
    settings = Pretraining(batch_size=options.batch, mask_ratio=options.mask_ratio)
    job = Job(settings, 1e-4, architecture.t_patch_size, device)
    run, n, size = begin(model, job), options.batch, architecture.image_size
    images = torch.randn(n, 1, size, size, generator=torch.Generator().manual_seed(0)).numpy()
    windows = Windows(images, images > -9, images > -9, ("",) * n)
    batch = prepared(windows, 0, job)
    side = _PEAK * (8 if device.type == "cuda" else 1)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))

    def forward() -> None:
        with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
            model(to_patches(batch[0], 3), batch[2])

    works = {"step": lambda: take_step(run, model, batch, job), "forward": forward, "peak": lambda: left @ right}
    seconds = best(works, device)
    peak = 2 * side**3 / seconds["peak"]
    cost = flops(architecture, decoder, batch[2].shape[1], job.tokens(batch[0].shape))
    step, limit = n / seconds["step"], n / seconds["forward"] / 3
    print(
        f"{options.model}, {options.mask_ratio:.0%} masked, batches of {n}, {device}, {torch.get_num_threads()} threads"
    )
    print(f"step            {step:10,.0f} images/s")
    print(f"forward / 3     {limit:10,.0f} images/s; share {step / limit:.2f} (aim 0.7)")
    shares = f"share of the step {3 * cost * step / peak:.2f}, of forward passes {3 * cost * limit / peak:.2f}"
    print(f"peak            {peak / 1e9:10,.0f} GFLOP/s; {shares}")
    if options.config:
        _loop(options.config, step)


def _loop(config: Path, step: float) -> None:
    """The whole loop, with windows of a project's rasters."""
    from soc_assets.pretraining.session import open_session
    from soc_assets.pretraining.train import pretrain
    from soc_assets.project import load_project

    project = load_project(config)
    short = project.settings.pretraining.model_copy(update={"images": 100 * 64, "batch_size": 64, "evaluations": 1})
    settings = project.settings.model_copy(update={"pretraining": short})
    session = open_session(type(project)(project.root, settings))
    for number in range(20):  # tiles are read once
        session.sampler.training(number, 64)
    run = pretrain(session.run, session.job, session.sampler, session.held_out)
    rate = run.step * 64 / run.seconds
    print(
        f"whole loop      {rate:10,.0f} images/s, with reading and one evaluation; share of the step {rate / step:.2f}"
    )


if __name__ == "__main__":
    main()
