"""The GPUs of this machine, and assigning one to a process: each step has its own device, and other steps see none.

Which GPUs there are is read from the driver's files, without importing torch. A device is assigned by locking a
machine-wide file, not the project's: two runs of any project never share one, and the lock ends with the process.
"""

import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from soc_assets.errors import SettingsError, StorageError

_log = logging.getLogger(__name__)
VISIBLE = "CUDA_VISIBLE_DEVICES"
_ORIGINAL = "_SOC_ASSETS_VISIBLE_DEVICES"  # what was visible before a step hid or took a device
_mine: list[str] = []  # the device of this process once it had one: CUDA reads the variable only once
_held: list[str] = []  # the same, while a block holds it
_shared: list[bool] = []  # whether this process runs steps of both kinds
_DRIVER = Path("/proc/driver/nvidia/gpus")
_LOCKS = (Path("/tmp") if os.name == "posix" else Path(tempfile.gettempdir())) / "soc_assets_devices"  # not TMPDIR's


def names(environment: Mapping[str, str] = os.environ, driver: Path = _DRIVER) -> list[str]:
    """The devices that this process may use, as CUDA_VISIBLE_DEVICES names them; empty without a GPU."""
    visible = environment.get(_ORIGINAL, environment.get(VISIBLE))
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1", "NoDevFiles")]
    return [str(number) for number in range(len(list(driver.iterdir())))] if driver.is_dir() else []


def slots(wanted: int | None, environment: Mapping[str, str] = os.environ, driver: Path = _DRIVER) -> int:
    """How many steps may use a device at once: one per GPU, at most `wanted`; 1 where there is none (the CPU).

    Raises:
        SettingsError: more are wanted than there are.
    """
    there = len(names(environment, driver))
    if wanted is not None and wanted > max(there, 1):
        raise SettingsError(
            f"devices = {wanted} in [execution] of soc.toml, but this machine has {there} GPUs; left out, all are used."
        )
    return max(min(there, wanted or there), 1)


@contextmanager
def shared() -> Iterator[None]:
    """In the block this process runs steps with and without a device, as `soc run` does: `hide` hides nothing.

    CUDA looks once in a process: asked while the devices are hidden, it would find none for the steps that come later.
    """
    _shared.append(True)
    try:
        yield
    finally:
        _shared.pop()


def hide(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let a step that needs no device see none; to be called before CUDA is first used in this process."""
    if not _shared:
        _remember(environment)
        environment[VISIBLE] = ""


@contextmanager
def lent(
    environment: MutableMapping[str, str] = os.environ,
    folder: Path | None = None,
    driver: Path = _DRIVER,
    count: int = 1,
) -> Iterator[str]:
    """A device for this process (or several), the only one that it sees, until the block ends or the process does.

    A block inside another has the device of the outer one.

    Args:
        environment: of the process.
        folder: of the locks; by default one that all users and jobs of the machine share, whatever TMPDIR says.
        driver: where the driver lists its GPUs.
        count: how many are wanted.

    Yields:
        The name of the device as CUDA_VISIBLE_DEVICES has it (several with commas), or `cpu` where there is none.

    Raises:
        SettingsError: more are wanted than there are.
        StorageError: this user may not lock in the folder.
    """
    if _held:
        yield _held[0]
        return
    candidates = _mine[:count] or names(environment, driver)
    if not candidates:
        yield "cpu"
        return
    if count > len(candidates):
        raise SettingsError(
            f"processes = {count} in [pretraining] of soc.toml, but there are {len(candidates)} GPUs for this process."
        )
    lent_now = _free(candidates, folder or _LOCKS, count)
    try:
        _remember(environment)
        environment[VISIBLE] = ",".join(lent_now)
        _mine[:] = list(lent_now)
        _held[:] = [environment[VISIBLE]]
        yield environment[VISIBLE]
    finally:
        _held.clear()
        environment[VISIBLE] = environment[_ORIGINAL]
        for lock in lent_now.values():
            lock.release()


def _free(candidates: list[str], folder: Path, count: int) -> dict[str, FileLock]:
    """Locks of so many devices, by name, all at once: two steps that each hold half would wait for ever."""
    _make_common(folder)
    announced = False
    while True:
        found: dict[str, FileLock] = {}
        for name in candidates:
            lock = FileLock(folder / f"{name.replace('/', '_')}.lock", mode=0o666)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            except PermissionError as error:
                raise StorageError(
                    f"The GPUs are lent by locks in {folder}, where this user may not write. Its owner can open it to "
                    f"all: chmod 777 {folder}; chmod 666 {folder}/*"
                ) from error
            found[name] = lock
            if len(found) == count:
                return found
        for lock in found.values():
            lock.release()
        if not announced:
            _log.info("all %d GPUs of this machine are taken; waiting for one", len(candidates))
            announced = True
        time.sleep(0.5)


def _make_common(folder: Path) -> None:
    """A folder in which every user may lock; the umask cuts the mode that `mkdir` is given."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return
    folder.chmod(0o777)


def _remember(environment: MutableMapping[str, str]) -> None:
    if _ORIGINAL not in environment:
        known = names(environment)
        environment[_ORIGINAL] = ",".join(known)
