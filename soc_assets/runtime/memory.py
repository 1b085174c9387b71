"""Readable messages for insufficient memory (`ulimit -v`, a container, a small machine).

Libraries report it with their own exceptions, imports included, so it is recognised by their messages. That of a GPU is
in `soc_assets.runtime.device`.
"""

import sys

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


def _limit() -> int | None:
    """Megabytes that this process may reserve, where that is limited."""
    if sys.platform == "win32":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit // 2**20
