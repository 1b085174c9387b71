"""A Ray cluster whose nodes are separate hosts on this machine, one GPU each, as they are told."""

import time
import urllib.error
import urllib.request
from pathlib import Path

from soc_assets_tests.dagster_dev import REPOSITORY
from soc_assets_tests.ports import free_port
from soc_assets_tests.separate_hosts import Host, Hosts

FOLDER = "r"
"""Ray's own folder on each host."""


class RayHosts:
    """Nodes `names`, the first is the head; `address` is its job server's.

    They know no variable but PATH and the like.
    """

    def __init__(self, hosts: Hosts, names: tuple[str, ...]) -> None:
        port, self._dashboard = free_port(), free_port()
        self.address = f"http://127.0.0.1:{self._dashboard}"
        head = ["--head", f"--port={port}", f"--dashboard-port={self._dashboard}", "--dashboard-host=127.0.0.1"]
        for number, name in enumerate(names, 1):
            host = hosts.add(name)
            host.run(
                [*_start(hosts.here, number), *(head if number == 1 else [f"--address=127.0.0.1:{port}"])],
                {"PYTHONPATH": str(REPOSITORY)},
                host.folder / "ray.log",
            )
            if number == 1:
                self._wait("/api/version", "ray_version", host)
        for name in names:
            self._wait("/nodes?view=summary", '"ALIVE"', hosts.all[name], times=len(names))

    def _wait(self, path: str, words: str, host: Host, times: int = 1, seconds: int = 180) -> None:
        end, log = time.monotonic() + seconds, host.folder / "ray.log"
        while self._asked(path).count(words) < times:
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.5)

    def _asked(self, path: str) -> str:
        try:
            with urllib.request.urlopen(self.address + path, timeout=10) as answer:
                return answer.read().decode()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return ""


def steps_of(host: Host) -> set[str]:
    """Names of the Ray jobs, which are Dagster's steps, that ran on this host."""
    logs = (host.folder / FOLDER).glob("session_2*/logs/job-driver-dagster-step-*.log")
    return {path.stem.removeprefix("job-driver-") for path in logs}


def _start(here: Path, number: int) -> list[str]:
    """The command of a node; each has an address of its own of this machine."""
    return [
        *("ray", "start", "--block", "--disable-usage-stats", "--num-gpus=1", "--num-cpus=2"),
        *(f"--temp-dir={here / FOLDER}", f"--node-ip-address=127.0.0.{number}", "--object-store-memory=80000000"),
        *(f"--dashboard-agent-listen-port={free_port()}", f"--dashboard-agent-grpc-port={free_port()}"),
    ]
