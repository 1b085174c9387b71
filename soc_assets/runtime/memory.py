"""Readable messages for insufficient memory (`ulimit -v`, a container, a small machine).

Libraries report it with their own exceptions, imports included, so it is recognised by their messages. That of a GPU is
in `soc_assets.runtime.device`.
"""

import sys
from pathlib import Path

_WORDS = (
    "MemoryError",  # also numpy's _ArrayMemoryError
    "annot allocate memory",
    "can't allocate memory",
    "failed to map segment",
    "can't start new thread",
    "Out of Memory Error",
    "bad_alloc",
    "malloc of size",
)


LEAST = 4096
"""Megabytes of address space: less than the libraries reserve, some of which end the process silently."""


def refusal() -> str | None:
    """What to do where the limit of this process's memory is lower than `LEAST`; None where it is not."""
    limit = _limit()
    if limit is None or limit >= LEAST:
        return None
    return (
        f"`ulimit -v` allows this process {limit:,} MB of addresses, and libraries reserve more than they use. "
        f"Allow {LEAST:,} MB or more (ulimit -v {LEAST * 1024}), or limit memory with a container or cgroup instead."
    )


def shortage(error: BaseException | None) -> str | None:
    """What to do where an error, or one that it came from, is of too little memory; None where it is not."""
    while error is not None:
        if explanation := shortage_in(f"{type(error).__name__}: {error}"):
            return explanation
        error = error.__cause__ or error.__context__
    return None


def shortage_in(message: str) -> str | None:
    """The same for an error's kind and message."""
    if not any(words in message for words in _WORDS):
        return None
    found = " ".join(message.split())[:200]
    limit = _limit()
    under = "" if limit is None else f" under the limit of {limit:,} MB (ulimit -v)"
    return (
        f"There is not enough memory{under} ({found}). Raise the limit, close other programs, or lower [embedding] "
        "cache_mb and [evaluation] workers in soc.toml. What was finished before is kept: run again."
    )


def available() -> int | None:
    """Bytes that this process may still take without swapping; None where the system does not say.

    The least of what the machine has free or can drop (`MemAvailable`), what the container's limit leaves (cgroup 2),
    and the limits of this process.
    """
    found = [_free(), _left_in_container(), *_limits()]
    known = [number for number in found if number is not None]
    return min(known) if known else None


def _free() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        [kilobytes] = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    except (OSError, ValueError):
        return None
    return int(kilobytes) * 1024


def _left_in_container() -> int | None:
    folder = Path("/sys/fs/cgroup")
    try:
        most, used = (int((folder / name).read_text()) for name in ("memory.max", "memory.current"))
        facts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no limit is the word max
        return None
    return max(0, most - used + int(facts.get("inactive_file", 0)))


def _limits() -> list[int]:
    """What the limits of this process's memory allow in all, where there are any."""
    if sys.platform == "win32":
        return []
    import resource

    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return [limit for limit in limits if limit != resource.RLIM_INFINITY]


def _limit() -> int | None:
    """Megabytes that this process may reserve, where that is limited."""
    if sys.platform == "win32":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit // 2**20
