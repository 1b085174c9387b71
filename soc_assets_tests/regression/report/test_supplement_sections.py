from soc_assets.regression.report.supplement_sections import _offset_words


def test_factor_whose_interval_includes_one_is_not_called_sure():
    row = {"source": "LfL", "offset": -1.6, "offset_low": -3.3, "offset_high": -0.1}
    row |= {"factor": 0.96, "factor_low": 0.9, "factor_high": 1.02}
    said = "LfL measures 1.6 g/kg less (95 % interval 0.1 to 3.3), as a factor 0.96 (0.90 to 1.02"
    assert _offset_words(row) == f"{said}, which includes 1)"
    assert _offset_words(row | {"factor_high": 0.99}) == f"{said.replace('1.02', '0.99')})"
