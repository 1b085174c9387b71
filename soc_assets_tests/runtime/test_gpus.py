"""GPUs of a machine, pretended by driver folder and CUDA_VISIBLE_DEVICES: found, lent to one process each, hidden."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import soc_assets
from soc_assets.errors import SettingsError, StorageError
from soc_assets.runtime import gpus as devices

REPOSITORY = Path(soc_assets.__file__).parents[1]
HOLD = """
import logging, sys, time, pathlib
from soc_assets.runtime import gpus as devices
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
with devices.lent(folder=pathlib.Path(sys.argv[1])) as name:
    import os
    print("lent", name, os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture(autouse=True)
def own_process(monkeypatch):
    """This process has had no device yet."""
    monkeypatch.setattr(devices, "_mine", [])


def driver(folder: Path, gpus: int) -> Path:
    for number in range(gpus):
        (folder / f"gpus/0000:{number:02}:00.0").mkdir(parents=True)
    return folder / "gpus"


def test_devices_are_those_of_the_driver_unless_the_variable_says_which(tmp_path):
    three = driver(tmp_path, 3)
    assert devices.names({}, three) == ["0", "1", "2"]
    assert devices.names({"CUDA_VISIBLE_DEVICES": "2, GPU-8f1a"}, three) == ["2", "GPU-8f1a"]
    assert devices.names({"CUDA_VISIBLE_DEVICES": ""}, three) == []
    assert devices.names({"CUDA_VISIBLE_DEVICES": "-1"}, three) == []
    assert devices.names({}, tmp_path / "no driver") == []


def test_slots_are_one_per_device_and_one_without(tmp_path):
    three = driver(tmp_path, 3)
    assert devices.slots(None, {}, three) == 3
    assert devices.slots(2, {}, three) == 2
    assert devices.slots(None, {}, tmp_path / "no driver") == 1
    assert devices.slots(1, {}, tmp_path / "no driver") == 1
    with pytest.raises(SettingsError, match=r"devices = 4 .* has 3 GPUs"):
        devices.slots(4, {}, three)


def test_step_that_needs_none_sees_none_and_one_that_does_still_finds_it(tmp_path):
    environment = {"CUDA_VISIBLE_DEVICES": "1"}
    devices.hide(environment)
    assert environment["CUDA_VISIBLE_DEVICES"] == ""
    assert devices.names(environment) == ["1"]
    with devices.lent(environment=environment, folder=tmp_path) as name:
        assert (name, environment["CUDA_VISIBLE_DEVICES"]) == ("1", "1")


def test_process_keeps_its_device_when_it_is_lent_one_again(tmp_path):
    environment = {"CUDA_VISIBLE_DEVICES": "0,1"}
    with devices.lent(environment=environment, folder=tmp_path) as first:
        pass
    with devices.lent(environment=environment, folder=tmp_path) as again:
        assert again == first == "0"


def test_several_are_lent_at_once_or_none(tmp_path):
    environment = {"CUDA_VISIBLE_DEVICES": "0,1,2"}
    with devices.lent(environment=environment, folder=tmp_path, count=2) as names:
        assert names == environment["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert environment["CUDA_VISIBLE_DEVICES"] == "0,1,2"
    devices._mine.clear()
    with (
        pytest.raises(SettingsError, match=r"processes = 4 .* 3 GPUs"),
        devices.lent(environment=environment, folder=tmp_path, count=4),
    ):
        pass
    holder = hold(tmp_path, 60)  # one of three: the others are still two
    try:
        assert line(holder).startswith("lent 0")
        with devices.lent(environment=environment, folder=tmp_path, count=2) as names:
            assert names == "1,2"
    finally:
        holder.kill()


def test_without_a_gpu_the_device_is_the_cpu_and_nobody_waits(tmp_path):
    with devices.lent(environment={"CUDA_VISIBLE_DEVICES": ""}, folder=tmp_path) as name:
        assert name == "cpu"
    assert list(tmp_path.iterdir()) == []


def hold(folder: Path, seconds: float) -> subprocess.Popen:
    """A process of its own that holds one of two devices."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "0,1", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", HOLD, str(folder), str(seconds)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def line(process: subprocess.Popen) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_two_processes_never_share_a_device_and_a_third_waits_until_one_dies(tmp_path):
    first, second = hold(tmp_path, 60), hold(tmp_path, 60)
    try:
        assert {line(first), line(second)} == {"lent 0 0", "lent 1 1"}
        third = hold(tmp_path, 0)
        assert line(third) == "all 2 GPUs of this machine are taken; waiting for one"
        time.sleep(1)
        assert third.poll() is None
        first.kill()  # nobody releases the lock but the kernel
        assert line(third).startswith("lent ")
        assert third.wait(30) == 0
    finally:
        for process in (first, second):
            process.kill()
            process.wait()


def test_block_inside_another_has_the_same_device_and_nobody_waits(tmp_path):
    environment = {"CUDA_VISIBLE_DEVICES": "0,1"}
    with devices.lent(environment=environment, folder=tmp_path) as outer:
        with devices.lent(environment=environment, folder=tmp_path) as inner:
            assert (outer, inner, environment["CUDA_VISIBLE_DEVICES"]) == ("0", "0", "0")
        assert environment["CUDA_VISIBLE_DEVICES"] == "0", "the outer block still holds it"
    assert environment["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_process_that_runs_steps_of_both_kinds_hides_nothing():
    environment = {"CUDA_VISIBLE_DEVICES": "1"}
    with devices.shared():
        devices.hide(environment)
    assert environment == {"CUDA_VISIBLE_DEVICES": "1"}


def test_locks_are_open_to_every_user_whatever_the_umask_and_where_tmpdir_does_not_move_them(tmp_path, monkeypatch):
    folder, former = tmp_path / "locks", os.umask(0o077)
    try:
        with devices.lent(environment={"CUDA_VISIBLE_DEVICES": "0"}, folder=folder):
            assert folder.stat().st_mode & 0o777 == 0o777
            assert {path.stat().st_mode & 0o666 for path in folder.iterdir()} == {0o666}
    finally:
        os.umask(former)
    code = "from soc_assets.runtime import gpus as devices; print(devices._LOCKS)"
    seen = set()
    for name in ("job1", "job2"):
        environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(REPOSITORY), "SLURM_JOB_NAME": name}
        seen.add(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True).stdout)
    assert seen == {"/tmp/soc_assets_devices\n"}


def test_folder_of_locks_that_another_user_closed_is_told_with_its_cure(tmp_path, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(devices.FileLock, "acquire", refuse)
    with (
        pytest.raises(StorageError, match=f"chmod 777 {tmp_path}"),
        devices.lent(environment={"CUDA_VISIBLE_DEVICES": "0"}, folder=tmp_path),
    ):
        pass
