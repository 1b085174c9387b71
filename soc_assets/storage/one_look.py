"""One look at object storage: within a block nothing is asked twice, as for a question about the state of a project.

What storage says of a file, and the content of small ones, is remembered for the block; what this process writes or
removes is forgotten at once. Blocks may be nested, and threads that run meanwhile share what is remembered.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

OLDEST = 60.0  # seconds that an answer counts: blocks of a process may overlap for long
SMALL = 2**20  # bytes of a file whose content is remembered

_Answer = TypeVar("_Answer")
_lock = threading.Lock()
_depth = 0
_forgotten = 0
_answers: dict[tuple[str, str], tuple[float, object]] = {}  # with the time when it was asked


@contextmanager
def one_look() -> Iterator[None]:
    """Remember what storage says, for the time of a block."""
    global _depth
    with _lock:
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if not _depth:
                _answers.clear()


def remembered(what: str, key: str, ask: Callable[[], _Answer], is_worth: Callable[[_Answer], bool]) -> _Answer:
    """The answer to a question about a key, asked anew outside of a block.

    Args:
        what: the question.
        key: the bucket and key.
        ask: asks storage.
        is_worth: whether an answer is remembered.
    """
    if not _depth:
        return ask()
    with _lock:
        known, forgotten = _answers.get((what, key)), _forgotten
    if known and time.monotonic() < known[0] + OLDEST:
        return cast(_Answer, known[1])
    asked, answer = time.monotonic(), ask()
    with _lock:
        if _depth and forgotten == _forgotten and is_worth(answer):
            _answers[what, key] = asked, answer
    return answer


def is_looking() -> bool:
    """Whether some block is under way."""
    return _depth > 0


def forget(key: str) -> None:
    """Forget what was said of a key, of the folders that it is in and of what is below it."""
    global _forgotten
    with _lock:
        _forgotten += 1  # answers that are under way may be older than this
        for known in [known for known in _answers if known[1].startswith(key) or key.startswith(f"{known[1]}/")]:
            del _answers[known]
