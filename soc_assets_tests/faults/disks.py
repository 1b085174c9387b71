"""Disks of a few megabytes that become full or read-only, and processes that may not write everywhere."""

import ctypes
import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_DROP_CAPABILITY, _DAC_OVERRIDE = 24, 1  # prctl's numbers (linux/prctl.h, linux/capability.h)


@contextmanager
def disk(folder: Path, megabytes: int) -> Iterator[None]:
    """An empty disk in memory at `folder`; the test is skipped where mounting is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _mount("-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk is not permitted")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def resize(folder: Path, megabytes: int) -> None:
    """A larger or smaller disk, with what is on it."""
    _mount("-o", f"remount,size={megabytes}m", str(folder))


def resize_bytes(folder: Path, size: int) -> None:
    """As `resize`, to whole kilobytes."""
    _mount("-o", f"remount,size={size // 1024}k", str(folder))


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The disk at `folder` cannot be written."""
    _mount("-o", "remount,ro", str(folder))
    try:
        yield
    finally:
        _mount("-o", "remount,rw", str(folder))


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """The disk of `folder` has no byte left."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
    try:
        yield
    finally:
        filler.unlink()


def without_privileges() -> None:
    """To be called in a new process: from now on permissions hold for root too."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(_DROP_CAPABILITY, _DAC_OVERRIDE, 0, 0, 0)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)
