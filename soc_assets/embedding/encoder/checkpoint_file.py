"""Reading the file of a checkpoint: safetensors or what torch.save wrote, told apart by the first bytes.

A checkpoint never runs code. Pickles are read with `weights_only=True`, and of what is commonly saved beside a model
(arguments of the training, NumPy scalars, paths) nothing is rebuilt: an inert placeholder takes its place.
"""

import pickle
import re
from itertools import product
from pathlib import Path
from threading import Lock
from typing import Any

from soc_assets.embedding.encoder.file_kinds import HEAD, cut_off, is_safetensors, problem_of, save_alone
from soc_assets.errors import CheckpointError
from soc_assets.runtime.device import out_of_memory

_SCALARS = (
    *("bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "longdouble", "complex64", "complex128", "str_", "bytes_"),
)
_HARMLESS = (
    "argparse.Namespace",
    *("numpy.dtype", "numpy.ndarray", *(f"numpy.{name}" for name in _SCALARS)),
    *(f"numpy.{core}.multiarray.{name}" for core, name in product(("core", "_core"), ("scalar", "_reconstruct"))),
    *("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"),
    *("datetime.date", "datetime.datetime", "datetime.timedelta", "types.SimpleNamespace", "uuid.UUID"),
    *("builtins.list", "builtins.dict", "builtins.int", "builtins.float"),  # what a defaultdict begins with
    *(f"pathlib{local}.{name}Path" for local, name in product(("", "._local"), ("Posix", "Windows", "PurePosix"))),
)
"""Values that are commonly saved beside a model and never needed."""
_NAMES = (
    r"GLOBAL (\S+)",
    r"``(torch\S+)``.* must be imported",
    r"function <\w+ (?:\w+ )*'?([\w.]+)'?",
    r"but got <class '([^']+)'>",
)
_NEVER = {
    *("__builtin__", "builtins", "code", "commands", "ctypes", "importlib", "nt", "operator", "os", "posix", "pty"),
    *("runpy", "shutil", "socket", "subprocess", "sys", "timeit", "webbrowser"),
}
"""Modules that a pickle names to run something."""
_loading = Lock()  # torch's list of safe names is that of the process


class Placeholder:
    """Stands for a value that was not rebuilt; takes whatever it is made from, and does nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Nothing is kept."""

    def __setstate__(self, _: Any) -> None:
        """Nothing is kept."""


def empty_dict(*_: Any) -> dict[Any, Any]:
    """Stands for a defaultdict, whose entries are set afterwards."""
    return {}


def read_file(path: Path) -> Any:
    """What a checkpoint's file holds: plain values and tensors on the CPU.

    Raises:
        CheckpointError: the file is missing, damaged or no checkpoint, or reading it would run code.
    """
    if not path.is_file():
        raise CheckpointError(
            f"The checkpoint {path} does not exist. Put the file there, or correct `checkpoint` in [embedding] of "
            "soc.toml (without that line the weights are random)."
        )
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
        problem = None if is_safetensors(head) else problem_of(path, head)
        if problem is None:
            return _read_safetensors(path) if is_safetensors(head) else _read_pickle(path)
    except OSError as error:
        raise CheckpointError(f"The checkpoint {path} cannot be read: {error.strerror or error}.") from None
    raise CheckpointError(f"The checkpoint {path} {problem}")


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"The checkpoint {path} {cut_off(path)} safetensors says: {error}.") from None


def _read_pickle(path: Path) -> Any:
    import torch

    harmless: Any = [*((Placeholder, name) for name in _HARMLESS), (empty_dict, "collections.defaultdict")]
    try:
        with _loading, torch.serialization.safe_globals(harmless), path.open("rb") as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_refusal(path, str(error))) from None
    except (OSError, MemoryError):
        raise
    except Exception as error:  # a damaged pickle may fail anywhere
        if out_of_memory(error):
            raise
        raise CheckpointError(f"The checkpoint {path} {cut_off(path)}") from None


def _refusal(path: Path, said: str) -> str:
    """Why a pickle was not read, by what torch said of it."""
    name = next((found[1] for pattern in _NAMES if (found := re.search(pattern, said))), None)
    if name is None:
        return f"The checkpoint {path} {cut_off(path)}"
    words = (
        f"The checkpoint {path} was refused: it holds {name}, which is neither a tensor nor a plain value, and making "
        "it could run code. Nothing in the file was run."
    )
    module = name.rpartition(".")[0]
    if not module or module.partition(".")[0] in _NEVER:
        return f"{words} No model needs that: delete the file, and take the one that the authors publish."
    return f"{words} {save_alone(path)}"
