"""The inputs of a place are normalised as the samples' point values are."""

from types import SimpleNamespace

import numpy as np
import pytest

from soc_assets.serving.inputs import read_inputs
from soc_assets_tests.embedding.world import World


@pytest.mark.parametrize("how", ["band", "image", "none"])
def test_values_of_a_place_are_those_of_a_sample_there(tmp_path, how):
    world = World(tmp_path, normalise=how)
    _, frame = world.write()
    sample, found = world.samples.iloc[0], SimpleNamespace(year=2020, season=None)
    inputs = read_inputs(world.raster_index, world.spec, found, sample["longitude"], sample["latitude"])
    assert inputs is not None
    stored = dict(frame["point_values"][0])
    keys = [step.key(slot.name) for slot, step in zip(inputs.slots, inputs.steps, strict=True)]
    np.testing.assert_allclose(inputs.normalised, [stored[key][0] for key in keys], rtol=1e-5)
