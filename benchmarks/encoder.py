"""The encoder's images per second, and its share of the device's peak, measured in the same run.

    python benchmarks/encoder.py [--device cuda] [--precision bfloat16] [--batch 8] [--model vit_base_patch8]

Peak is the best of several large matrix products in the same arithmetic (square, and the encoder's own largest, by both
of torch's routes), timed in turns with the encoder, because machines drift. The encoder is the platform's network
with the shapes of production (96 x 96 pixels, one group, 144 tokens; a ViT-B image costs 25.5 GFLOP). Aims: 80 % of
peak on a CPU in float32, 50 % of the bfloat16 peak on a data-centre GPU. Also tells how near bfloat16 comes to float32
on random images (cosine at least 0.999), and with --compile what torch.compile gives. Needs torch, timm and numpy only.
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
    folder = Path(__file__).resolve().parents[1] / "soc_assets/embedding/encoder"
    for name in ("soc_assets", "soc_assets.embedding", "soc_assets.embedding.encoder"):
        sys.modules.setdefault(name, types.ModuleType(name))
    for name in ("architecture", "torchvision_ops", "network"):
        full = f"soc_assets.embedding.encoder.{name}"
        spec = importlib.util.spec_from_file_location(full, folder / f"{name}.py")
        assert spec is not None and spec.loader is not None
        sys.modules[full] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["soc_assets.embedding.encoder.architecture"], sys.modules["soc_assets.embedding.encoder.network"]


def flops_per_image(architecture, tokens: int) -> float:
    """Multiply-adds counted twice, matrix products only: q, k, v, scores, mixing, projection, MLP, patch embedding."""
    width, hidden = architecture.width, int(architecture.width * architecture.mlp_ratio)
    block = 2 * tokens * width * (4 * width + 2 * hidden) + 4 * tokens * tokens * width
    return architecture.depth * block + 2 * tokens * 64 * width


def best_seconds(works: dict, device: str, rounds: int) -> dict[str, float]:
    """Best time of each piece of work, all in turns, after a round that warms up."""
    best = dict.fromkeys(works, float("inf"))
    for number in range(rounds + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            if number:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def products(architecture, rows: int, device: str, dtype) -> tuple[dict, dict[str, float]]:
    """Matrix products and what each costs (FLOP): squares, and the first of the MLP's."""
    linear = torch.nn.functional.linear
    shapes = [(edge, edge, edge) for edge in ((4096, 8192) if device.startswith("cuda") else (1024, 2048))]
    shapes.append((rows, architecture.width, int(architecture.width * architecture.mlp_ratio)))
    works, costs = {}, {}
    for m, k, n in shapes:
        left, right = torch.randn(m, k).to(device, dtype), torch.randn(n, k).to(device, dtype)
        for route, product in (("matmul", lambda a, b: a @ b.T), ("linear", linear)):
            name = f"{route} {m} x {k} x {n}"
            works[name] = lambda product=product, a=left, b=right: product(a, b)
            costs[name] = 2 * m * k * n
    return works, costs


def cosine_of_bfloat16(networks, architecture, device: str) -> float:
    """Least cosine of bfloat16 against float32 embeddings (mean tokens) of random images, same weights."""
    size = architecture.image_size
    network = fresh_network(networks, architecture).to(device)
    images = torch.randn(8, 1, size, size).to(device)
    exact = network.grouped(images).mean(2)
    rounded = network.to(torch.bfloat16).grouped(images.to(torch.bfloat16)).mean(2)
    return torch.nn.functional.cosine_similarity(exact, rounded.float(), dim=-1).min().item()


def fresh_network(networks, architecture):
    """The network with random weights, for inference."""
    torch.manual_seed(0)
    return networks.SpectralEncoder(architecture).eval().requires_grad_(False)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options.add_argument("--precision", choices=["float32", "bfloat16"])
    options.add_argument("--batch", type=int)
    options.add_argument("--model", default="vit_base_patch8")
    options.add_argument("--rounds", type=int, default=8)
    options.add_argument("--compile", action="store_true", help="also time the network compiled")
    chosen = options.parse_args()
    on_gpu = chosen.device.startswith("cuda")
    precision = chosen.precision or ("bfloat16" if on_gpu else "float32")
    batch = chosen.batch or (1024 if on_gpu else 8)
    dtype = getattr(torch, precision)
    architectures, networks = load_network()
    architecture = architectures.ARCHITECTURES[chosen.model]
    network = fresh_network(networks, architecture).to(chosen.device, dtype)
    size = architecture.image_size
    tokens = (size // 8) ** 2
    images = torch.randn(batch, 1, size, size).to(chosen.device, dtype)
    works, costs = products(architecture, batch * tokens, chosen.device, dtype)
    with torch.inference_mode():
        works["encoder"] = lambda: network.grouped(images)
        if chosen.compile:
            compiled = torch.compile(network.grouped)
            works["compiled"] = lambda: compiled(images)
        found = best_seconds(works, chosen.device, chosen.rounds)
        cosine = cosine_of_bfloat16(networks, architecture, chosen.device)
    peak, by = max((costs[name] / found[name], name) for name in costs)
    cost = flops_per_image(architecture, tokens)
    name = torch.cuda.get_device_name() if on_gpu else f"CPU, {torch.get_num_threads()} threads"
    print(f"{chosen.model}, {precision}, batches of {batch}, {name}, torch {torch.__version__}")
    print(f"{'GFLOP per image':28}{cost / 1e9:12.1f}")
    print(f"{'peak, TFLOP/s':28}{peak / 1e12:12.3f}  ({by})")
    for name in ("encoder", "compiled")[: 1 + chosen.compile]:
        rate = batch / found[name]
        print(f"{name + ', images per second':28}{rate:12.1f}")
        print(f"{name + ', TFLOP/s':28}{rate * cost / 1e12:12.3f}")
        print(f"{name + ', share of peak':28}{rate * cost / peak:12.2f}  (at least {0.5 if on_gpu else 0.8})")
    print(f"{'cosine of bfloat16':28}{cosine:12.6f}  (at least 0.999)")


if __name__ == "__main__":
    main()
