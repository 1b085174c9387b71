"""The machine: memory, disks, folders that can be written, ports."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from soc_assets.diagnostics.verdict import Verdict
from soc_assets.errors import SettingsError, StorageError
from soc_assets.runtime import memory, ports
from soc_assets.storage import write_errors

PORTS = {"soc ui": 3000, "soc view": 3001, "soc mlflow": 5000, "soc serve": 8000}
LEAST, LITTLE = 1.0, 10.0
"""Gigabytes: with less nothing larger than a table can be written; the demo takes one, 10,000 samples some."""


def look_at_memory() -> Verdict:
    """Cores and memory, and a limit that is too low for the libraries."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = f"{cores} CPU cores, {_memory()}"
    if refused := memory.refusal():
        return Verdict("memory", found, "error", refused)
    return Verdict("memory", found)


def _memory() -> str:
    try:
        every, free = (os.sysconf("SC_PAGE_SIZE") * os.sysconf(n) / 2**30 for n in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
    except (ValueError, OSError, AttributeError):  # not on this system
        return "memory unknown"
    return f"{every:.1f} GB of memory, {free:.1f} unused"


def look_at_folders(folders: Iterable[tuple[str, Path]]) -> list[Verdict]:
    """Whether each can be written, and how much space is left: once for each file system.

    Args:
        folders: what each is called, and its path; those that are not there yet are judged by the nearest above.
    """
    found, seen = [], set()
    for name, folder in [*folders, ("temporary files", Path(tempfile.gettempdir()))]:
        found.append(_writable(name, folder))
        nearest = _nearest(folder)
        if (device := nearest.stat().st_dev) not in seen:
            seen.add(device)
            found.append(judge_space(name, nearest, shutil.disk_usage(nearest).free / 1e9))
    return found


def judge_space(name: str, folder: Path, free: float) -> Verdict:
    """Gigabytes that are free where a folder is."""
    words = f"{free:,.1f} GB free at {folder}"
    cure = "Free some, or name another place in [paths] of soc.toml (for temporary files in TMPDIR)."
    if free < LEAST:
        return Verdict(f"space for {name}", words, "error", cure)
    return Verdict(f"space for {name}", words, "warning" if free < LITTLE else "ok", cure if free < LITTLE else "")


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(each for each in (folder, *folder.parents) if each.is_dir())


def _writable(name: str, folder: Path) -> Verdict:
    nearest = _nearest(folder)
    there = "" if nearest == folder else " (will be made)"
    try:
        with (
            write_errors.translate_write_errors(nearest, name),
            tempfile.TemporaryFile(dir=nearest, buffering=0) as file,
        ):
            file.write(b"soc")
    except (StorageError, OSError) as error:
        return Verdict(name, f"{folder} cannot be written", "error", str(error))
    return Verdict(name, f"{folder}{there}")


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
