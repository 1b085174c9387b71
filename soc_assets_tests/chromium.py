"""A headless Chromium that is looked through: every request of a page, and everything that it complains about.

It is driven over a pipe (the DevTools protocol), so that nothing but the browser of the distribution is needed, and can
resolve no name but those of this machine.
"""

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-quic", "--hide-scrollbars", "--disable-dev-shm-usage"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_BECOME = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
_PATIENCE = 60.0  # seconds, on a machine that does much else


class Browser:
    """One page of the browser."""

    def __init__(self, to: int, answers: int) -> None:
        self._to, self._answers, self._kept, self._number = to, answers, b"", 0
        self.requests: list[str] = []
        self.problems: list[str] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Network", "Runtime", "Log", "Page"):
            self._ask(f"{domain}.enable")

    def resize(self, width: int, height: int) -> None:
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, url: str) -> None:
        self._ask("Page.navigate", url=url)

    def js(self, expression: str) -> Any:
        """The value of an expression; of a promise, what it is fulfilled with."""
        told = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def until(self, expression: str) -> None:
        """Wait until an expression is true; on the way to it there may be nothing to ask it of."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            if self.js(f"(() => {{ try {{ return Boolean({expression}) }} catch {{ return false }} }})()"):
                return
            time.sleep(0.1)
        raise AssertionError(f"never: {expression}; {self.problems}")

    def click(self, x: float, y: float) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self._ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def text(self, selector: str) -> str:
        return self.js(f"document.querySelector({json.dumps(selector)}).innerText")

    def picture(self) -> str:
        """The page as it is seen, PNG in base64."""
        return self._ask("Page.captureScreenshot", format="png")["data"]

    def _ask(self, method: str, **parameters: object) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if hasattr(self, "_session"):
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == self._number:
                assert "error" not in told, (method, told["error"])
                return told["result"]
            self._note(told)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._kept:
            ready, _, _ = select.select([self._answers], [], [], _PATIENCE)
            part = os.read(self._answers, 2**20) if ready else b""
            assert part, "the browser does not answer"
            self._kept += part
        message, _, self._kept = self._kept.partition(b"\0")
        return json.loads(message)

    def _note(self, told: dict[str, Any]) -> None:
        method, values = told.get("method"), told.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(values["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requests.append(values["url"])
        elif method == "Log.entryAdded" and values["entry"]["level"] == "error":
            self.problems.append(f"{values['entry']['text']} {values['entry'].get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            self.problems.append(json.dumps(values["exceptionDetails"]))


@contextmanager
def chromium(width: int = 1400, height: int = 900) -> Iterator[Browser]:
    """A browser with one page, until the block ends."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    ours, theirs = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        flags = [*_FLAGS, f"--user-data-dir={Path(folder) / 'profile'}", "--remote-debugging-pipe", "about:blank"]
        command = [sys.executable, "-c", _BECOME, str(ours[0]), str(theirs[1]), program, *flags]
        with (Path(folder) / "log").open("w") as log:
            process = subprocess.Popen(command, pass_fds=(ours[0], theirs[1]), stdout=log, stderr=log)
        os.close(ours[0])
        os.close(theirs[1])
        try:
            browser = Browser(ours[1], theirs[0])
            browser.resize(width, height)
            yield browser
        finally:
            os.close(ours[1])  # it ends by itself
            os.close(theirs[0])
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
