"""The process of `faulty_proxy`: passes requests on to an S3 server, lets some of them fail, and records all."""

import http.client
import json
import random
import sys
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from soc_assets_tests.storage import late_listing
from soc_assets_tests.storage.faulty_proxy import CONTROL, Faults, Request, faults_of
from soc_assets_tests.storage.s3_requests import bulk_deleted, described, query_of

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect", "content-length"}


class Proxy(ThreadingHTTPServer):
    """State that all requests share."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = urlsplit(upstream).netloc
        self.faults = Faults()
        self.down_until = 0.0
        self.history = late_listing.History()
        self.records: list[Request] = []
        self.changed = threading.Condition()
        self.in_flight = 0
        self._made, self._struck = Counter(), Counter()

    def use(self, faults: Faults) -> None:
        """These faults from now on; the draws begin anew."""
        with self.changed:
            self.faults, self.down_until = faults, time.time() + faults.down
            self.history = late_listing.History()
            self._made, self._struck = Counter(), Counter()

    def fault_of(self, operation: str, method: str, key: str) -> str:
        """The fault that strikes this request, or ""; independent of the order in which threads come."""
        faults = self.faults
        if time.time() < self.down_until:
            return "down"
        if key.startswith(faults.denied) and faults.denied and method in faults.denied_methods:
            return "denied"
        with self.changed:
            self._made[method, key] += 1
            draw = random.Random(f"{faults.seed} {method} {key} {self._made[method, key]}")
            used_up = faults.at_most is not None and self._struck[method, key] >= faults.at_most
            if used_up or not key.startswith(faults.only):
                return ""
            shares = {"busy": faults.busy, "cut_get": faults.cut_get * (operation == "get")}
            if method == "PUT":
                shares |= {"cut_put": faults.cut_put, "cut_answer": faults.cut_answer}
            for name, share in shares.items():
                if draw.random() < share:
                    self._struck[method, key] += 1
                    return name
        return ""

    def recorded(self) -> list[Request]:
        """All that have ended; waits a moment for those whose last byte has left."""
        with self.changed:
            self.changed.wait_for(lambda: self.in_flight == 0, timeout=2)
            return list(self.records)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no news."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes; a client would wait 40 ms for the second
    server: Proxy

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""

    def pass_on(self) -> None:
        """Answer one request, with its fault."""
        self.sent = self.received = self.status = 0
        if self.path.startswith(CONTROL):
            return self._control(self.path.removeprefix(CONTROL))
        began = time.time()
        operation, key = described(self.command, self.path)
        with self.server.changed:
            self.server.in_flight += 1
        fault = self.server.fault_of(operation, self.command, key)
        try:
            self._answer(operation, key, fault)
        except (ConnectionError, http.client.HTTPException):
            self.close_connection = True
        finally:
            asked = self.headers.get("Range")
            record = Request(
                operation, self.command, key, asked, self.status, fault, self.sent, self.received, began
            )  # fmt: skip
            with self.server.changed:
                self.server.records.append(record)
                self.server.in_flight -= 1
                self.server.changed.notify_all()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on

    def _answer(self, operation: str, key: str, fault: str) -> None:
        time.sleep(self.server.faults.delay)
        if fault == "down":
            self.close_connection = True
            return
        body = self._body(half=fault == "cut_put")
        if fault == "cut_put":
            self.close_connection = True
        elif fault == "denied" or self._denies_one(bulk_deleted(operation, key, body)):
            self._error(403, "AccessDenied", "Access Denied", key)
        elif fault == "busy":
            self._error(503, "SlowDown", "Please reduce your request rate.", key)
        elif operation == "list" and self.server.faults.lists_late:
            self._late_listing(key)
        else:
            self._forward(operation, key, body, fault)

    def _denies_one(self, keys: list[str]) -> bool:
        denied = self.server.faults.denied
        return bool(denied) and any(key.startswith(denied) for key in keys)

    def _forward(self, operation: str, key: str, body: bytes, fault: str) -> None:
        if self.server.faults.lists_late and operation not in ("get", "head", "list"):
            for changed in bulk_deleted(operation, key, body) or [key]:
                self.server.history.note(changed, time.time(), self._head(changed))
        status, headers, content = self._upstream(self.command, self.path, body)
        if fault == "cut_answer":
            self.close_connection = True
            return
        self._send(status, headers, content, half=fault == "cut_get" and status < 300)

    def _upstream(self, method: str, path: str, body: bytes = b"") -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        if method in ("PUT", "POST"):
            headers["Content-Length"] = str(len(body))
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def _head(self, key: str) -> late_listing.Entry | None:
        bucket, _, name = key.partition("/")
        return late_listing.entries(self._read, bucket, name).get(key) if name else None

    def _read(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://{self.server.upstream}{path}", timeout=60) as answer:
            return answer.read()

    def _late_listing(self, key: str) -> None:
        bucket, _, prefix = key.partition("/")
        moment = time.time() - self.server.faults.lists_late
        found = self.server.history.as_of(
            moment, late_listing.entries(self._read, bucket, prefix), f"{bucket}/{prefix}"
        )
        self._send(200, [("Content-Type", "application/xml")], late_listing.page(found, bucket, query_of(self.path)))

    def _error(self, status: int, code: str, message: str, key: str) -> None:
        text = f"<Error><Code>{code}</Code><Message>{message}</Message><Resource>/{escape(key)}</Resource></Error>"
        self._send(status, [("Content-Type", "application/xml")], text.encode())

    def _send(self, status: int, headers: list[tuple[str, str]], content: bytes, half: bool = False) -> None:
        self.status = 0 if half else status
        self.send_response_only(status)
        head = self.command == "HEAD"
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP or (head and name.lower() == "content-length"):
                self.send_header(name, value)
        if not head and status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        given = b"" if head else content[: len(content) // 2] if half else content
        for begin in range(0, len(given), 1 << 16):
            block = given[begin : begin + (1 << 16)]
            self.wfile.write(block)
            self.sent += len(block)
        self.close_connection = self.close_connection or half

    def _body(self, half: bool = False) -> bytes:
        """What the client sends (half of it, where the connection is to be cut then)."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunks(half)
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length // 2 if half else length)
        self.received = len(content)
        return content

    def _chunks(self, half: bool) -> bytes:
        parts: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size // 2 if half else size))
            self.received += len(parts[-1])
            if half:
                break
            self.rfile.readline()
        else:
            while self.rfile.readline().strip():  # trailers
                pass
        return b"".join(parts)

    def _control(self, what: str) -> None:
        body = self._body()
        if what == "faults":
            self.server.use(faults_of(json.loads(body)))
        elif what == "forget":
            self.server.recorded()
            with self.server.changed:
                self.server.records.clear()
        answer = [asdict(item) for item in self.server.recorded()] if what == "requests" else {}
        self._send(200, [("Content-Type", "application/json")], json.dumps(answer).encode())


if __name__ == "__main__":
    proxy = Proxy(sys.argv[1])
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    print(proxy.server_address[1], flush=True)
    sys.stdin.read()  # ends with whoever started it
