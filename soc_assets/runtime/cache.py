"""A cache of arrays with a limit in bytes, shared by threads: a value is made once, the longest unused goes first."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """Something that knows how many bytes it holds."""

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        ...


T = TypeVar("T", bound=Sized)


class _Entry(Generic[T]):
    def __init__(self) -> None:
        self.lock = Lock()
        self.value: T | None = None


class Cache(Generic[T]):
    """Values by key, up to `limit` bytes; the last value made is always kept."""

    def __init__(self, limit: int) -> None:
        self.made = 0
        self.held = 0
        self._limit = limit
        self._lock = Lock()
        self._entries: OrderedDict[Hashable, _Entry[T]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value, made by `make` if it is not held; a second thread that wants it waits for the first."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
        with entry.lock:
            if entry.value is None:
                self._keep(key, entry, make())
            assert entry.value is not None
            return entry.value

    def _keep(self, key: Hashable, entry: _Entry[T], made: T) -> None:
        with self._lock:
            entry.value = made
            self.made += 1
            self.held += made.nbytes
            self._entries[key] = entry
            if self.held <= self._limit:
                return
            for oldest in list(self._entries):
                value = self._entries[oldest].value
                if oldest != key and value is not None:
                    self.held -= value.nbytes
                    del self._entries[oldest]
                if self.held <= self._limit:
                    return
