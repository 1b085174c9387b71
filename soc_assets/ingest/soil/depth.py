"""The depth that a row states, and whether it is the one that is wanted.

Depths are in cm, measured downwards from the surface of the soil.
"""

import numpy as np
import pandas as pd

from soc_assets.ingest.soil.values import is_missing, to_numbers

_NUMBER = r"\d+(?:[.,]\d+)?"
_RANGE = rf"^(?P<upper>{_NUMBER})\s*(?:(?:-|–|—|to|bis)\s*(?P<lower>{_NUMBER}))?\s*(?P<unit>cm|mm|m)?\.?$"
_CM = {"m": 100.0, "mm": 0.1}
_CLOSE = 1e-6  # cm: 0.2 m is 20 cm


def depth_texts(depth: pd.Series, upper: pd.Series, lower: pd.Series) -> pd.Series:
    """The depth as the file has it [n]: one text, or `upper-lower` of two columns; "" where a row states none."""
    one, two = ~is_missing(depth), ~(is_missing(upper) & is_missing(lower))
    both = upper.str.cat(lower, sep="-").str.removesuffix("-")
    return depth.where(one, both.where(two, ""))


def fits_depth(text: pd.Series, wanted: str) -> pd.Series:
    """Whether the stated depth [n] is the wanted one; a row that states none is taken to fit.

    Args:
        text: of `depth_texts`, for example `0-20 cm`, `0 - 20`, `0-0.2 m`, `20-30`, `0` (an upper limit alone).
        wanted: `0-20` (cm), `topsoil` (whatever begins at the surface) or `any`; a text that is no depth fits the last.
    """
    if wanted == "any":
        return pd.Series(True, text.index)
    parts = text.str.lower().str.extract(_RANGE)
    factor = parts["unit"].map(_CM).fillna(1.0)
    upper, lower = (to_numbers(parts[name].fillna(""), True) * factor for name in ("upper", "lower"))
    if wanted == "topsoil":
        return (text == "") | (upper == 0)
    top, bottom = (float(part) for part in wanted.split("-"))
    near = pd.Series(np.isclose(upper, top, rtol=0, atol=_CLOSE), text.index)
    return (text == "") | (near & (lower.isna() | np.isclose(lower, bottom, rtol=0, atol=_CLOSE)))
