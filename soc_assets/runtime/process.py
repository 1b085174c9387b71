"""This machine and its processes: whether the one that a run or a file is of is still there.

A machine is its host name and its numbering of processes (`this_machine`); a process is its machine, its PID, and its
start time, as PIDs are reused.
"""

import os
import re
import socket
import zlib
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

HOST_TAG, MACHINE_TAG, PROCESS_TAG, BIRTH_TAG = "soc/host", "soc/machine", "soc/process", "soc/birth"
"""Tags of Dagster runs: the host's name, for people, `this_machine`, the process of `soc run`, its `_birth`."""

_IN_NAMES = re.compile(r".*\.([0-9a-f]{8})-(\d+)-(?:([0-9a-f]{8}-\d+)-)?")  # versions before did not note the birth
_CLOCKS_DIFFER = 2.0  # seconds: boot time is given in whole ones


def is_alive(process: int, seen: float | None = None) -> bool:
    """Whether a process of this number exists on this machine.

    Args:
        process: its number.
        seen: when it was there, in seconds since 1970. One that began later has only reused the number.
    """
    if os.name == "nt":  # there, signal 0 would end the process
        return True
    try:
        with suppress(PermissionError):  # it is there, and somebody else's
            os.kill(process, 0)
    except ProcessLookupError:
        return False
    began = _began(process)
    return seen is None or began is None or began < seen + _CLOCKS_DIFFER


def _began(process: int) -> float | None:
    """When a process began, in seconds since 1970; None where the system does not tell."""
    try:
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime"))
        return float(boot.split()[1]) + _ticks(process) / os.sysconf("SC_CLK_TCK")
    except (OSError, StopIteration):
        return None


def _ticks(process: int) -> int:
    """When a process began, in the system's ticks since it was booted."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])


def _birth(process: int) -> str | None:
    """What no other process of this machine has, whoever sets its clock; None where the system does not tell."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text()[:8]}-{_ticks(process)}"
    except OSError:
        return None


@cache
def this_machine() -> str:
    """Eight digits for this machine and its numbering of processes, which a container has of its own."""
    try:
        numbering = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not Linux
        numbering = ""
    return f"{zlib.crc32(f'{socket.gethostname()} {numbering}'.encode()):08x}"


def is_this_host(name: str | None) -> bool:
    """Whether a server's address is of this host; None stands for a socket on it."""
    return name in (None, "localhost", "127.0.0.1", socket.gethostname())


def mark_of_files() -> str:
    """What names of temporary files hold of this process, by which `is_gone_from_name` judges them."""
    parts = [this_machine(), str(os.getpid()), _own_birth(os.getpid())]
    return "-".join(part for part in parts if part) + "-"


_own_birth = cache(_birth)


def is_gone_from_name(name: str) -> bool | None:
    """Whether the process that a file's name marks is no more; None where that is not known here."""
    found = _IN_NAMES.match(name)
    if found is None or found[1] != this_machine():
        return None
    tags = {MACHINE_TAG: found[1], PROCESS_TAG: found[2], **({BIRTH_TAG: found[3]} if found[3] else {})}
    return is_gone(tags)


def marks() -> dict[str, str]:
    """Tags by which `process_of` knows this process again."""
    own = {HOST_TAG: socket.gethostname(), MACHINE_TAG: this_machine(), PROCESS_TAG: str(os.getpid())}
    birth = _birth(os.getpid())
    return {**own, BIRTH_TAG: birth} if birth else own


def process_of(tags: Mapping[str, str]) -> int | None:
    """The number of the process that left these tags, where it can be judged here; None for another machine's.

    A host's name does not tell: containers can share one, and each numbers its processes itself.
    """
    return int(tags[PROCESS_TAG]) if tags.get(MACHINE_TAG) == this_machine() and PROCESS_TAG in tags else None


def is_gone(tags: Mapping[str, str], seen: float | None = None) -> bool:
    """Whether the process that left these tags was one of this machine and is no more.

    Args:
        tags: of `marks`.
        seen: when it was there, in seconds since 1970, for tags of versions that did not note its birth.
    """
    process = process_of(tags)
    if process is None:
        return False
    born, now = tags.get(BIRTH_TAG), _birth(process)
    if born is None or now is None:
        return not is_alive(process, seen)
    return born != now
