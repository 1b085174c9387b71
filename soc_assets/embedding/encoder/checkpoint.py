"""The model in what a checkpoint's file holds, whatever it was wrapped in.

Trainers save a model under a key (`model`, `state_dict`, ...), beside an optimizer or an average of its weights, and
prefix its keys with where it was in their own module (`module.`, `_orig_mod.`, `encoder.`, ...). The model is where a
key ends with `patch_embed.proj.weight`; what was unwrapped and what is beside it is noted, never dropped in silence.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soc_assets.embedding.encoder.checkpoint_file import Placeholder, read_file
from soc_assets.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

PROJECTION = "patch_embed.proj.weight"
"""The key that every SpectralGPT model has."""
_WRAPPERS = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}  # anywhere in a key
_PLAIN = {
    *("model", "module", "net", "network", "encoder", "backbone", "student", "weights", "params"),
    *("state_dict", "model_state_dict", "model_state"),
}
_AVERAGED = re.compile(r"(^|_)(ema|teacher|momentum|target|avg|averaged|swa)(_|$)")


@dataclass(frozen=True)
class Checkpoint:
    """The model of a checkpoint.

    Attributes:
        tensors: by official key.
        outside: keys in full of tensors beside the encoder in the same state dict, as of the head of a segmentation.
        notes: what was unwrapped, and which tensors elsewhere in the file are not used.
    """

    tensors: dict[str, "Tensor"]
    outside: list[str]
    notes: list[str]


@dataclass(frozen=True)
class _Found:
    """A model in the file.

    Attributes:
        place: keys of the dicts that it is in.
        prefix: of its keys in the innermost.
        tensors: all of the innermost.
        wrappers: names of wrappers that were taken out of the keys.
    """

    place: tuple[str, ...]
    prefix: str
    tensors: dict[str, "Tensor"]
    wrappers: tuple[str, ...]

    @property
    def name(self) -> str:
        """As it is shown: `state_dict > module.`, or `its own keys` where nothing is to be unwrapped."""
        return " > ".join([*self.place, *([self.prefix] if self.prefix else [])]) or "its own keys"

    @property
    def projection(self) -> "Tensor":
        """Its patch embedding, which tells whether two are the same."""
        return self.tensors[self.prefix + PROJECTION]

    @property
    def rank(self) -> int:
        """0 where its names are those of a model, 1 where one is not known, 2 of an average of its weights."""
        names = [*self.place, *filter(None, self.prefix.split("."))]
        if any(_AVERAGED.search(name.lower()) for name in names):
            return 2
        return 0 if _PLAIN.issuperset(names) else 1

    def holds(self, key: str) -> bool:
        """Whether a key of the innermost dict is one of this model."""
        return key.startswith(self.prefix)


def read_checkpoint(path: Path) -> dict[str, "Tensor"]:
    """The model's tensors by official key; see `open_checkpoint`."""
    return open_checkpoint(path).tensors


def open_checkpoint(path: Path) -> Checkpoint:
    """Read the model of a `.pth` or `.safetensors` file, or of one with another name.

    Raises:
        CheckpointError: see `read_file`; or there is no model in the file, or several and none is known as the model.
    """
    content = read_file(path)
    found = list(_models(content))
    if not found:
        raise CheckpointError(_nothing_found(content, path))
    best = min(each.rank for each in found)
    first, *others = [each for each in found if each.rank == best]
    if any(other.projection is not first.projection for other in others):
        names = " and ".join(each.name for each in (first, *others))
        raise CheckpointError(f"{path} holds several models, under {names}. Save the one that you mean alone.")
    return _unwrap(content, first, found)


def _dicts(content: Any) -> Iterator[tuple[tuple[str, ...], Mapping[Any, Any]]]:
    """Every dict within dicts once, the outermost first, with the keys that lead there."""
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), content)])
    seen: set[int] = set()
    while waiting:
        place, inner = waiting.popleft()
        if isinstance(inner, Mapping) and id(inner) not in seen:
            seen.add(id(inner))
            yield place, inner
            waiting.extend(((*place, str(key)), value) for key, value in inner.items())


