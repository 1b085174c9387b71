"""What the text in a soil table means: numbers, detection limits, dates, seasons.

Whether a value makes a row usable is decided in `ingest.soil.clean`.
"""

import numpy as np
import pandas as pd

from soc_assets.ingest.soil.date_order import Order
from soc_assets.ingest.soil.months import named_dates, named_years
from soc_assets.settings.seasons import SEASONS, season_index, season_year

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_MISSING = (
    *(
        "",
        "-",
        "--",
        "---",
        "–",
        "—",
        ".",
        "..",
        "...",
        "?",
        "na",
        "n/a",
        "#n/a",
        "#nv",
        "n.a.",
        "n. a.",
        "nan",
        "null",
    ),
    *("\\n", "none", "missing", "no data", "nodata", "fehlt"),
    *("k.a.", "k. a.", "n.b.", "n. b."),  # keine Angabe, nicht bestimmt
)
_BELOW = r"(?:[<≤]\s*(?P<limit>.*)|lod|bdl|b\.?d\.?l\.?|n\.\s?n\.|n\.\s?d\.|u\.\s?n\.\s?g\.)"
"""`n.n.` is "nicht nachweisbar", `u.N.G.` "unter der Nachweisgrenze", `n.d.` "not detected"."""
_COMPACT = r"^((?:19|20)\d\d)(\d\d)(\d\d)(?:T\d.*)?$"
_PLACES = r"^(\d+)[.,]0+$"  # 20150706.0: a whole number that was stored as a float
_YEAR_FIRST = (
    r"^(?P<year>(?:19|20)\d\d)(?P<sign>[-./])(?P<month>\d\d?)(?P=sign)(?P<day>\d\d?)(?:[T ].*|Z|[+-]\d\d:?\d\d)?$"
)
_DAY_FIRST = r"^(?P<day>\d\d?)(?P<sign>[-./])(?P<month>\d\d?)(?P=sign)(?P<year>(?:19|20)?\d\d)(?:[T ].*)?$"
_MONTH_FIRST = r"^(?P<month>\d\d?)(?P<sign>[-/])(?P<day>\d\d?)(?P=sign)(?P<year>(?:19|20)?\d\d)(?:[T ].*)?$"
_SHORT_YEAR_FIRST = r"^(?P<year>\d\d)(?P<sign>[-/])(?P<month>\d\d)(?P=sign)(?P<day>\d\d)(?:[T ].*)?$"
_BARE_YEAR = r"^((?:19|20)\d\d)$"
_MONTH_OF_YEAR = (r"^(?P<year>(?:19|20)\d\d)[-./](?P<month>\d\d)$", r"^(?P<month>\d\d?)[-./](?P<year>(?:19|20)\d\d)$")
_THOUSANDS = r"[+-]?\d{1,3}(?:(?:\.\d{3})+,\d+|(?:\.\d{3}){2,})"  # 1.234,5 and 4.468.000: thousands points
_COMMAS = r"[+-]?\d{1,3}(?:(?:,\d{3})+\.\d*|(?:,\d{3}){2,})"  # 1,234.5 and 4,468,000, whatever the decimal sign
_GAPS = r"[+-]?\d{1,3}(?:[ '’\u00a0\u2009\u202f]\d{3})+(?:[.,]\d*)?"  # 4 468 000,5 and 2'683'000
_MONTH_DIRECTIVES = ("%m", "%b", "%B", "%j", "%c", "%x", "%D", "%F", "%U", "%W", "%V")
_LAST_SHORT_YEAR = 49  # two digits: 00 to 49 are 2000 to 2049, 50 to 99 are 1950 to 1999


def is_missing(text: pd.Series) -> pd.Series:
    """Whether text [n] stands for "nothing": empty, -, NA and the like."""
    return text.str.lower().isin(_MISSING)


def to_numbers(text: pd.Series, decimal_comma: pd.Series | bool) -> pd.Series:
    """Numbers [n] (float64) of text [n], NaN where it is not one.

    Args:
        text: stripped text.
        decimal_comma: whether 1,5 means 1.5 (and 1.234,5 and 4.468.000 part thousands by points); in a file separated
            by commas it may as well be a thousand. A single point is a decimal sign in either case, and blanks and
            apostrophes (4 468 000, 2'683'000) and the commas of 1,234.5 and 4,468,000 part thousands.
    """
    if not text.any():
        return pd.Series(np.nan, text.index)
    grouped = decimal_comma & text.str.fullmatch(_THOUSANDS).astype(bool)
    plain = text.mask(grouped, text.str.replace(".", "", regex=False)) if grouped.any() else text
    plain = plain.str.replace("−", "-", regex=False)  # the sign of typesetters
    for pattern, signs in ((_COMMAS, ","), (_GAPS, r"[^\d.,+-]")):
        if (parted := plain.str.fullmatch(pattern).astype(bool)).any():
            plain = plain.mask(parted, plain.str.replace(signs, "", regex=True))
    points = plain.mask(decimal_comma & ~plain.str.contains(".", regex=False), plain.str.replace(",", ".", regex=False))
    valid = points.str.fullmatch(_NUMBER).astype(bool)
    return pd.Series(np.where(valid, points, "nan").astype(float), text.index)


