"""The model is found in whatever a trainer wrapped it in, and what was unwrapped or left is said."""

from collections import OrderedDict

import pytest
import torch

from soc_assets.errors import CheckpointError
from soc_assets_tests.embedding.encoder.checkpoints import assert_official, loaded, official


def prefixed(prefix: str, layout: str = "joint") -> dict[str, torch.Tensor]:
    return {prefix + key: value for key, value in official(layout).items()}


def saved(folder, content):
    torch.save(content, folder / "checkpoint.pth")
    return folder / "checkpoint.pth"


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "model.", "encoder.", "module._orig_mod.model.", "net.backbone."]
)
@pytest.mark.parametrize("place", [(), ("state_dict",), ("model_state_dict",), ("net",), ("model", "state_dict")])
def test_prefixes_and_wrappers_are_taken_off_and_said(tmp_path, prefix, place):
    content = prefixed(prefix)
    for key in reversed(place):
        content = {key: content, "epoch": 3}
    weights = loaded(saved(tmp_path, content))
    assert_official(weights)
    notes = " | ".join(weights.report["notes"])
    kept = prefix.replace("_orig_mod.", "")
    assert (f'without the prefix "{kept}"' in notes) == bool(kept)
    assert ('without "_orig_mod." in its keys' in notes) == ("_orig_mod" in prefix)
    assert (f'taken from "{" > ".join(place)}"' in notes) == bool(place)


def test_bare_state_dict_needs_no_note(tmp_path):
    weights = loaded(saved(tmp_path, OrderedDict(official("separate"))))
    assert_official(weights, "separate")
    assert weights.report["notes"] == []


def test_blocks_that_were_compiled_one_by_one_are_known(tmp_path):
    content = {key.replace("blocks.1.", "blocks.1._orig_mod."): value for key, value in official().items()}
    assert_official(loaded(saved(tmp_path, content)))


@pytest.mark.parametrize("average", ["model_ema", "ema", "teacher", "state_dict_ema"])
def test_model_is_taken_and_not_the_average_beside_it(tmp_path, average):
    other = {key: value + 1 for key, value in official().items()}
    weights = loaded(saved(tmp_path, {average: other, "model": official(), "optimizer": {"state": {0: {"m": other}}}}))
    assert_official(weights)
    notes = weights.report["notes"]
    count = len(other)
    assert notes[0] == 'taken from "model"'
    assert set(notes[1:]) == {f'not used: "{average}" ({count} tensors)', f'not used: "optimizer" ({count} tensors)'}


def test_average_alone_is_taken(tmp_path):
    averaged = {"n_averaged": torch.tensor(5), **prefixed("module.")}
    weights = loaded(saved(tmp_path, {"ema": averaged, "epoch": 1}))
    assert_official(weights)
    assert weights.report["notes"][0] == 'taken from "ema"'
    assert "n_averaged" in weights.report["ignored"]


def test_student_and_teacher_in_one_dict_are_told_apart(tmp_path):
    teacher = {key: value + 1 for key, value in prefixed("teacher.").items()}
    weights = loaded(saved(tmp_path, {"state_dict": {**teacher, **prefixed("student.")}}))
    assert_official(weights)
    assert 'without the prefix "student."' in weights.report["notes"]
    assert "teacher.norm.weight" in weights.report["ignored"]


def test_head_of_another_task_beside_the_encoder_is_left_and_named(tmp_path):
    content = {**prefixed("backbone."), "decode_head.conv_seg.weight": torch.zeros(3)}
    weights = loaded(saved(tmp_path, {"state_dict": content}))
    assert_official(weights)
    assert "decode_head.conv_seg.weight" in weights.report["ignored"]
    assert weights.report["notes"][-1] == "not used: 1 tensor beside the encoder (decode_head.conv_seg.weight)"


def test_several_models_of_which_none_is_known_are_refused_by_name(tmp_path):
    path = saved(tmp_path, {"first": official(), "second": {k: v + 1 for k, v in official().items()}})
    with pytest.raises(CheckpointError, match="several models, under first and second"):
        loaded(path)


def test_same_model_under_two_names_is_one(tmp_path):
    same = official()
    assert_official(loaded(saved(tmp_path, {"model": same, "state_dict": same})))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"epoch": 1, "state_dict": {"conv1.weight": torch.zeros(2), "bn1.bias": torch.zeros(2)}},
         'first keys found in "state_dict": conv1.weight, bn1.bias'),
        ({f"layer{n}.weight": torch.zeros(1) for n in range(9)}, r"found: layer0\.weight.* and 4 more"),
        ({"epoch": 1}, "found: epoch"),
        ({}, "found: none"),
        ([torch.zeros(2)], "a list stands where a dict of tensors is expected"),
        ({key: value.numpy() for key, value in official().items()}, r"the values are NumPy arrays.*from_numpy"),
        ({"model": {key: value.numpy() for key, value in official().items()}}, 'values in "model" are NumPy arrays'),
    ],
)  # fmt: skip
def test_file_without_a_model_shows_what_it_has(tmp_path, content, words):
    with pytest.raises(CheckpointError, match=words):
        loaded(saved(tmp_path, content))


def test_dicts_within_themselves_end(tmp_path):
    content = {"epoch": 1}
    content |= {f"again{n}": content for n in range(99)}
    with pytest.raises(CheckpointError, match="no SpectralGPT model"):
        loaded(saved(tmp_path, content))
