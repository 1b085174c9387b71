"""Files that are given as checkpoints: read by what they are, and otherwise refused with a cure that works."""

import argparse
import bz2
import gzip
import io
import json
import pickle
import subprocess
import sys
import tarfile
import zipfile
from collections import defaultdict
from datetime import datetime
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch

from soc_assets.embedding.encoder.checkpoint_file import read_file
from soc_assets.errors import CheckpointError
from soc_assets_tests.embedding.encoder.checkpoints import GOLDEN, assert_official, loaded, official


class Config:
    """Of a trainer: not a plain value."""

    def __init__(self, **settings):
        self.__dict__.update(settings)


class Whole(torch.nn.Module):
    """A model that was saved with its class."""

    def __init__(self):
        super().__init__()
        for key, value in official().items():
            *names, last = key.split(".")
            parent = self
            for name in names:
                if not hasattr(parent, name):
                    parent.add_module(name, torch.nn.Module())
                parent = getattr(parent, name)
            parent.register_buffer(last, value)


def refusal(path: Path) -> str:
    """What is said of a file, without what it is called."""
    with pytest.raises(CheckpointError) as caught:
        loaded(path)
    words = str(caught.value)
    assert str(path) in words and "\x1b" not in words and "safe_globals" not in words
    return words


def follow(words: str) -> None:
    """Run the indented lines of a message."""
    lines = [line[4:] for line in words.splitlines() if line.startswith("    ")]
    assert lines
    exec("\n".join(lines), {"__name__": "cure"})


@pytest.mark.parametrize("name", ["tiny.safetensors", "tiny.pth", "tiny", "tiny.bin"])
@pytest.mark.parametrize("kind", ["torch", "legacy", "safetensors"])
def test_what_a_file_is_decides_and_not_its_name(tmp_path, name, kind):
    path = tmp_path / name
    if kind == "safetensors":
        from safetensors.torch import save_file

        save_file(official(), path)
    else:
        torch.save({"model": official()}, path, _use_new_zipfile_serialization=kind == "torch")
    assert_official(loaded(path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n<!DOCTYPE html>\n<html><head>" + b" " * 2000, r"is a web page \(HTML\)"),
        (b"<html>", "web page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML from a server"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 343210000\n",
            r"is a Git LFS pointer.*\(343,210,000 bytes\).*git lfs pull",
        ),
        (b'{"weight_map": {"a": "b"}}', "is a text that begins with '{\"weight_map"),
        ("ключ: значение\n".encode() * 200, "is a text that begins with 'ключ: значение'"),
        (b"\x89HDF\r\n\x1a\n" + bytes(2000), "is HDF5"),
        (bytes(range(200, 256)), "not a file of torch.save"),
        (b"PK\x03\x04" + bytes(100), r"damaged or cut off \(it has 104 bytes\)"),
    ],
)
def test_what_is_no_checkpoint_is_told_by_its_first_bytes(tmp_path, content, words):
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=words):
        read_file(path)


