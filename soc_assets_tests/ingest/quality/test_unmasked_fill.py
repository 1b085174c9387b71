"""Unmasked fill values: found where a code or a frequent number stands apart, and the line that cures them."""

import numpy as np
import pytest

from soc_assets.settings import Band
from soc_assets_tests.ingest.quality.checking import SIZE, brief, found, landscape, static, yearly

X = Band(name="X", kind="static")


def with_corner(values: np.ndarray, number: float, edge: int = 12) -> np.ndarray:
    """The values with `edge` x `edge` pixels set to a number."""
    filled = values.copy()
    filled[:edge, :edge] = number
    return filled


@pytest.mark.parametrize(
    ("dtype", "low", "high", "fill"),
    [
        ("uint16", 500, 9000, 65535),
        ("int16", 500, 9000, 32767),
        ("uint16", 500, 9000, 32761),
        ("int16", 10, 2500, -9999),
        ("int16", 10, 2500, -32768),
        ("uint8", 3, 70, 255),
        ("uint8", 3, 70, 249),
        ("float32", 0.1, 0.6, -9999),
        ("float32", 10, 2500, -3.4028234663852886e38),
        ("float32", 10, 2500, 1e20),
        ("int32", 10, 2500, 2147483647),
    ],
)
def test_a_fill_code_that_stands_apart_is_an_error_whose_cure_is_the_settings_line(tmp_path, dtype, low, high, fill):
    values = landscape(low=low, high=high).astype(dtype)
    static(tmp_path, "X", with_corner(values, np.array(fill, dtype)))
    [finding] = found(tmp_path, X, check="fill_values")
    assert (finding.severity, finding.band) == ("error", "X")
    assert "2.2% of the pixels" in finding.found  # 144 of 6,400
    written = finding.cure.partition("fill_values = ")[2]
    assert written == f"[{fill!r}]"
    settings = X.model_copy(update={"fill_values": (float(written[1:-1]),)})
    assert found(tmp_path, settings, check="fill_values") == []


def test_the_cure_names_every_code_of_every_step_and_those_set_already(tmp_path):
    values = landscape(low=500, high=9000).astype("uint16")
    yearly(tmp_path, "NPP", 2011, with_corner(with_corner(values, 65535), 32761, 6))
    yearly(tmp_path, "NPP", 2012, with_corner(values + 1, 32766))
    yearly(tmp_path, "NPP", 2013, with_corner(values + 2, 30000))
    band = Band(name="NPP", fill_values=(30000,))
    findings = found(tmp_path, band, check="fill_values")
    assert {finding.step for finding in findings} == {"2011", "2012"}
    assert {finding.cure.partition("fill_values = ")[2] for finding in findings} == {"[30000, 32761, 32766, 65535]"}


def test_numbers_are_those_stored_not_scaled(tmp_path):
    values = landscape(low=13_000, high=15_500).astype("uint16")
    static(tmp_path, "X", with_corner(values, 65535), scale=0.02)
    [finding] = found(tmp_path, X, check="fill_values")
    assert finding.cure.endswith("fill_values = [65535]")


@pytest.mark.parametrize(("low", "high"), [(13_000, 15_500), (262, 310)])
def test_zero_among_temperatures_in_kelvin_is_an_error(tmp_path, low, high):
    static(tmp_path, "X", with_corner(landscape(low=low, high=high), 0))
    [finding] = found(tmp_path, X, check="fill_values")
    assert finding.severity == "error"
    assert finding.cure.endswith("fill_values = [0]")


def with_few(values: np.ndarray, number: float, share: float = 0.0015) -> np.ndarray:
    """The values with a share of the pixels, scattered, set to a number."""
    return np.where(np.random.default_rng(8).random(values.shape) < share, number, values)


@pytest.mark.parametrize(("scale", "dtype"), [(1, "float32"), (0.1, "uint16"), (0.02, "uint16"), (0.01, "uint16")])
def test_few_zeros_among_temperatures_in_any_usual_scale_are_an_error(tmp_path, scale, dtype):
    values = with_few(landscape(low=265 / scale, high=310 / scale, size=160), 0).astype(dtype)
    static(tmp_path, "LST_day", values)
    [finding] = found(tmp_path, Band(name="LST_day", kind="static"), check="fill_values")
    assert (finding.severity, finding.cure[-17:]) == ("error", "fill_values = [0]")
    static(tmp_path, "X", values)  # a name that does not speak of temperature
    assert len(found(tmp_path, X, check="fill_values")) == 1


def test_few_zeros_with_the_tags_of_degrees_celsius_are_an_error(tmp_path):
    values = with_few(landscape(low=2650, high=3100, size=160), 0).astype("uint16")
    static(tmp_path, "X", values, scale=0.1, offset=-273.15)
    [finding] = found(tmp_path, X, check="fill_values")
    assert (finding.severity, finding.cure[-17:]) == ("error", "fill_values = [0]")


