import pytest
import torch

from soc_assets.errors import SettingsError
from soc_assets.runtime.device import resolve_device


def pretend(monkeypatch, gpus: int, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("gpus", "mps", "expected"), [(1, True, "cuda"), (0, True, "mps"), (0, False, "cpu"), (2, False, "cuda")]
)
def test_auto_takes_cuda_before_mps_before_cpu(monkeypatch, gpus, mps, expected):
    pretend(monkeypatch, gpus, mps)
    assert resolve_device("auto").type == expected


def test_named_device_is_taken_where_it_exists(monkeypatch):
    pretend(monkeypatch, 2, False)
    assert resolve_device("cuda:1") == torch.device("cuda:1")
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "gpus", "message"),
    [
        ("cuda", 0, "sees no CUDA GPU here. Set device to 'auto'"),
        ("cuda:3", 2, "there are 2 CUDA GPUs, from 0"),
        ("mps", 0, "sees no Apple GPU"),
        ("gpu", 0, "device = 'gpu' is not a device. Use auto, cpu"),
        ("xpu", 0, "device = 'xpu' is not supported"),
    ],
)
def test_absent_device_is_an_error_that_names_the_cure(monkeypatch, name, gpus, message):
    pretend(monkeypatch, gpus, False)
    with pytest.raises(SettingsError, match=message):
        resolve_device(name)
