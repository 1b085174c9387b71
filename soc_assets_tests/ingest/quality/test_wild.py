"""Wild pixels: found where a few decide the deviation, and not in skewed landscapes."""

import numpy as np
import pytest

from soc_assets.settings import Band
from soc_assets_tests.ingest.quality.checking import brief, found, landscape, static, yearly

X = Band(name="X", kind="static")


def with_wild(values: np.ndarray, numbers, seed: int = 3) -> np.ndarray:
    wild, stream = values.copy(), np.random.default_rng(seed)
    rows, columns = stream.integers(0, len(values), (2, len(numbers)))
    wild[rows, columns] = numbers
    return wild


@pytest.mark.parametrize(("size", "count"), [(160, 25), (700, 3)])
def test_a_few_pixels_that_multiply_the_deviation_are_counted_exactly_and_the_cure_works(tmp_path, size, count):
    field = landscape(low=1, high=7, size=size)
    static(tmp_path, "X", with_wild(field, np.linspace(40_000, 61_234, count)))
    [finding] = found(tmp_path, X, check="wild_pixels")
    assert brief([finding]) == [("warning", "X", "")]
    assert finding.found.startswith(f"{count} of {size * size:,} pixels (40000 to 61234)")
    low, high = map(float, finding.cure.partition("valid_range = [")[2].partition("]")[0].split(","))
    assert (low, high) == pytest.approx((field.min(), field.max()), rel=1e-5)
    cured = X.model_copy(update={"valid_range": (low, high)})
    assert found(tmp_path, cured, check="wild_pixels") == []


def test_wild_pixels_below_all_others_of_a_step_are_found_in_stored_numbers(tmp_path):
    for year in (2012, 2013):
        field = landscape(low=2000, high=6000).astype("int16")
        wild = with_wild(field, [-30_000] * 9) if year == 2013 else field
        yearly(tmp_path, "L", year, wild, scale=0.01)
    [finding] = found(tmp_path, Band(name="L"), check="wild_pixels")
    assert brief([finding]) == [("warning", "L", "2013")]
    assert "valid_range = [2000, 6000]" in finding.cure


def skewed() -> dict[str, np.ndarray]:
    stream, field = np.random.default_rng(5), landscape(size=200)
    rain = np.where(stream.random(field.shape) < 0.97, 0, stream.gamma(0.5, 12, field.shape)).round(1)
    ndvi = np.where(field < 104, -0.25, 0.4 + field / 3000) + stream.normal(0, 0.02, field.shape)
    lake = np.where(landscape(2, size=200) > 896, 0.0, field + 300)
    return {
        "wetness": np.exp(stream.normal(0, 1.2, field.shape)),
        "accumulation": 1 / (stream.random(field.shape) + 1e-5),  # as heavy as that of rivers
        "rain": rain,
        "ndvi": ndvi,
        "snow": 263 + np.exp(stream.normal(1, 0.6, field.shape)),
        "lake": lake,
        "rare class": (stream.random(field.shape) < 0.0005) * 200.0,
        "codes": np.where(stream.random(field.shape) < 0.001, 250.0, np.floor(field / 100)),
    }


@pytest.mark.parametrize("name", skewed())
def test_long_tails_zeros_water_and_classes_are_not_wild(tmp_path, name):
    static(tmp_path, "X", skewed()[name].astype("float32"))
    assert found(tmp_path, X, check="wild_pixels") == []


def test_a_fill_value_is_told_as_such_alone(tmp_path):
    static(tmp_path, "X", with_wild(landscape(), [-9999] * 9))
    assert len(found(tmp_path, X, check="fill_values")) == 1
    assert found(tmp_path, X, check="wild_pixels") == []