@pytest.mark.parametrize(
    ("low", "high", "fill", "dtype"),
    [
        (-8, 31, -273.15, "float32"),
        (-8, 31, -273.1, "float32"),
        (-80, 310, -2732, "int16"),
        (-800, 3100, -27315, "int16"),
        (265, 310, 65535 * 0.02, "float32"),
        (0.2, 0.9, 3.2767, "float32"),
        (0.1, 6.4, 25.5, "float32"),
        (20, 45, -999.9, "float32"),
    ],
)
def test_fill_values_that_were_converted_with_the_numbers_are_errors_with_a_cure_that_works(
    tmp_path, low, high, fill, dtype
):
    static(tmp_path, "X", with_few(landscape(low=low, high=high, size=160), fill).astype(dtype))
    [finding] = found(tmp_path, X, check="fill_values")
    assert finding.severity == "error"
    settings = X.model_copy(
        update={"fill_values": (float(finding.cure.partition("[rasters]")[2].partition("= [")[2][:-1]),)}
    )
    assert found(tmp_path, settings, check="fill_values") == []


def test_few_zeros_that_widen_another_band_are_a_warning_and_those_of_a_wide_band_nothing(tmp_path):
    static(tmp_path, "X", with_few(landscape(low=800, high=900, size=160), 0).astype("uint16"))
    assert brief(found(tmp_path, X, check="fill_values")) == [("warning", "X", "")]
    static(tmp_path, "X", with_few(landscape(low=100, high=900, size=160), 0).astype("uint16"))
    assert found(tmp_path, X, check="fill_values") == []


def test_zero_that_may_be_measured_is_no_error(tmp_path):
    static(tmp_path, "X", with_corner(landscape(low=100, high=140), 0))
    assert brief(found(tmp_path, X, check="fill_values")) == [("warning", "X", "")]
    static(tmp_path, "X", with_corner(landscape(low=20, high=140), 0))
    assert found(tmp_path, X, check="fill_values") == []


@pytest.mark.parametrize(("low", "severities"), [(450, ["warning"]), (100, [])])
def test_voids_of_a_terrain_model_are_a_warning_and_lakes_at_sea_level_nothing(tmp_path, low, severities):
    static(tmp_path, "X", with_corner(landscape(low=low, high=1200), 0).astype("int16"))
    assert [finding.severity for finding in found(tmp_path, X, check="fill_values")] == severities


def test_the_least_integer_of_64_bits_is_an_error(tmp_path):
    values = landscape(low=250, high=600).astype("int64")
    values[:9, :9] = np.iinfo("int64").min
    static(tmp_path, "X", values)
    assert brief(found(tmp_path, X, check="fill_values")) == [("error", "X", "")]


def test_one_pixel_of_a_code_is_a_warning(tmp_path):
    values = landscape(low=10, high=2500)
    values[5, 7] = -9999
    static(tmp_path, "X", values)
    [finding] = found(tmp_path, X, check="fill_values")
    assert (finding.severity, finding.found[:12]) == ("warning", "a few pixels")


def test_an_unknown_number_that_is_frequent_and_far_off_is_a_warning(tmp_path):
    static(tmp_path, "X", with_corner(landscape(low=10, high=500), 7777))
    assert brief(found(tmp_path, X, check="fill_values")) == [("warning", "X", "")]


def test_masked_saturated_and_single_extremes_are_no_fill_values(tmp_path):
    masked = with_corner(landscape(low=500, high=9000).astype("uint16"), 65535)
    static(tmp_path, "X", masked, nodata=65535)
    assert found(tmp_path, X, check="fill_values") == []
    saturated = np.minimum(landscape(low=0, high=330), 255).astype("uint8")
    assert (saturated == 255).mean() > 0.02
    static(tmp_path, "X", saturated)
    assert found(tmp_path, X, check="fill_values") == []
    rivers = np.exp(landscape(low=0, high=9)).astype("float32")
    rivers[3, 3] = 60_000
    static(tmp_path, "X", rivers)
    assert found(tmp_path, X, check="fill_values") == []


def test_a_full_range_of_bytes_and_classes_are_no_error(tmp_path):
    every_byte = (np.arange(SIZE * SIZE) % 256).reshape(SIZE, SIZE).astype("uint8")
    static(tmp_path, "X", every_byte)
    assert found(tmp_path, X, check="fill_values") == []
    classes = np.where(landscape() > 500, 10, np.where(landscape(1) > 400, 40, 210)).astype("uint8")
    static(tmp_path, "X", classes)
    assert found(tmp_path, X, check="fill_values") == []
    static(tmp_path, "X", with_corner(classes % 7, 255))
    assert brief(found(tmp_path, X, check="fill_values")) == [("warning", "X", "")]
