"""The machine: memory, disks, folders that can be written, ports."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from soc_assets.diagnostics.verdict import Verdict
from soc_assets.errors import SettingsError
from soc_assets.runtime import memory, ports

PORTS = {"soc ui": 3000, "soc view": 3001, "soc mlflow": 5000, "soc serve": 8000}
TEMPORARY = "temporary files"
_LIMITS = {TEMPORARY: (0.1, 0.1)}
LEAST, LITTLE = 0.5, 5.0
"""Gigabytes below which a disk is an error, or a warning: the demo takes 0.1, 10,000 samples 0.8."""


def look_at_memory() -> Verdict:
    """Cores and memory, and a limit that is too low for the libraries."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = ", ".join([f"{cores} CPU cores", *_memory()])
    if refused := memory.refusal():
        return Verdict("memory", found, "error", refused)
    return Verdict("memory", found)


def _memory() -> Iterator[str]:
    """What the system says of memory, GB; a container may have less than its machine."""
    with suppress(ValueError, OSError, AttributeError):  # not on this system
        yield f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9:.1f} GB of memory"
    with suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        yield f"{int(line.split()[1]) * 1024 / 1e9:.1f} available"
    with suppress(OSError, ValueError):
        yield f"limited to {int(Path('/sys/fs/cgroup/memory.max').read_text(encoding='ascii')) / 1e9:.1f}"


def look_at_folders(folders: Iterable[tuple[str, Path]]) -> list[Verdict]:
    """Whether each can be written, and how much space is left: once for each file system.

    Args:
        folders: what each is called, and its path; those that are not there yet are judged by the nearest above.
    """
    found, seen = [], set()
    for name, folder in folders:
        found.append(_writable(name, folder))
        nearest = _nearest(folder)
        if nearest.is_dir() and (device := nearest.stat().st_dev) not in seen:
            seen.add(device)
            found.append(judge_space(name, nearest, shutil.disk_usage(nearest).free / 1e9))
    return found


def look_at_temporary_files() -> list[Verdict]:
    """The folder of temporary files, as `look_at_folders`."""
    try:
        return look_at_folders([(TEMPORARY, Path(tempfile.gettempdir()))])
    except FileNotFoundError as error:
        return [Verdict(TEMPORARY, str(error), "error", "Name a folder that can be written in TMPDIR.")]


def judge_space(name: str, folder: Path, free: float) -> Verdict:
    """Gigabytes that are free where a folder is."""
    least, little = _LIMITS.get(name, (LEAST, LITTLE))
    words = f"{free:,.1f} GB free at {folder}"
    where = "in TMPDIR" if name == TEMPORARY else "in [paths] of soc.toml"
    cure = f"Free some, or name another place {where}."
    if free < least:
        return Verdict(f"space for {name}", words, "error", cure)
    return Verdict(f"space for {name}", words, "warning" if free < little else "ok", cure if free < little else "")


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that is there; a file where one stands in the way."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def _writable(name: str, folder: Path) -> Verdict:
    nearest = _nearest(folder)
    if not nearest.is_dir():
        return Verdict(name, f"{nearest} is a file, not a folder", "error", "Move it, or name another folder.")
    try:
        with tempfile.TemporaryFile(dir=nearest, buffering=0) as file:
            file.write(b"soc")
    except OSError as error:
        cure = f"Change its permissions, free space there, or name another place for {name}."
        return Verdict(name, f"{folder} cannot be written: {error.strerror}", "error", cure)
    return Verdict(name, f"{folder}{'' if nearest == folder else ' (will be made)'}")


def look_at_ports() -> list[Verdict]:
    """Whether the commands that start a server find their port free."""
    found = []
    for command, port in PORTS.items():
        try:
            ports.require_free(port)
            found.append(Verdict(f"port {port}", f"free for `{command}`"))
        except SettingsError as error:
            reason, _, option = str(error).partition(" Choose another: ")
            cure = f"{command} {option}, unless that is `{command}` itself"
            found.append(Verdict(f"port {port}", reason, "warning", cure))
    return found
