"""Months by their names, whole or cut, in the languages of Europe's soil tables; and dates that hold such a name."""

import pandas as pd

_NAMES = (
    "january januar jänner janvier janv enero gennaio janeiro januari",
    "february februar feber février fevrier febrero febbraio fevereiro februari",
    "march märz maerz mrz mars marzo março marco maart",
    "april avril abril aprile",
    "may mai mayo maggio maio mei",
    "june juni juin junio giugno junho",
    "july juli juillet julio luglio julho",
    "august août aout agosto augustus",
    "september septembre septiembre settembre setembro",
    "october oktober octobre octubre ottobre outubro",
    "november novembre noviembre novembro",
    "december dezember décembre decembre diciembre dicembre dezembro",
)
_FEWEST = 3  # letters of a name that is cut
_MONTH = r"(?P<month>[^\W\d_]{3,})"
_TIME = r"(?:[T :,].*)?$"
_DATES = (
    rf"^(?P<day>\d\d?)[-. /]*{_MONTH}[-. /]*(?P<year>(?:19|20)?\d\d){_TIME}",
    rf"^{_MONTH}[-. /]*(?P<day>\d\d?)[-., /]+(?P<year>(?:19|20)\d\d){_TIME}",
    rf"^(?P<year>(?:19|20)\d\d)[-. /]*{_MONTH}[-. /]*(?P<day>\d\d?){_TIME}",
)
_MONTH_AND_YEAR = rf"^{_MONTH}[-., /]*((?:19|20)\d\d)$"


def _prefixes() -> dict[str, int]:
    """The month that each name, and each beginning of one, can only mean: `jui` is juin or juillet."""
    found: dict[str, set[int]] = {}
    for month, names in enumerate(_NAMES, start=1):
        for name in names.split():
            for length in range(min(_FEWEST, len(name)), len(name) + 1):
                found.setdefault(name[:length], set()).add(month)
    return {name: months.pop() for name, months in found.items() if len(months) == 1}


_MONTHS = _prefixes()


def named_dates(text: pd.Series) -> pd.DataFrame:
    """Year, month and day of dates [n] with a named month: 6 July 2015, Jul 6, 2015, 06JUL15; else null."""
    parts = pd.DataFrame(None, text.index, ["year", "month", "day"], dtype="object")
    for pattern in _DATES:
        parts = parts.fillna(text.str.extract(pattern)[["year", "month", "day"]].astype("object"))
    return parts.assign(month=parts["month"].str.lower().map(_MONTHS))


def named_years(text: pd.Series) -> pd.Series:
    """The year [n] (Float64) of July 2015, Juli 2015."""
    parts = text.str.extract(_MONTH_AND_YEAR)
    return parts[1].astype("Float64").where(parts["month"].str.lower().isin(_MONTHS))
