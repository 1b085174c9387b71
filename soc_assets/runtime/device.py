"""The device that torch computes on: from the name in soc.toml to a torch.device, checked before any work begins.

What runs on the device is decided by the embedding and the regression stage.
"""

from typing import TYPE_CHECKING

from soc_assets.errors import SettingsError

if TYPE_CHECKING:
    import torch

KINDS = "auto, cpu, cuda, cuda:0, cuda:1, ... or mps"


def resolve_device(name: str) -> "torch.device":
    """The torch device that `name` means on this machine.

    Args:
        name: the setting `device` of [embedding] or [training]: auto (CUDA before MPS before CPU), cpu, cuda, cuda:1,
            mps.

    Raises:
        SettingsError: the name is not one of these, or this machine has no such device.
    """
    import torch

    if name == "auto":
        has_mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SettingsError(f"device = {name!r} is not a device. Use {KINDS}.") from None
    _refuse_absent(device, name)
    return device


def out_of_memory(error: BaseException) -> bool:
    """Whether a device's allocator failed; those of the CPU and of CUDA's libraries have no specific error."""
    import torch

    markers = ("DefaultCPUAllocator", "_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in markers)


def _refuse_absent(device: "torch.device", name: str) -> None:
    import torch

    if device.type not in ("cpu", "cuda", "mps"):
        raise SettingsError(f"device = {name!r} is not supported. Use {KINDS}.")
    cure = "Set device to 'auto' (or 'cpu') in [embedding] and [training] of soc.toml."
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SettingsError(f"device = {name!r}, but torch {torch.__version__} sees no CUDA GPU here. {cure}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingsError(f"device = {name!r}, but there are {torch.cuda.device_count()} CUDA GPUs, from 0. {cure}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise SettingsError(f"device = {name!r}, but torch {torch.__version__} sees no Apple GPU here. {cure}")
