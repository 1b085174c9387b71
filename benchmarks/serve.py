"""The service for points under load: many clients at once, each asking for one place after the other.

    python -m benchmarks.serve --config soc.toml [--clients 200] [--seconds 30]

Starts `soc serve` of a finished project and asks it for places of its own samples. Prints answers a second, p50, p95
and the slowest, errors, the peak memory of the server; and beside it one client alone, whose answer is never batched.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from soc_assets.project import load_project
from soc_assets.runtime.ports import bind
from soc_assets.storage import files


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--config", type=Path, required=True)
    arguments.add_argument("--clients", type=int, default=200)
    arguments.add_argument("--seconds", type=float, default=30)
    options = arguments.parse_args()
    with bind(0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "soc_assets", "serve", "--port", str(port), "--config", str(options.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            print(server.stdout.readline().strip())
            bodies = places(options.config)
            asyncio.run(measure(port, bodies, 1, 3))  # weights, rasters and the graph are loaded by the first requests
            print(f"{'clients':>8}{'answers/s':>11}{'p50, ms':>9}{'p95, ms':>9}{'slowest':>9}{'errors':>8}")
            for clients in (1, options.clients):
                show(clients, options.seconds, *asyncio.run(measure(port, bodies, clients, options.seconds)))
            print(f"peak memory of the server {peak_mb(server.pid):,.0f} MB")
        finally:
            server.terminate()


def places(config: Path) -> list[bytes]:
    """A request for each sample."""
    table = files.read_table(load_project(config).samples("samples"), ["longitude", "latitude", "year"])
    rows = table.dropna().astype(float).to_dict("records")
    return [json.dumps({**row, "year": int(row["year"])}).encode() for row in rows]


async def measure(port: int, bodies: list[bytes], clients: int, seconds: float) -> tuple[list[float], int]:
    """Seconds of every answer, and the number of errors."""
    until = time.perf_counter() + seconds
    found = await asyncio.gather(*(client(port, bodies[number::clients], until) for number in range(clients)))
    return [each for taken, _ in found for each in taken], sum(errors for _, errors in found)


async def client(port: int, bodies: list[bytes], until: float) -> tuple[list[float], int]:
    """One connection, kept alive: asks, waits for the answer, asks again."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken, errors, number = [], 0, 0
    while time.perf_counter() < until:
        body = bodies[number % len(bodies)]
        number += 1
        start = time.perf_counter()
        head = "POST /predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        said = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(said.split("content-length:")[1].split("\r\n")[0])
        answer = json.loads(await reader.readexactly(length))
        taken.append(time.perf_counter() - start)
        errors += " 200 " not in said.split("\r\n")[0] or answer["predictions"][0]["predicted"] is None
    writer.close()
    return taken, errors


def show(clients: int, seconds: float, taken: list[float], errors: int) -> None:
    low, high, last = np.percentile(taken, [50, 95, 100]) * 1000
    print(f"{clients:>8}{len(taken) / seconds:>11.1f}{low:>9.0f}{high:>9.0f}{last:>9.0f}{errors:>8}")


def peak_mb(pid: int) -> float:
    """Of a process of this machine (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
