"""A change between two periods: the difference of two maps, and the interval of what the members say of both."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import rasterio
from scipy.stats import t

from soc_assets.embedding.parquet import to_table
from soc_assets.errors import MapError
from soc_assets.mapping.change import tiles as change_tiles
from soc_assets.mapping.change.changes import Change, require_maps, tile_inputs, tile_path
from soc_assets.mapping.change.classes import LESS, MORE, NOT_KNOWN, WITHIN
from soc_assets.mapping.change.files import assemble_change, classes_of, read_change, state_of_change
from soc_assets.mapping.change.paired import half_widths, paired_for
from soc_assets.mapping.change.tiles import worse, write_change_tiles
from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Period
from soc_assets.mapping.layer_files import MapFile
from soc_assets.mapping.quality_classes import INCOMPLETE, INSIDE, MASKED, NODATA, OUTSIDE, UNKNOWN
from soc_assets.mapping.registered import Registered
from soc_assets.mapping.rows import _as_samples
from soc_assets.mapping.tile_files import read_tile
from soc_assets.project import Project
from soc_assets.regression.models.fitted import FittedModel
from soc_assets.regression.models.learners import MlpLearner
from soc_assets_tests.mapping.make_map import make
from soc_assets_tests.mapping.small_maps import (
    inputs_of,
    registered_model,
    registered_recipe,
    with_settings,
    write_region,
)
from soc_assets_tests.small_project import SmallProject, clean_environment

pytestmark = pytest.mark.usefixtures("undrawn")

CHANGE = Change(Period(2011), Period(2012))
ROWS, COLUMNS = np.array([5, 5, 30, 40, 63, 20]), np.array([10, 40, 12, 50, 63, 2])  # in the hole of 2011, at edges
NAMES = ("change", "change_lower", "change_upper", "beyond_uncertainty", "quality")


@pytest.fixture(scope="module")
def region(tmp_path_factory) -> SmallProject:
    with clean_environment():
        return write_region(tmp_path_factory.mktemp("region"))


def mapped(project: Project, registered: Registered) -> MapInputs:
    """Inputs of both maps, which are made."""
    inputs = inputs_of(project, registered, *(period.year for period in CHANGE.periods))
    make(inputs)
    return inputs


def changed(inputs: MapInputs) -> MapFile:
    require_maps(inputs, [CHANGE])
    paired = paired_for(inputs)
    for place in inputs.places:
        tile_path(inputs, CHANGE, place).unlink(missing_ok=True)
    assert list(write_change_tiles(inputs, CHANGE, paired)) == ["computed"] * len(inputs.places)
    return assemble_change(inputs, CHANGE, paired.ensemble.members if paired else 0)


def layers(made: MapFile) -> dict[str, np.ndarray]:
    """All layers [h, w], NaN where there is no value."""
    found = {}
    for name in NAMES:
        with rasterio.open(made.folder / f"{name}.tif") as dataset:
            found[name] = dataset.read(1, masked=True).astype(float).filled(np.nan) * dataset.scales[0]
    return found


def brute_force(inputs: MapInputs, model: FittedModel) -> tuple[np.ndarray, np.ndarray]:
    """Difference [n] and half width [n] at `ROWS` and `COLUMNS`, from what the learner's members say of points."""
    x, y = inputs.lattice.metres(ROWS + 0.5, COLUMNS + 0.5)
    mean, members = [], []
    for period in CHANGE.periods:
        samples = _as_samples(period.rows(*inputs.lattice.degrees(x, y)))
        predictor = inputs.predictor
        design = predictor._design(samples, to_table(samples, predictor.spec, predictor.embedder(samples)))
        reduced = model.reduce(design, np.arange(len(ROWS)))
        mean.append(model.predict(reduced).mean)
        residuals = model.residuals if model.recipe.back == "smearing" else None
        members.append([model.target.mean(each, residuals) for each in members_of(model, reduced)])
    differences = np.array(members[1]) - np.array(members[0])
    count = len(differences)
    return mean[1] - mean[0], t.ppf(0.95, count - 1) * np.sqrt(1 + 1 / count) * differences.std(axis=0, ddof=1)


def members_of(model: FittedModel, reduced: np.ndarray) -> np.ndarray:
    """Transformed targets [S, n]."""
    learner: Any = model.learner
    if not isinstance(learner, MlpLearner):
        return np.array([tree.predict(reduced) for tree in learner.estimator.estimators_])
    every = []
    for number in range(learner.network.members):
        z = np.clip((reduced - learner.mean) / learner.scale, -8, 8)
        weights = [part[number].detach().double().numpy() for part in learner.network.weights]
        biases = [part[number].detach().double().numpy() for part in learner.network.biases]
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            z = gelu(z @ weight + bias)
        every.append((z @ weights[-1] + biases[-1])[:, 0] * learner.target_scale + learner.target_mean)
    return np.array(every)


