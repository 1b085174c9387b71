"""Lets timm import where torchvision's compiled operators do not fit the installed torch.

timm 1.0 imports torchvision as soon as any part of it is imported (`timm.layers._fx`), although nothing here uses it.
With a CPU build of torch beside a torchvision built for CUDA that import fails with "operator torchvision::nms does not
exist"; declaring the schemas of two operators is enough. It can be removed once timm imports without torchvision.
"""

import importlib.util
from pathlib import Path

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_library = None  # kept alive: the declarations vanish with it


def declare_missing_operators() -> None:
    """Declare torchvision's operators, only where its own compiled library cannot be loaded."""
    global _library
    import torch
    from torch import library

    if _library is not None or hasattr(torch.ops.torchvision, "nms") or _compiled_library_loads():
        return
    _library = library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        _library.define(schema)


def _compiled_library_loads() -> bool:
    import torch

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    for library in Path(spec.origin).parent.glob("_C*.so"):
        try:
            torch.ops.load_library(library)
        except OSError:
            continue
        return hasattr(torch.ops.torchvision, "nms")
    return False
