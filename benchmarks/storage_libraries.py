"""Libraries for object storage, side by side against a local S3 server: fsspec (s3fs), pyarrow.fs and obstore.

    pip install obstore            # is not among the dependencies; without it its column is empty
    python -m benchmarks.storage_libraries [--objects 4000]

Each does the same: 200 small reads one after the other, ten of 16 MB, ranges of 64 kB of one large object, the listing
of a folder, and 200 small puts at once. The server (moto, in Python) answers in a few milliseconds and takes most of
the time: what differs is what the library adds.
"""

import argparse
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from soc_assets_tests import storage_server

SMALL, LARGE, READS, RANGE = 4096, 16 * 2**20, 200, 2**16


class Fsspec:
    """s3fs through fsspec, as the platform opens it."""

    def __init__(self) -> None:
        from soc_assets.storage.objects import file_system

        self._system = file_system("s3", exact=True)

    def get(self, key: str, start: int | None = None, end: int | None = None) -> bytes:
        """The bytes of an object, or a range of them."""
        return self._system.cat_file(f"soil/{key}", start=start, end=end)

    def put(self, key: str, content: bytes) -> None:
        """Store an object."""
        self._system.pipe_file(f"soil/{key}", content)

    def list(self, prefix: str) -> int:
        """How many objects there are below a prefix."""
        return len(self._system.find(f"soil/{prefix}"))


class Arrow:
    """pyarrow.fs.S3FileSystem."""

    def __init__(self) -> None:
        from pyarrow import fs

        self._fs = fs
        self._system = fs.S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"], region="us-east-1")

    def get(self, key: str, start: int | None = None, end: int | None = None) -> bytes:
        """The bytes of an object, or a range of them."""
        with self._system.open_input_file(f"soil/{key}") as file:
            return file.read() if end is None else file.read_at(end - (start or 0), start or 0)

    def put(self, key: str, content: bytes) -> None:
        """Store an object."""
        with self._system.open_output_stream(f"soil/{key}") as file:
            file.write(content)

    def list(self, prefix: str) -> int:
        """How many objects there are below a prefix."""
        return len(self._system.get_file_info(self._fs.FileSelector(f"soil/{prefix}", recursive=True)))


class Obstore:
    """obstore, over the object_store crate."""

    def __init__(self) -> None:
        import obstore
        from obstore.store import S3Store

        self._obstore = obstore
        options: dict[str, Any] = {"client_options": {"allow_http": True}, "virtual_hosted_style_request": False}
        self._store = S3Store("soil", endpoint=os.environ["AWS_ENDPOINT_URL"], region="us-east-1", **options)

    def get(self, key: str, start: int | None = None, end: int | None = None) -> bytes:
        """The bytes of an object, or a range of them."""
        if end is not None:
            return bytes(self._obstore.get_range(self._store, key, start=start or 0, end=end))
        return bytes(self._obstore.get(self._store, key).bytes())

    def put(self, key: str, content: bytes) -> None:
        """Store an object."""
        self._obstore.put(self._store, key, content)

    def list(self, prefix: str) -> int:
        """How many objects there are below a prefix."""
        return sum(len(page) for page in self._obstore.list(self._store, prefix))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--objects", type=int, default=4000)
    options = arguments.parse_args()
    with storage_server.serving() as url:
        os.environ.update(storage_server.environment(url))
        fill(url, options.objects)
        columns = {kind.__name__: measured(kind, options.objects) for kind in (Fsspec, Arrow, Obstore)}
    rows = dict.fromkeys(name for column in columns.values() for name in column)
    print(f"{'milliseconds each':<34}" + "".join(f"{name:>10}" for name in columns))
    for row in rows:
        cells = (f"{column[row]:>10.1f}" if row in column else f"{'':>10}" for column in columns.values())
        print(f"{row:<34}" + "".join(cells))


def fill(url: str, objects: int) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=url)
    client.create_bucket(Bucket="soil")
    client.put_object(Bucket="soil", Key="large", Body=os.urandom(LARGE))
    with ThreadPoolExecutor(8) as threads:
        put = lambda number: client.put_object(Bucket="soil", Key=f"many/{number:05d}", Body=bytes(SMALL))  # noqa: E731
        list(threads.map(put, range(objects)))


def measured(kind: type, objects: int) -> dict[str, float]:
    """Milliseconds of each kind of work; empty where the library is not installed."""
    try:
        client = kind()
    except ImportError:
        return {}
    assert client.list("many/") == objects

    def ranges() -> None:
        for number in range(READS):
            assert len(client.get("large", number * RANGE, (number + 1) * RANGE)) == RANGE

    def puts() -> None:
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(lambda number: client.put(f"put/{number}", bytes(SMALL)), range(READS)))

    work: dict[str, tuple[Callable[[], object], int]] = {
        "small read": (lambda: [client.get(f"many/{number:05d}") for number in range(READS)], READS),
        "read of 16 MB": (lambda: [client.get("large") for _ in range(10)], 10),
        "range of 64 kB": (ranges, READS),
        f"listing {objects} objects": (lambda: client.list("many/"), 1),
        "small put, 16 at once": (puts, READS),
    }
    found = {}
    for name, (do, times) in work.items():
        start = time.perf_counter()
        do()
        found[name] = (time.perf_counter() - start) / times * 1000
    return found


if __name__ == "__main__":
    main()