def gelu(z: np.ndarray) -> np.ndarray:
    from scipy.stats import norm

    return z * norm.cdf(z)


@pytest.fixture(scope="module")
def ensemble(region) -> tuple[MapInputs, FittedModel]:
    """Both maps of an ensemble of three networks, and the networks."""
    registered, model = registered_recipe(region.project, "embedding", "null", members=3)
    return mapped(region.project, registered), model


@pytest.fixture(scope="module")
def inputs(ensemble) -> MapInputs:
    return ensemble[0]


@pytest.fixture(scope="module")
def forest(region) -> tuple[MapInputs, FittedModel]:
    """Both maps of a forest of twelve trees, and the trees."""
    recipe = {"model": "random_forest", "trees": 12, "back": "plain"}
    registered, model = registered_recipe(region.project, "point+coordinates", "nearest_lag", **recipe)
    return mapped(region.project, registered), model


@pytest.mark.parametrize(("kind", "members"), [("ensemble", 3), ("forest", 12)])
def test_change_is_the_difference_of_predictions_and_its_interval_that_of_the_members(kind, members, request):
    inputs, model = request.getfixturevalue(kind)
    made = changed(inputs)
    assert made.facts["members"] == members
    found = layers(made)
    carbon = []
    for period in CHANGE.periods:
        with rasterio.open(inputs.folder / str(period) / "organic_carbon.tif") as dataset:
            carbon.append(dataset.read(1, masked=True).astype(float).filled(np.nan))
    np.testing.assert_array_equal(found["change"], (carbon[1] - carbon[0]).astype(np.float32))
    there = np.isfinite(found["change"])
    assert 0.95 < there.mean() < 1  # where too much is missing there is no value
    difference, half = (each[there[ROWS, COLUMNS]] for each in brute_force(inputs, model))
    assert len(half) >= 4 and np.ptp(half) > 0.01
    change, lower, upper = (found[name][ROWS, COLUMNS][there[ROWS, COLUMNS]] for name in NAMES[:3])
    np.testing.assert_allclose(change, difference, atol=1e-3)
    np.testing.assert_allclose(upper, difference + half, atol=3e-3)
    np.testing.assert_allclose(lower, difference - half, atol=3e-3)
    outside = (found["change_lower"] > 0) | (found["change_upper"] < 0)
    signs = np.where(found["change"] > 0, MORE, LESS)
    classes = np.where(there, np.where(outside, signs, WITHIN), np.nan)
    np.testing.assert_array_equal(found["beyond_uncertainty"], classes)


def test_model_without_members_says_that_the_uncertainty_is_unknown(region):
    registered = registered_model(region.project, "point", documented=True)
    made = changed(mapped(region.project, registered))
    found = layers(made)
    there = np.isfinite(found["change"])
    assert there.mean() > 0.95 and np.isnan(found["change_lower"]).all()
    assert set(np.unique(found["beyond_uncertainty"][there])) == {NOT_KNOWN}
    with rasterio.open(made.folder / "change_upper.tif") as dataset:
        assert dataset.tags()["SOC_INTERVAL"] == "unknown: the model has no members"


def test_files_say_what_they_are_and_nothing_is_done_twice(inputs, monkeypatch):
    made = changed(inputs)
    assert (state_of_change(inputs, CHANGE), read_change(made.folder)) == ("fresh", made)
    assert made.folder.name == "change_2011_2012"
    with rasterio.open(made.folder / "change.tif") as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (dataset.dtypes, dataset.nodata, dataset.units) == (("float32",), -9999.0, ("g/kg",))
        tags = dataset.tags()
        values = dataset.read(1, masked=True)
        assert float(dataset.tags(1)["STATISTICS_MEAN"]) == pytest.approx(float(values.mean()), abs=1e-5)
    assert (
        tags["SOC_CHANGE"] == "2012 minus 2011" and tags["SOC_INTERVAL"] == "90 % of the paired ensemble of 3 members"
    )
    assert "A static training set cannot prove change" in tags["SOC_CAUTION"]
    assert made.facts["statistics"]["change"]["quantiles"]["0.05"] == pytest.approx(
        float(np.quantile(values.compressed(), 0.05)), abs=0.006
    )
    with rasterio.open(made.folder / "beyond_uncertainty.tif") as dataset:
        assert (dataset.dtypes, dataset.nodata) == (("uint8",), 255.0)
        assert dataset.colormap(1)[MORE] == (1, 133, 113, 255)
        counts = {str(n): int((dataset.read(1) == n).sum()) for n in range(4)}
    assert made.facts["beyond_uncertainty"] == counts
    assert "decrease, more than the uncertainty" in (made.folder / "beyond_uncertainty.tif.aux.xml").read_text()
    monkeypatch.setattr(change_tiles, "compute_change", None)
    assert set(write_change_tiles(inputs, CHANGE, None)) == {"cached"}
    short = replace(inputs, project=with_settings(inputs.project, map={"dtype": "int16"}))
    assert state_of_change(short, CHANGE) == "stale"
    again = assemble_change(short, CHANGE, 3)
    np.testing.assert_allclose(layers(again)["change"], values, atol=0.0101)
    wider = replace(inputs, project=with_settings(inputs.project, evaluation={"level": 0.5}))
    assert state_of_change(wider, CHANGE) == "stale"


