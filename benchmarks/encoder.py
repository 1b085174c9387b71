"""The encoder's images per second, and its share of the device's peak, measured in the same run.

    python benchmarks/encoder.py [--device cuda] [--precision bfloat16] [--batch 8] [--model vit_base_patch8]

Peak is a large matrix product in the same arithmetic. The encoder is the platform's own network with the shapes of
production (96 x 96 pixels, one group, 144 tokens; a ViT-B image costs 25.5 GFLOP). Aims: 80 % of peak on a CPU in
float32, 50 % of the bfloat16 peak on a data-centre GPU. Needs torch, timm and numpy only.
"""

import argparse
import importlib.util
import sys
import time
import types
from pathlib import Path

import torch


def load_network():
    """The network's modules from their files, so that nothing but torch and timm has to be installed."""
    folder = Path(__file__).resolve().parents[1] / "soc_assets/embedding"
    for name in ("soc_assets", "soc_assets.embedding"):
        sys.modules.setdefault(name, types.ModuleType(name))
    for name in ("architecture", "torchvision_ops", "network"):
        full = f"soc_assets.embedding.{name}"
        spec = importlib.util.spec_from_file_location(full, folder / f"{name}.py")
        assert spec is not None and spec.loader is not None
        sys.modules[full] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["soc_assets.embedding.architecture"], sys.modules["soc_assets.embedding.network"]


def flops_per_image(architecture, tokens: int) -> float:
    """Multiply-adds counted twice, matrix products only: q, k, v, scores, mixing, projection, MLP, patch embedding."""
    width, hidden = architecture.width, int(architecture.width * architecture.mlp_ratio)
    block = 2 * tokens * width * (4 * width + 2 * hidden) + 4 * tokens * tokens * width
    return architecture.depth * block + 2 * tokens * 64 * width


def seconds(work, device: str, least: float = 2.0) -> float:
    """Best of several repetitions, over at least `least` seconds after one warm-up."""

    def timed() -> float:
        start = time.perf_counter()
        work()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter() - start

    timed()
    results, start = [], time.perf_counter()
    while len(results) < 3 or time.perf_counter() - start < least:
        results.append(timed())
    return min(results)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options.add_argument("--precision", choices=["float32", "bfloat16"])
    options.add_argument("--batch", type=int)
    options.add_argument("--model", default="vit_base_patch8")
    chosen = options.parse_args()
    on_gpu = chosen.device.startswith("cuda")
    precision = chosen.precision or ("bfloat16" if on_gpu else "float32")
    batch = chosen.batch or (1024 if on_gpu else 8)
    dtype = getattr(torch, precision)
    architectures, networks = load_network()
    architecture = architectures.ARCHITECTURES[chosen.model]
    torch.manual_seed(0)
    network = networks.SpectralEncoder(architecture).eval().to(chosen.device, dtype)
    size = architecture.image_size
    images = torch.randn(batch, 1, size, size).to(chosen.device, dtype)
    edge = 8192 if on_gpu else 2048
    left, right = (torch.randn(edge, edge).to(chosen.device, dtype) for _ in range(2))
    with torch.inference_mode():
        network_seconds = seconds(lambda: network.grouped(images), chosen.device)
        product_seconds = seconds(lambda: left @ right, chosen.device)
    peak = 2 * edge**3 / product_seconds
    cost = flops_per_image(architecture, (size // 8) ** 2)
    rate = batch / network_seconds
    name = torch.cuda.get_device_name() if on_gpu else f"CPU, {torch.get_num_threads()} threads"
    print(f"{chosen.model}, {precision}, batches of {batch}, {name}, torch {torch.__version__}")
    print(f"{'images per second':28}{rate:12.1f}")
    print(f"{'GFLOP per image':28}{cost / 1e9:12.1f}")
    print(f"{'encoder, TFLOP/s':28}{rate * cost / 1e12:12.3f}")
    print(f"{'matrix product, TFLOP/s':28}{peak / 1e12:12.3f}")
    print(f"share of peak {rate * cost / peak:.2f} (at least {0.5 if on_gpu else 0.8})")


if __name__ == "__main__":
    main()
