"""Whether a column of dates begins with the day, the month or the year: decided by all of its rows together.

7/6/2018 alone may be June or July. What single dates mean once the order is known is in `ingest.soil.values`.
"""

from typing import Literal

import pandas as pd

from soc_assets.errors import SoilError

Order = Literal["day", "month", "year"]

_PARTS = r"^(?P<first>\d\d?)(?P<sign>[-/])(?P<second>\d\d?)(?P=sign)(?P<third>(?:19|20)?\d\d)(?:[T ].*)?$"
_CELL = r"^\d{4}-\d\d-(\d\d) 00:00:00$"  # a day of a workbook, as text
_MOST_DAYS = 12  # that may be months
_ENOUGH = 5  # cells and texts, each, before their parting at the twelfth is not a chance


def order_of_dates(text: pd.Series, rows: pd.Series | None = None) -> Order:
    """The order in which a column writes its dates.

    Day first, unless that does not fit all dates and another does. Points (14.7.2018) part day, month and year.

    Args:
        text: stripped text [n] of the whole column.
        rows: row of each as a person counts [n], for the message; None counts from 2.

    Raises:
        SoilError: some dates are only right day first and others only month first, or a program that took the one for
            the other has changed those that it could.
    """
    parts = text.str.extract(_PARTS)
    parts = parts[parts["first"].notna()]
    if parts.empty:
        return "day"
    distinct = parts.drop_duplicates()
    first, second, third = (distinct[name].astype("int64") for name in ("first", "second", "third"))
    day, month = _exist(third, second, first), _exist(third, first, second)
    only_day, only_month = distinct.index[day & ~month], distinct.index[month & ~day]
    rows = pd.Series(range(2, len(text) + 2), text.index) if rows is None else rows
    if len(only_day) and len(only_month):
        raise SoilError(_contradiction(text, rows, only_day[0], only_month[0]))
    _require_no_swap(text, rows, (parts["first"].astype(int) > _MOST_DAYS) | (parts["second"].astype(int) > _MOST_DAYS))
    if len(only_month):
        return "month"
    short = (distinct["first"].str.len() == 2) & (distinct["third"].str.len() == 2)
    return "year" if not day.all() and (short & _exist(first, second, third)).all() else "day"


def _exist(year: pd.Series, month: pd.Series, day: pd.Series) -> pd.Series:
    full = year.where(year > 99, 2000 + year)
    dates = pd.to_datetime(pd.DataFrame({"year": full, "month": month, "day": day}), errors="coerce")
    return dates.notna()


def _contradiction(text: pd.Series, rows: pd.Series, day: int, month: int) -> str:
    sign = "/" if "/" in text[day] else "-"
    year = "%Y" if text[day].split(sign)[2][:4].isdigit() and len(text[day].split(sign)[2]) > 3 else "%y"
    formats = [sign.join(order) for order in (("%d", "%m", year), ("%m", "%d", year))]
    return (
        f"the dates contradict each other: {text[day]!r} in row {rows[day]} can only begin with the day, "
        f"{text[month]!r} in row {rows[month]} only with the month. Correct the rows, or say which it is by "
        f'date_format = "{formats[0]}" or "{formats[1]}" in an entry of [[soil.tables]] in soc.toml: then only rows of '
        "the other order are rejected."
    )


def _require_no_swap(text: pd.Series, rows: pd.Series, late: pd.Series) -> None:
    """Refuse a column in which a program read 6/7/2018 as a date, the wrong way round, and left 14/7/2018 as text."""
    days = text.str.extract(_CELL, expand=False).dropna().astype(int)
    if len(days) < _ENOUGH or len(late) < _ENOUGH or not late.all() or (days > _MOST_DAYS).any():
        return
    raise SoilError(
        f"{len(days)} dates are cells of a date and none is after the 12th of its month (first in row "
        f"{rows[days.index[0]]}: {text[days.index[0]]!r}), while all {len(late)} dates that stand as text, such as "
        f"{text[late.index[0]]!r} in row {rows[late.index[0]]}, have a number above 12: a program with another order "
        "of dates has exchanged day and month of those that it could. Take the dates from the original table again, as "
        "2018-07-14."
    )