def test_damaged_tile_is_computed_again(inputs):
    changed_before = layers(read_change(inputs.folder / "change_2011_2012") or changed(inputs))
    [place] = inputs.places
    path = tile_path(inputs, CHANGE, place)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(MapError, match="missing or damaged"):
        assemble_change(inputs, CHANGE, 3)
    again = layers(changed(inputs))
    np.testing.assert_allclose(again["change_upper"], changed_before["change_upper"], atol=0.0101)
    assert read_tile(path, tile_inputs(inputs, CHANGE, place)) is not None


def test_quality_is_the_worse_of_both_maps_and_images_missing_in_one_period_count(inputs):
    made = layers(read_change(inputs.folder / "change_2011_2012") or changed(inputs))
    quality = []
    for period in CHANGE.periods:
        with rasterio.open(inputs.folder / str(period) / "quality.tif") as dataset:
            quality.append(dataset.read(1))
    assert (quality[0] != quality[1]).any()
    np.testing.assert_array_equal(made["quality"], worse(*quality))
    classes = np.array([INSIDE, OUTSIDE, UNKNOWN, INCOMPLETE, MASKED], np.uint8)
    table = worse(*np.meshgrid(classes, classes))
    assert table[0].tolist() == classes.tolist()  # inside at one period leaves the other's
    assert table[1].tolist() == [OUTSIDE, OUTSIDE, OUTSIDE, INCOMPLETE, MASKED]
    np.testing.assert_array_equal(table, table.T)


def test_maps_that_are_missing_or_stale_are_named_with_the_command_that_makes_them(inputs):
    words = r"lacks that of 2010 \(missing\): run `soc map --year 2010` first"
    with pytest.raises(MapError, match=words):
        require_maps(inputs, [Change(Period(2010), Period(2012))])
    summer = Change(Period(2010, "summer"), Period(2012, "summer"))
    with pytest.raises(MapError, match=r"`soc map --year 2010 --year 2012 --season summer` first"):
        require_maps(inputs, [summer])
    assert (str(summer), Change.of(str(summer))) == ("2010_2012_summer", summer)
    path = inputs.tile_path(inputs.keys[0])
    whole = path.read_bytes()
    tile_path(inputs, CHANGE, next(iter(inputs.places))).unlink(missing_ok=True)
    path.unlink()
    with pytest.raises(MapError, match=r"The tile 2011_r0000_c0000 .* `soc map --year 2011` computes it again"):
        list(write_change_tiles(inputs, CHANGE, None))
    path.write_bytes(whole)


def test_half_width_is_zero_where_no_member_sees_a_difference_and_unknown_without_a_value():
    before = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, np.nan, 3.0]])
    after = before + np.array([[0.0], [1.0], [1.0]]) * np.array([1.0, 2.0, 6.0])
    found = half_widths(before, after, lambda values: 2 * values, 0.9)
    assert found[0] == 0 and np.isnan(found[2])
    assert found[1] == pytest.approx(t.ppf(0.95, 2) * np.sqrt(4 / 3) * np.std([2, 4, 12], ddof=1))


def test_classes_say_whether_the_interval_leaves_zero_out():
    numbers: Any = np.array(
        [
            [1.0, 1.0, -1.0, 0.0, 1.0, np.nan],
            [0.5, -1.0, -2.0, 0.0, np.nan, np.nan],
            [1.5, 3.0, -0.1, 0.0, np.nan, np.nan],
        ]
    )
    assert classes_of(numbers[:, None])[0].tolist() == [MORE, WITHIN, LESS, WITHIN, NOT_KNOWN, NODATA]
