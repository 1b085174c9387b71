"""A web server on this machine that writes down what it is asked, in a process of its own: GDAL holds Python's lock."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(sys.argv[1], "a") as file:
            file.write(f"{self.command} {self.path}\\n")
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_HEAD = do_POST = do_PROPFIND = do_GET
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class Listener:
    """Its address, and the requests so far."""

    url: str
    log: Path

    @property
    def requests(self) -> list[str]:
        return self.log.read_text().splitlines()


@contextmanager
def listening(folder: Path) -> Iterator[Listener]:
    """The server, until the block ends."""
    log = folder / "requests.txt"
    log.touch()
    with subprocess.Popen([sys.executable, "-c", _SERVER, str(log)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield Listener(f"http://127.0.0.1:{process.stdout.readline().strip()}", log)
        finally:
            process.kill()
