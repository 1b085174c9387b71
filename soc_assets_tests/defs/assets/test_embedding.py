"""What the UI says of the weights that were loaded."""

import json
import logging
from types import SimpleNamespace

import torch

from soc_assets.defs.assets.embedding import _tell_weights, _weights_metadata
from soc_assets_tests.embedding.encoder.checkpoints import loaded, official


def test_what_was_unwrapped_of_a_checkpoint_is_logged_and_shown(tmp_path, caplog):
    path = tmp_path / "trained.pth"
    content = {f"module.{key}": value for key, value in official().items()}
    torch.save({"state_dict": content, "optimizer": {"state": [torch.zeros(1)]}}, path)
    encoder = SimpleNamespace(weights=loaded(path), precision="float32", device="cpu")
    context, inputs = SimpleNamespace(log=logging.getLogger("embeddings")), SimpleNamespace(folder=tmp_path)
    with caplog.at_level("INFO"):
        _tell_weights(context, encoder, inputs)
    notes = ['taken from "state_dict"', 'without the prefix "module."', 'not used: "optimizer" (1 tensor)']
    assert [record.message for record in caplog.records][1:] == [f"checkpoint: {note}" for note in notes]
    shown = _weights_metadata(tmp_path)
    assert shown["checkpoint_notes"] == "; ".join(notes)
    assert shown["weights_keys"]["interpolated"] == 0
    record = json.loads((tmp_path / "weights.json").read_text())
    assert record["notes"] == notes
    del record["notes"]  # as an earlier release wrote it
    (tmp_path / "weights.json").write_text(json.dumps(record))
    assert "checkpoint_notes" not in _weights_metadata(tmp_path)
