"""Graphs of registered models that are exported once: tracing one takes longer than fitting the small network in it."""

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import torch

_known: dict[Any, Any] = {}
_files: dict[int, bytes] = {}  # by program, which `_known` keeps


def shared() -> AbstractContextManager[object]:
    """Every registered model is the file of the first of its shape, with the weights of that one."""
    export, save = torch.export.export, torch.export.save

    def export_once(model: torch.nn.Module, args: tuple[Any, ...], **options: Any) -> Any:
        shapes = tuple((name, tuple(value.shape)) for name, value in model.state_dict().items())
        key = repr(model), shapes, tuple(tuple(each.shape) for each in args)
        if key not in _known:
            _known[key] = export(model, args, **options)
        return _known[key]

    def save_once(program: Any, path: str, **options: Any) -> None:
        if id(program) not in _files:
            save(program, path, **options)
            _files[id(program)] = Path(path).read_bytes()
        Path(path).write_bytes(_files[id(program)])

    patches = ExitStack()
    patches.enter_context(mock.patch.object(torch.export, "export", export_once))
    patches.enter_context(mock.patch.object(torch.export, "save", save_once))
    return patches
