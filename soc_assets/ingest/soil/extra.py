"""Further columns of the soil tables that are kept beside the samples: land cover, soil type, laboratory, method.

They decide nothing about a sample; `[evaluation] strata` names those for whose parts there are scores.
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import pandas as pd

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.columns import positions_of
from soc_assets.ingest.soil.headers import exact, words
from soc_assets.ingest.soil.values import is_missing, to_numbers
from soc_assets.integrity.schemas.samples import BALANCED, SOIL_SAMPLES

USUAL_EXTRA = {
    "land_cover": ("lc0_desc", "land_cover", "landcover", "land_cover_class", "lc1_desc", "lc1", "lc"),
    "land_use": ("lu1_desc", "land_use", "landuse", "landnutzung", "nutzung", "lu1", "lu"),
    "soil_type": ("soil_type", "soiltype", "soil_class", "wrb", "wrb_class", "wrb_rsg", "bodentyp"),
    "laboratory": ("laboratory", "lab", "labor"),
    "method": ("method", "oc_method", "analysis_method", "analytical_method", "lab_method", "methode"),
}
"""What is kept of every table, and what it is called there, most specific first."""

PREFIX = "extra:"
"""Before the names of these columns among the rows, so that none meets another's name."""

_RESERVED = (
    *SOIL_SAMPLES.names,
    *BALANCED.names,
    "batch",
    *("x", "y", "block", "region", "fold", "scheme", "id", "campaign", "geometry", "bbox", "index"),
)
_WHOLE = r"-?(?:0|[1-9]\d{0,15})"
_LEADING_ZERO = r"-?0\d+"


def extra_columns(
    header: Sequence[str], asked: Sequence[str] | Mapping[str, str], taken: Iterable[int], *, cut: bool = False
) -> dict[str, int]:
    """The further columns that are kept of a table: name -> position.

    A name that the platform uses itself (`year`, `split`) gets an underscore at its end.

    Args:
        header: column names as the file has them.
        asked: names and patterns, or new names with the columns' own; see `soc_assets.settings.soil.Extra`.
        taken: columns that have a meaning already; patterns leave them out.
        cut: whether names are cut to ten letters, as in DBF.

    Raises:
        SoilError: two columns get one name.
    """
    chosen = {name: place for name, place in _usual(header).items() if place is not None}
    if isinstance(asked, Mapping):
        for name, column in asked.items():
            for place in positions_of(header, column, cut=cut)[:1]:
                chosen[_free(name)] = place
        return chosen
    left_out = {*taken}
    for pattern in asked:
        if any(sign in pattern for sign in "*?["):
            lower = exact(pattern).casefold()
            hits = [p for p, name in enumerate(header) if name and _fits(exact(name).casefold(), lower)]
            hits = [place for place in hits if place not in left_out]
        else:
            hits = positions_of(header, pattern, cut=cut)
        for place in hits:
            name = _free(exact(header[place] if len(hits) > 1 or "*" in pattern else pattern))
            known = {kept.casefold(): kept for kept in chosen}
            if chosen.get(known.get(name.casefold(), ""), place) != place and name.casefold() in known:
                raise SoilError(f"two columns would be kept as {name!r}. Rename one, or take extra = {pattern!r} out.")
            chosen[known.get(name.casefold(), name)] = place
    return chosen


def require_extra(
    headers: Sequence[tuple[Sequence[str], bool]], asked: Sequence[str] | Mapping[str, str], section: str
) -> None:
    """Check that each name (not pattern) of `extra` is in at least one of the files for which it holds.

    Raises:
        SoilError: one does not; tells the columns that there are.
    """
    for name in asked.values() if isinstance(asked, Mapping) else asked:
        if any(sign in name for sign in "*?["):
            continue
        if not any(positions_of(header, name, cut=cut) for header, cut in headers):
            had = sorted({column for header, _ in headers for column in header if column})
            raise SoilError(
                f"{section} extra {name!r} in soc.toml: no soil table has such a column. Found: {', '.join(had)}. "
                "Correct the name, or take it out."
            )


def typed(samples: pd.DataFrame) -> pd.DataFrame:
    """Samples whose further columns have types: numbers where every value is one, else text; null where nothing is.

    The usual ones (land cover and the like) stay text: their numbers are codes.
    """
    result = samples.copy()
    for name in [column for column in samples if column not in _RESERVED]:
        text = samples[name].fillna("").astype("str")
        text = text.mask(is_missing(text))
        filled = text.dropna()
        numbers = to_numbers(filled, decimal_comma=True)
        if name in USUAL_EXTRA or filled.empty or numbers.isna().any() or filled.str.fullmatch(_LEADING_ZERO).any():
            result[name] = text.astype("str")
        elif filled.str.fullmatch(_WHOLE).all():
            result[name] = filled.astype("int64").reindex(text.index).astype("Int64")
        else:
            result[name] = numbers.reindex(text.index)
    return result


def _usual(header: Sequence[str]) -> dict[str, int | None]:
    plain = ["_".join(words(name)) for name in header]
    lower = [exact(name).casefold() for name in header]
    return {
        field: next((forms.index(name) for name in names for forms in (lower, plain) if name in forms), None)
        for field, names in USUAL_EXTRA.items()
    }


def _free(name: str) -> str:
    return f"{name}_" if name.casefold() in _RESERVED else name


def _fits(name: str, pattern: str) -> bool:
    """Whether a name is a pattern, in which brackets stand for themselves then, or fits it."""
    return name == pattern or fnmatchcase(name, pattern)
