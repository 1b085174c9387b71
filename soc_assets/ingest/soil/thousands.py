"""Organic carbon in mg/kg as 12,500 or 12.500: twelve and a half, or thousands? No soil holds as little as that."""

import pandas as pd

from soc_assets.errors import SoilError

_THREE_PLACES = r"\d{1,3}[.,]\d{3}"
_FEWEST_MG = 500.0  # mg/kg, of a table's largest value
_SMALL = ("mg/kg", "organic_matter_mg/kg")


def clear_thousands(text: pd.Series, rows: pd.Series, unit: str | None, decimal: str) -> pd.Series:
    """The text [n] of organic carbon without thousands separators.

    Only a table in mg/kg is looked at whose numbers with a comma or a point all have three digits behind it.

    Args:
        text: stripped text [n].
        rows: their numbers in the file [n].
        unit: of the table.
        decimal: of the settings: with "," or "." the other sign is the thousands separator, "auto" does not know.

    Raises:
        SoilError: it may be either, and nothing says which.
    """
    signed = text[text.str.fullmatch(r"[\d.,]+").astype(bool) & text.str.contains(r"[.,]", regex=True)]
    if unit not in _SMALL or signed.empty or not signed.str.fullmatch(_THREE_PLACES).all():
        return text
    if decimal != "auto":
        other = {",": ".", ".": ","}[decimal]
        return text.where(~text.str.fullmatch(_THREE_PLACES), text.str.replace(other, "", regex=False))
    if signed.str.replace(",", ".", regex=False).astype(float).max() > _FEWEST_MG:
        return text
    first, sign = signed.iloc[0], "," if "," in signed.iloc[0] else "."
    thousands, places = ("'.'", "','") if sign == "," else ("','", "'.'")
    raise SoilError(
        f"organic carbon is in {unit} and written as {first!r} (row {rows[signed.index[0]]}; all {len(signed)} numbers "
        f"with a sign have three digits behind it): it may be {first.replace(sign, '')} or {first.replace(sign, '.')}. "
        f"Set decimal = {thousands} in an entry of [[soil.tables]] in soc.toml if the sign parts thousands, or decimal "
        f"= {places} if it is the decimal sign."
    )
