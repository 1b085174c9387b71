"""Windows as a group of features of a project: read from the rasters once, kept, and read again where damaged."""

from unittest import mock

import numpy as np
from numpy.testing import assert_array_equal

from soc_assets.embedding.inputs import read_inputs
from soc_assets.embedding.sample_windows import SampleWindows
from soc_assets.regression.evaluation.compare import load_design
from soc_assets.settings.evaluation import Recipe


def test_windows_of_a_project_are_read_once_and_again_where_the_file_is_damaged(embedded):
    embedded.run("features")
    project = embedded.project
    recipes = [Recipe(name="w", model="convolution", features="window:8+point"), Recipe(name="m")]
    design = load_design(project, recipes)
    inputs = read_inputs(project)
    samples = inputs.samples.set_index("sample_id").loc[design.samples["sample_id"]].reset_index()
    expected = SampleWindows(inputs.spec, inputs.raster_index, 64).middles(samples, 8).reshape(len(samples), -1)
    assert_array_equal(design.matrices["window:8"], expected)
    assert np.isnan(expected).any()  # a raster is missing
    columns = design.names("window:8+point")
    assert len(columns) == expected.shape[1] + design.matrices["point"].shape[1]
    assert list(columns["band"].unique()[:2]) == ["Elevation", "LAI"]
    with mock.patch.object(SampleWindows, "middles", side_effect=AssertionError("read again")):
        again = load_design(project, recipes)
    assert again.digests == design.digests
    assert "window:8" not in load_design(project).matrices
    [path] = (project.results / "windows").glob("*.npy")
    del design, again
    path.write_bytes(path.read_bytes()[:-100])
    assert_array_equal(load_design(project, recipes).matrices["window:8"], expected)
    load_design(project, [Recipe(name="w", model="convolution", features="window:16")])
    assert len(list((project.results / "windows").glob("*.npy"))) == 2
