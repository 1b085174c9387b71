"""Columns of depth, under the many names that they have: depth_from (m), hzdept_r, Tiefe_o, top, von.

Numbers are read in `ingest.soil.depth`.
"""

from collections.abc import Mapping, Sequence

from soc_assets.ingest.soil.headers import depth_unit_of, exact, without_unit, words

_OF_DEPTH = {
    *(
        "depth",
        "dep",
        "tiefe",
        "entnahmetiefe",
        "probentiefe",
        "hz",
        "hzn",
        "horizon",
        "hor",
        "horizont",
        "hzd",
        "layer",
    ),
    *(
        "profondeur",
        "prof",
        "profundidad",
        "profondita",
        "limit",
        "boundary",
        "grenze",
        "interval",
        "sampling",
        "sample",
    ),
    *("soil", "bdr", "edge", "kante"),
}
_UPPER = {"top", "upper", "from", "von", "oben", "sup", "superior", "start", "begin", "o", "min"}
_LOWER = {"bottom", "bot", "lower", "to", "bis", "unten", "inf", "inferior", "end", "ende", "u", "max", "base"}
_BARE = {"top", "bottom", "bot", "from", "to", "von", "bis"}  # that mean a depth without a word that says so
_JOINED = {
    "depth_upper": {
        *("hzdept", "hzdept_r", "hzdept_l", "hzdept_h", "hor_top", "topdep", "topdepth", "upperdepth", "upp_depth"),
        *("oberkante", "obergrenze", "ot", "tiefeo", "tiefevon", "depthfrom", "depthtop", "hztop", "dept", "uhdicm"),
    },
    "depth_lower": {
        *("hzdepb", "hzdepb_r", "hzdepb_l", "hzdepb_h", "hor_bot", "botdep", "bottomdepth", "lowerdepth", "low_depth"),
        *("unterkante", "untergrenze", "ut", "tiefeu", "tiefebis", "depthto", "depthbottom", "hzbot", "depb", "lhdicm"),
    },
}
_RANGE = {"depth", "tiefe", "entnahmetiefe", "probentiefe", "sampling_depth", "sample_depth", "horizon_depth"}
_RANGE |= {"layer_depth", "hz_depth", "tiefenstufe", "profondeur", "depth_range", "depth_interval", "depth_class"}
_SUSPICIOUS = {"depth", "tiefe", "horizon", "horizont", "profondeur", "profundidad", "hzname", "tiefenstufe", "layer"}


def find_depths(header: Sequence[str], usual: Mapping[str, Sequence[str]], taken: set[int]) -> dict[str, list[int]]:
    """Columns of `depth`, `depth_upper` and `depth_lower`; limits count as a pair, or where their name says depth.

    Args:
        header: column names as the file has them.
        usual: the usual names of each.
        taken: columns that are something else.
    """
    free = [place for place in range(len(header)) if place not in taken]
    found: dict[str, list[int]] = {}
    for field in ("depth", "depth_upper", "depth_lower"):
        of_name = [place for place in free if exact(header[place]).casefold() in usual[field]]
        hits = of_name or [place for place in free if depth_field(header[place]) == field]
        if hits:
            found[field] = hits
    for field, other in (("depth_upper", "depth_lower"), ("depth_lower", "depth_upper")):
        if field in found and other not in found and all(is_bare(header[place]) for place in found[field]):
            del found[field]
    return found


def depth_field(name: str) -> str | None:
    """Which field of depth a name means, if any: `depth`, `depth_upper`, `depth_lower`."""
    plain, unit = without_unit(name, "depth")
    parts = plain.split("_")
    for field, names in _JOINED.items():
        if plain in names:
            return field
    if plain in _RANGE:
        return "depth"
    upper, lower = _UPPER.intersection(parts), _LOWER.intersection(parts)
    if len(upper) + len(lower) != 1 or {*parts} - _OF_DEPTH - upper - lower:
        return None
    if len(parts) == 1 and plain not in _BARE and unit is None:
        return None
    if {*parts} <= {"soil", "sample", "sampling", "layer", *upper, *lower} and len(parts) > 1 and "layer" not in parts:
        return None
    return "depth_upper" if upper else "depth_lower"


def is_bare(name: str) -> bool:
    """Whether a limit's name does not say that it is of a depth: `top`, `bis`."""
    plain, unit = without_unit(name, "depth")
    return plain in _BARE and unit is None


def unit_of_depth(name: str) -> str | None:
    """The unit of length in a column's name: `depth_from (m)` is in m."""
    return without_unit(name, "depth")[1]


def like_depths(header: Sequence[str], taken: set[int]) -> list[str]:
    """Columns that are not read and whose names sound like depths or horizons."""
    return [
        name
        for place, name in enumerate(header)
        if place not in taken and not _SUSPICIOUS.isdisjoint(_stems(name)) and depth_unit_of(name) is None
    ]


def _stems(name: str) -> set[str]:
    found = words(name)
    german = {"tiefe" for word in found if word.endswith("tiefe")}
    return {*found} | german | {"horizon" for word in found if word.startswith(("hzdep", "horiz"))}
