"""A Ray head on this machine that is told it has GPUs, in processes and a folder of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from soc_assets_tests.ports import free_port


class RayHead:
    """`ray start --head`; `address` is its job server's."""

    def __init__(self, gpus: int, cpus: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True)  # sockets need short paths
        port, dashboard = free_port(), free_port()
        self.address = f"http://127.0.0.1:{dashboard}"
        options = {
            "num-gpus": gpus,
            "num-cpus": cpus,
            "port": port,
            "dashboard-port": dashboard,
            "dashboard-host": "127.0.0.1",
            "node-ip-address": "127.0.0.1",
            "temp-dir": self._folder.name,
            "object-store-memory": 100_000_000,
        }
        programs = Path(sys.executable).parent  # the steps' command `dagster` is looked for in PATH, by Ray
        variables = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        command = [str(programs / "ray"), "start", "--head", "--block", "--disable-usage-stats"]
        self.log = Path(self._folder.name) / "head.log"
        self._process = subprocess.Popen(
            [*command, *(f"--{name}={value}" for name, value in options.items())],
            env={**variables, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"},
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait_until_up(self, seconds: int = 120) -> None:
        """Until the job server answers."""
        end = time.monotonic() + seconds
        while True:
            try:
                urllib.request.urlopen(f"{self.address}/api/version", timeout=5).close()
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                assert time.monotonic() < end, self.log.read_text()
                time.sleep(0.5)

    def stop(self) -> None:
        """End all its processes."""
        os.killpg(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(20)
        for process in _processes_with(self._folder.name):
            os.kill(process, signal.SIGKILL)
        self._process.wait()
        self._folder.cleanup()


def _processes_with(words: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if words in path.read_text():
                found.append(int(path.parent.name))
        except OSError:  # it has ended meanwhile
            continue
    return found
