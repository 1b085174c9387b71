"""A proxy in front of an S3 server that fails as networks and servers do, and counts what passes through it.

    with storage_server.serving() as url, faulty_proxy.in_front_of(url) as proxy:
        ...                              # clients use proxy.url as the server's address
        proxy.set(busy=0.2, seed=1)      # from now on a fifth of the requests is answered 503
        proxy.forget()                   # counting begins here
        proxy.downloaded("soil/project/embeddings/")   # bytes of objects, by `bucket/key`

It runs in a process of its own, as the server does: whoever opens a raster holds Python's lock.
"""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
CONTROL = "/-/"
"""Paths of the proxy itself; no bucket can have so short a name."""


@dataclass(frozen=True)
class Faults:
    """What goes wrong. Shares are of the requests they concern, drawn by seed, request and how often it was made."""

    busy: float = 0
    """Share of requests answered 503 SlowDown, whose body was read and thrown away."""
    cut_get: float = 0
    """Share of reads of an object whose connection ends after half of the body."""
    cut_put: float = 0
    """Share of uploads whose connection ends after half of the body: nothing reaches the server."""
    cut_answer: float = 0
    """Share of uploads that reach the server and are carried out, but whose answer is lost."""
    only: str = ""
    """The shares above concern objects whose `bucket/key` begins so; others have none of these faults."""
    at_most: int | None = None
    """The shares above: at most so many faults for one method and object, so that the next retry succeeds."""
    seed: int = 0
    down: float = 0
    """Seconds, from now, in which every connection is closed without an answer."""
    denied: tuple[str, ...] = ()
    """Objects and listings whose `bucket/key` begins with one of these are answered 403 AccessDenied."""
    denied_methods: tuple[str, ...] = ("GET", "HEAD", "PUT", "POST", "DELETE")
    lists_late: float = 0
    """Listings are those of so many seconds ago (of changes made through the proxy since this was set)."""
    delay: float = 0
    """Seconds that every answer waits, as for a server further away."""


@dataclass(frozen=True)
class Request:
    """One request as the proxy saw it."""

    operation: str  # get, head, put, list, delete, or the method with its subresource: "POST ?uploads"
    method: str
    key: str  # bucket/key; of a listing bucket/prefix
    range: str | None  # as asked for: "bytes=0-99"
    status: int  # 0: the connection was cut
    fault: str  # the field of Faults that struck, or ""
    sent: int  # bytes of the body that went to the client
    received: int  # bytes of the body that came from the client
    at: float  # time.time() at its beginning


class FaultyProxy:
    """The running proxy, from any process that knows its URL."""

    def __init__(self, url: str) -> None:
        self.url = url

    def set(self, **faults: Any) -> Faults:
        """From now on exactly these faults (fields of `Faults`); without any, everything passes."""
        wanted = Faults(**faults)
        self._ask("faults", json.dumps(asdict(wanted)).encode())
        return wanted

    def forget(self) -> None:
        """Begin to count anew."""
        self._ask("forget", b"{}")

    def requests(self, prefix: str = "", operation: str = "") -> list[Request]:
        """Those that have ended since `forget`, in order, of keys that begin with `prefix`."""
        found = (Request(**item) for item in json.loads(self._ask("requests")))
        return [item for item in found if item.key.startswith(prefix) and operation in ("", item.operation)]

    def downloaded(self, prefix: str = "") -> int:
        """Bytes of objects sent to clients; listings do not count."""
        return sum(item.sent for item in self.requests(prefix, "get") if item.status in (0, 200, 206))

    def uploaded(self, prefix: str = "") -> int:
        """Bytes of objects received from clients, in one piece or in parts (with what checksums add to them)."""
        return sum(item.received for item in self.requests(prefix) if item.method == "PUT")

    def _ask(self, what: str, body: bytes | None = None) -> bytes:
        with urllib.request.urlopen(f"{self.url}{CONTROL}{what}", data=body, timeout=60) as answer:
            return answer.read()


@contextmanager
def in_front_of(server: str) -> Iterator[FaultyProxy]:
    """A proxy on a free port of 127.0.0.1; it ends with the block, or with the process that started it."""
    command = [sys.executable, "-m", "soc_assets_tests.storage.faulty_proxy_server", server]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    try:
        yield FaultyProxy(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def faults_of(values: dict[str, Any]) -> Faults:
    """From JSON, where tuples are lists."""
    given: dict[str, Any] = {name: tuple(item) if isinstance(item, list) else item for name, item in values.items()}
    return Faults(**given)