@pytest.mark.parametrize("kind", ["torch", "legacy", "safetensors"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_half_a_download_is_called_that(tmp_path, kind, share):
    path = tmp_path / "model.pth"
    if kind == "safetensors":
        from safetensors.torch import save_file

        save_file(official(), path)
    else:
        torch.save({"model": official()}, path, _use_new_zipfile_serialization=kind == "torch")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    assert "damaged or cut off" in refusal(path)


def packed(folder: Path, kind: str) -> Path:
    """An archive of a golden checkpoint, under the name of one."""
    source, path = GOLDEN / "tiny_joint_pos_embed.pth", folder / "packed.pth"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(source, "weights/tiny.pth")
    else:
        with tarfile.open(path, f"w:{kind.partition('.')[2]}") as archive:
            archive.add(source, "weights/tiny.pth")
    return path


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
def test_archive_is_refused_with_the_command_that_unpacks_it(tmp_path, kind):
    words = refusal(packed(tmp_path, kind))
    command, named = words.split("`")[1], words.split("name ")[1].split(" as ")[0]
    assert command.startswith("python -m ")
    subprocess.run([sys.executable, *command.split()[1:]], check=True)
    assert_official(loaded(Path(named)))


def test_archive_without_a_checkpoint_says_what_it_holds(tmp_path):
    np.savez(tmp_path / "arrays.npz", a=np.zeros(2))
    with tarfile.open(tmp_path / "code.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("README.md"), io.BytesIO())
    assert "no checkpoint (it holds a.npy)" in refusal(tmp_path / "arrays.npz")
    assert "no checkpoint (it holds README.md)" in refusal(tmp_path / "code.tar")


@pytest.mark.parametrize(("tool", "compress"), [("gzip", gzip.compress), ("bzip2", bz2.compress)])
def test_compressed_file_is_refused_with_the_command_that_unpacks_it(tmp_path, tool, compress):
    path = tmp_path / "packed.pth"
    path.write_bytes(compress((GOLDEN / "tiny_joint_pos_embed.pth").read_bytes()))
    words = refusal(path)
    assert f"compressed by {tool}" in words
    subprocess.run(words.split("`")[1], shell=True, check=True)
    assert_official(loaded(tmp_path / "packed_model.pth"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_refused_with_lines_that_save_its_weights(tmp_path):
    path = tmp_path / "scripted.pt"
    torch.jit.save(torch.jit.script(Whole()), path)
    words = refusal(path)
    assert "TorchScript" in words
    follow(words)
    assert_official(loaded(tmp_path / "scripted_model.pth"))


@pytest.mark.parametrize("legacy", [False, True])
def test_plain_values_beside_the_model_are_read_past(tmp_path, legacy):
    content = {
        "model": official(),
        "best": np.float64(0.5),
        "step": np.int64(7),
        "dtype": np.dtype("float32"),
        "losses": [np.float32(1.5), np.arange(4)],
        "history": defaultdict(list, loss=[1.0, 0.5]),
        "saved": datetime(2024, 5, 1, 12),
        "args": argparse.Namespace(lr=np.float32(1e-4), output=Path("runs"), data=PurePosixPath("/data")),
    }
    torch.save(content, tmp_path / "beside.pth", _use_new_zipfile_serialization=not legacy)
    assert_official(loaded(tmp_path / "beside.pth"))


def test_model_in_a_defaultdict_is_a_model(tmp_path):
    torch.save(defaultdict(dict, model=defaultdict(float, official())), tmp_path / "default.pth")
    assert_official(loaded(tmp_path / "default.pth"))


def test_numpy_scalars_are_read_past_under_their_old_names_too(tmp_path):
    """As numpy 1 wrote them."""
    torch.save({"model": official(), "best": np.float64(0.5)}, tmp_path / "new.pth")
    with zipfile.ZipFile(tmp_path / "new.pth") as archive, zipfile.ZipFile(tmp_path / "old.pth", "w") as old:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith("data.pkl"):
                assert b"numpy._core.multiarray" in content
                content = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            old.writestr(name, content)
    assert_official(loaded(tmp_path / "old.pth"))


@pytest.mark.parametrize("content", ["beside", "whole"])
@pytest.mark.parametrize("how", ["torch", "legacy", "pickle"])
def test_object_that_is_refused_is_named_and_the_lines_save_the_model_alone(tmp_path, content, how):
    path = tmp_path / "trained.pth"
    made = {"state_dict": official(), "config": Config(lr=1e-4)} if content == "beside" else {"model": Whole()}
    if how == "pickle":
        path.write_bytes(pickle.dumps(made))
    else:
        torch.save(made, path, _use_new_zipfile_serialization=how == "torch")
    words = refusal(path)
    if how == "pickle":
        assert "is a pickle that torch.save did not write" in words
    else:
        name = "Config" if content == "beside" else "Whole"
        assert f"it holds {__name__}.{name}, which is neither a tensor nor a plain value" in words
    assert "trust" in words and "ownload" not in words
    follow(words)
    assert_official(loaded(tmp_path / "trained_model.pth"))


class Runs:
    """Runs something when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("function", "name"),
    [(subprocess.call, "commands.call"), (exec, "exec"), (Path.touch, "getattr"), (__import__("os").system, "posix")],
)
def test_code_in_a_pickle_is_refused_and_never_run(tmp_path, function, name, legacy):
    owned = tmp_path / "owned"
    argument = {"getattr": owned, "exec": f"open({str(owned)!r}, 'w')"}.get(name, f"touch {owned}")
    argument = ["touch", str(owned)] if name == "commands.call" else argument
    content = {"model": official(), "args": argparse.Namespace(evil=Runs(function, argument))}
    torch.save(content, tmp_path / "bad.pth", _use_new_zipfile_serialization=not legacy)
    words = refusal(tmp_path / "bad.pth")
    assert f"it holds {name}" in words and "Nothing in the file was run" in words
    assert "delete the file" in words and "weights_only" not in words
    assert not owned.exists()


def test_what_stands_for_harmless_values_runs_nothing_either(tmp_path):
    """A scalar whose bytes would be unpickled by NumPy, and a type with a state of its own."""

    class Scalar:
        def __reduce__(self):
            return np._core.multiarray.scalar, (np.dtype("O"), pickle.dumps(Runs(Path.touch, tmp_path / "owned")))

    torch.save({"model": official(), "best": Scalar()}, tmp_path / "odd.pth")
    assert_official(loaded(tmp_path / "odd.pth"))
    assert not (tmp_path / "owned").exists()


def test_folder_or_unreadable_file_is_said_to_be_that(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        read_file(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({"a": 1}))
    with pytest.raises(CheckpointError, match="is a text"):
        read_file(tmp_path / "index.json")
