"""Damaged files of a registered model: the model counts as missing, and predicting names them."""

import shutil
from pathlib import Path

import pytest

from soc_assets.cli import runner
from soc_assets.errors import SocWarning, TrainingError
from soc_assets.tracking import registered
from soc_assets.tracking.registered import load_registered
from soc_assets.tracking.store import tracking_of
from soc_assets_tests.small_project import SmallProject


@pytest.fixture
def own(finished: SmallProject, tmp_path: Path) -> SmallProject:
    made = SmallProject(tmp_path / "project")
    shutil.copytree(finished.root, made.root)
    return made


def test_loading_a_model_writes_nothing_into_its_folder_which_may_be_of_another_user(own):
    project = own.use()
    [folder] = own.root.glob("mlruns/artifacts/models/*/artifacts")
    (folder / "registered_model_meta").unlink(missing_ok=True)
    before = own.stamps()
    registered._last_loaded.clear()  # by another test
    assert load_registered(tracking_of(project), None).model.metadata.model_id == folder.parent.name
    assert {name for name in own.stamps() if folder.name in name} == {name for name in before if folder.name in name}


@pytest.mark.parametrize("name", ["MLmodel", "data/model.pt2"])
def test_one_flipped_byte_is_noticed(own, name):
    project = own.use()
    [path] = own.root.glob(f"mlruns/artifacts/models/*/artifacts/{name}")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"model\.pt2.*cannot be used: they are not those .* `soc run`"):
        load_registered(tracking_of(project), None)
    with pytest.warns(SocWarning, match="counts as missing"):
        assert runner._model_state(project, runner.freshness.model_inputs(project)) == "stale"