def below_detection(text: pd.Series, decimal_comma: pd.Series | bool) -> tuple[pd.Series, pd.Series]:
    """What is said to be less than the laboratory can see.

    Args:
        text: stripped text [n], for example `< LOD`, `<0.0`, `< 2.0`.
        decimal_comma: whether 1,5 means 1.5.

    Returns:
        Whether the text says so [n], and the limit [n] (float64), NaN where none is given.
    """
    lower = text.str.lower()
    limit = lower.str.extract(f"^{_BELOW}$", expand=False).fillna("").str.strip()
    return lower.str.fullmatch(_BELOW).astype(bool), to_numbers(limit, decimal_comma)


def to_dates(text: pd.Series, date_format: str | None = None, order: Order = "day") -> tuple[pd.Series, pd.Series]:
    """Dates and years of text.

    Read are ISO (2018-07-06, 20180706, with or without a time of day), day first (06-07-18, 06.07.2018, 6/7/2018) and
    named months (06JUL2018, 6. Juli 2018, July 6, 2018); a year (2018) and a month (2018-07, Juli 2018) give the year
    alone. 7/6/2018 is the seventh of June unless the order of the column says otherwise.

    Args:
        text: stripped text [n].
        date_format: the one format read instead, as in `datetime.strptime`; without a month it gives the year alone.
        order: of `date_order.order_of_dates` for the whole column; points always part day, month and year.

    Returns:
        Dates [n] (datetime64[us], null where there is none) and years [n] (Int32).

    Raises:
        ValueError: the format has an unknown directive.
    """
    distinct = pd.Series(text.unique(), dtype="str")  # a campaign has few days
    if date_format is None and set(distinct) <= {""}:
        return pd.Series(pd.NaT, text.index, dtype="datetime64[us]"), pd.Series(pd.NA, text.index, dtype="Int32")
    read = distinct.str.replace(_PLACES, r"\1", regex=True)
    if date_format is None:
        bare = read.str.extract(_BARE_YEAR, expand=False).astype("Float64")
        dates = _usual_dates(read, order, bare.notna() | (read == ""))
        if (bare.isna() & dates.isna() & (read != "")).any():
            bare = bare.fillna(_years_of_months(read)).fillna(named_years(read))
        bare = bare.astype("Int32")
    else:
        known = pd.to_datetime(read, format=date_format, errors="coerce").astype("datetime64[us]")
        dates = known if any(sign in date_format for sign in _MONTH_DIRECTIVES) else known.mask(known.notna())
        bare = known.dt.year.astype("Int32")
    years = dates.dt.year.astype("Int32").fillna(bare)
    places = pd.Index(distinct).get_indexer(pd.Index(text))
    return dates.take(places).set_axis(text.index), years.take(places).set_axis(text.index)


def _years_of_months(text: pd.Series) -> pd.Series:
    """The year [n] (Float64) of 2015-07 and 07.2015; of none where one of the column is not a month, as in 2015/16."""
    years = pd.Series(pd.NA, text.index, dtype="Float64")
    for pattern in _MONTH_OF_YEAR:
        parts = text.str.extract(pattern).astype("Float64")
        if parts["month"].dropna().between(1, 12).all():
            years = years.fillna(parts["year"])
    return years


def _usual_dates(text: pd.Series, order: Order, none: pd.Series) -> pd.Series:
    """Dates [n] of text [n], in which `none` [n] are none: what follows is tried while there are others."""
    dashed = text.str.replace(_COMPACT, r"\1-\2-\3", regex=True)
    parts = dashed.str.extract(_YEAR_FIRST)[["year", "month", "day"]]
    of_order = {"day": (), "month": (_MONTH_FIRST,), "year": (_SHORT_YEAR_FIRST,)}[order]
    for pattern in (*of_order, _DAY_FIRST):
        if (parts["year"].isna() & ~none).any():
            parts = parts.fillna(dashed.str.extract(pattern)[["year", "month", "day"]])
    if (parts["year"].isna() & ~none).any():
        parts = parts.fillna(named_dates(dashed))
    parts = parts.dropna()
    year = parts["year"].astype("int64")
    full_year = year + np.select([year > 99, year <= _LAST_SHORT_YEAR], [0, 2000], 1900)
    whole = pd.to_datetime(parts.astype("int64").assign(year=full_year), errors="coerce")
    return whole.reindex(text.index).astype("datetime64[us]")


def to_seasons(dates: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Season [n] and its year [n] (Int32) of dates [n]; null where a date is."""
    months = dates.dt.month.fillna(0).astype("int64")
    season = pd.Series(np.array(SEASONS)[season_index(months)], dates.index, dtype="str").where(months > 0)
    return season, season_year(dates.dt.year, months).astype("Int32")
