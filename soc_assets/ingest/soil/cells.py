"""Cells as every format has them: whole numbers without .0, text in one spelling."""

from decimal import Decimal

import pandas as pd

from soc_assets.storage.names import nfc_texts

_EXACT = 2**53  # beyond it a float cannot say which whole number it is


def plain_cells(values: pd.Series) -> pd.Series:
    """A column [n] in which whole numbers that one missing value has made floats (20150706.0) are whole again.

    Decimals without places become whole numbers, too, and texts are spelled in NFC.
    """
    if values.dtype.kind != "f":
        return nfc_texts(values).map(_without_places) if values.dtype == object else nfc_texts(values)
    known = values.notna()
    if not known.any() or not ((values[known] % 1 == 0) & (values[known].abs() < _EXACT)).all():
        return values
    return pd.Series([int(value) if value == value else None for value in values], values.index, dtype="object")


def _without_places(value: object) -> object:
    return (
        int(value) if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value() else value
    )
