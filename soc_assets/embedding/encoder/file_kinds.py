"""What a file is that was given as a checkpoint and is none, by its first bytes, and what to do about it.

Names say little: a web page is saved as `.pth`, and a Git clone without LFS holds pointers of 130 bytes.
"""

import tarfile
import zipfile
from pathlib import Path

HEAD = 1024
"""Bytes that are looked at."""
_SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".safetensors")
_LEGACY = b"l\xfc\x9cF\xf9 j\xa8P\x19"  # the number that torch.save wrote first before it wrote zip archives
_AGAIN = "Download it again, and compare its size with the published one."
_UNPACKERS = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_OTHERS = {
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it, and name the checkpoint in it",
    b"Rar!": "a RAR archive: unpack it, and name the checkpoint in it",
    b"\x89HDF": "HDF5, as Keras writes it, not a checkpoint of PyTorch. Export the weights to PyTorch first",
    b"%PDF": "a PDF document. Download the checkpoint itself",
    b"\x93NUMPY": "a NumPy array. Save the model with torch.save first",
}


def is_safetensors(head: bytes) -> bool:
    """Whether a file begins as safetensors do: the length of a JSON header, and that header."""
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 10**8


def problem_of(path: Path, head: bytes) -> str | None:
    """Why a file cannot be a checkpoint, with the cure, to follow "The checkpoint ... "; None where it may be one."""
    if not head:
        return "is empty: a copy or download was interrupted. Get it again."
    if head.startswith(b"PK"):
        return _of_zip(path)
    if head.startswith(b"\x80"):
        return None if _LEGACY in head[:32] else f"is a pickle that torch.save did not write. {save_alone(path, True)}"
    if archive := _archive(path, head):
        return archive
    for magic, words in _OTHERS.items():
        if head.startswith(magic):
            return f"is {words}."
    return (
        _of_text(head) or f"is not a file of torch.save or safetensors (it begins with {head[:8].hex(' ')}). {_AGAIN}"
    )


def cut_off(path: Path) -> str:
    """To follow "The checkpoint ... ": a file that ends too soon or is damaged within."""
    return f"is damaged or cut off (it has {path.stat().st_size:,} bytes). {_AGAIN}"


def save_alone(path: Path, plain: bool = False) -> str:
    """The cure for a pickle that holds more than tensors: lines that save its model alone.

    Args:
        path: of the pickle.
        plain: whether pickle itself wrote it, and not torch.save.
    """
    where = path.as_posix()
    load = f'pickle.load(open("{where}", "rb"))'
    load = load if plain else f'torch.load("{where}", map_location="cpu", weights_only=False)'
    lines = (
        "import pickle" if plain else None,
        "import torch",
        f"model = {load}",
        'for key in ("model", "net", "state_dict", "model_state_dict"):',
        "    model = model[key] if isinstance(model, dict) and key in model else model",
        'model = model.state_dict() if hasattr(model, "state_dict") else model',
        'model = {key: torch.as_tensor(value) for key, value in model.items() if hasattr(value, "shape")}',
        f'torch.save({{"model": model}}, "{_beside(path).as_posix()}")',
    )
    return (
        "If you trust whoever made it, save its model alone with the lines below, which do run what is in the file, "
        f"where the software that wrote it is installed. {_name(path)}\n\n" + _indented(lines)
    )


def _of_zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return cut_off(path)
    own = {name.partition("/")[2] for name in names}
    if "constants.pkl" in own:
        return f"is a TorchScript archive, which holds code beside the weights. {_of_script(path)}"
    if "data.pkl" in own:
        return None
    return _of_members(path, "zip", names)


def _of_script(path: Path) -> str:
    lines = (
        "import torch",
        f'model = torch.jit.load("{path.as_posix()}", map_location="cpu")',
        f'torch.save({{"model": model.state_dict()}}, "{_beside(path).as_posix()}")',
    )
    return f"If you trust whoever made it, save the weights alone with the lines below. {_name(path)}\n\n" + _indented(
        lines
    )


def _archive(path: Path, head: bytes) -> str | None:
    try:
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                return _of_members(path, "tar", archive.getnames())
    except (tarfile.TarError, OSError, EOFError):
        return cut_off(path)
    for magic, tool in _UNPACKERS.items():
        if head.startswith(magic):
            return (
                f"is compressed by {tool}. Unpack it (`{tool} -dc < {path} > {_beside(path)}`), and name "
                f"{_beside(path)} as `checkpoint` in [embedding] of soc.toml."
            )
    return None


def _of_members(path: Path, kind: str, names: list[str]) -> str:
    """Of an archive that is no checkpoint, but may hold one."""
    held = [name for name in names if name.endswith(_SUFFIXES)]
    if not held:
        first = ", ".join(names[:5]) or "nothing"
        return (
            f"is a {kind} archive in which there is no checkpoint (it holds {first}). Download the checkpoint itself."
        )
    return (
        f"is a {kind} archive that holds {', '.join(held[:5])}. Unpack it (`python -m {kind}file -e {path} "
        f"{path.parent}`), and name {path.parent / held[0]} as `checkpoint` in [embedding] of soc.toml."
    )


def _of_text(head: bytes) -> str | None:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"version https://git-lfs"):
        size = next(
            (line[5:] for line in start.decode("ascii", "replace").splitlines() if line.startswith("size ")), ""
        )
        size = f" ({int(size):,} bytes)" if size.isdigit() else ""
        return (
            f"is a Git LFS pointer, which stands for the file{size}. Run `git lfs pull` in its repository, or download "
            "the file itself."
        )
    if start[:1] == b"<":
        what = "a message in XML from a server" if start[:5].lower() == b"<?xml" else "a web page (HTML)"
        return (
            f"is {what}, not the file: the link leads to a page about it, or to a login. Use the link that downloads "
            "the file itself, and compare its size with the published one."
        )
    try:
        text = start.decode("utf-8", "strict" if len(head) < HEAD else "ignore")
    except UnicodeDecodeError:
        return None
    if not all(character.isprintable() or character in "\t\r\n\f" for character in text):
        return None
    first = text.splitlines()[0][:60] if text else ""
    return f"is a text that begins with {first!r}, not a checkpoint. Download the file itself."


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.stem}_model.pth")


def _name(path: Path) -> str:
    return f"Then name {_beside(path)} as `checkpoint` in [embedding] of soc.toml."


def _indented(lines: tuple[str | None, ...]) -> str:
    return "\n".join(f"    {line}" for line in lines if line is not None)