def _models(content: Any) -> Iterator[_Found]:
    """Every model in dicts within dicts."""
    for place, inner in _dicts(content):
        tensors, wrappers = _tensors_in(inner)
        for key in tensors:
            if key == PROJECTION or key.endswith(f".{PROJECTION}"):
                yield _Found(place, key.removesuffix(PROJECTION), tensors, wrappers)


def _tensors_in(content: Mapping[Any, Any]) -> tuple[dict[str, "Tensor"], tuple[str, ...]]:
    """Tensors of a dict by key, without the wrappers that a compiled or sharded module has anywhere in its keys."""
    tensors = {str(key): value for key, value in content.items() if _is_tensor(value)}
    parts = {part for key in tensors for part in key.split(".")[:-1] if part in _WRAPPERS}
    short = {".".join(part for part in key.split(".") if part not in parts): key for key in tensors}
    if len(short) < len(tensors):  # two keys would become one
        return tensors, ()
    return {key: tensors[original] for key, original in short.items()}, tuple(sorted(parts))


def _unwrap(content: Any, model: _Found, found: list[_Found]) -> Checkpoint:
    others = [each for each in found if each.place == model.place and len(each.prefix) > len(model.prefix)]
    own = {key for key in model.tensors if model.holds(key) and not any(other.holds(key) for other in others)}
    outside = sorted(set(model.tensors) - own)
    notes = []
    if model.place:
        notes.append(f'taken from "{" > ".join(model.place)}"')
    if model.prefix:
        notes.append(f'without the prefix "{model.prefix}"')
    notes += [f'without "{name}." in its keys' for name in model.wrappers]
    for name, count in _beside(content, model.place):
        notes.append(f'not used: "{name}" ({_tensors(count)})')
    if outside:
        more = ", ..." if len(outside) > 3 else ""
        notes.append(f"not used: {_tensors(len(outside))} beside the encoder ({', '.join(outside[:3])}{more})")
    tensors = {key.removeprefix(model.prefix): model.tensors[key] for key in model.tensors if key in own}
    return Checkpoint(tensors, outside, notes)


def _tensors(count: int) -> str:
    return f"{count} tensor{'s' if count != 1 else ''}"


def _beside(content: Any, place: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """What else holds tensors in the file: an optimizer, averaged weights; how many."""
    for depth, inner in enumerate((*place, None)):
        for key, value in content.items():
            if str(key) != inner and not _is_tensor(value) and (count := _count(value)):
                yield " > ".join([*place[:depth], str(key)]), count
        content = next((value for key, value in content.items() if str(key) == inner), {})


def _count(content: Any) -> int:
    """Tensors in dicts, lists and tuples within each other."""
    waiting, seen, count = [content], set(), 0
    while waiting:
        inner = waiting.pop()
        count += _is_tensor(inner)
        if isinstance(inner, (Mapping, list, tuple)) and id(inner) not in seen:
            seen.add(id(inner))
            waiting += inner.values() if isinstance(inner, Mapping) else inner
    return count


def _is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _nothing_found(content: Any, path: Path) -> str:
    """What the file holds instead of a model."""
    if not isinstance(content, Mapping):
        return f"{path} holds no model: a {type(content).__name__} stands where a dict of tensors is expected."

    def arrays(found: tuple[tuple[str, ...], Mapping[Any, Any]]) -> int:
        return sum(_is_tensor(value) or isinstance(value, Placeholder) for value in found[1].values())

    place, inner = max(_dicts(content), key=arrays)
    where = f' in "{" > ".join(place)}"' if place else ""
    if any(str(key).endswith(PROJECTION) and isinstance(value, Placeholder) for key, value in inner.items()):
        return (
            f"{path} holds no model: the values{where} are NumPy arrays. Make tensors of them "
            "(`torch.from_numpy(value)`), and save those."
        )
    keys = [str(key) for key in inner]
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    return (
        f"{path} holds no SpectralGPT model: no key ends with {PROJECTION}. The first keys found{where}: "
        f"{', '.join(keys[:5]) or 'none'}{more}."
    )
