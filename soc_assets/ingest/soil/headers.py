"""What the header of a column says: its words, the signs that belong to them, and the unit that is next to.

`OC [g/kg]` is the words `oc` in g/kg, `± OC` is not `oc`. Which column is which is decided in `ingest.soil.columns`.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

CARBON_UNITS = {
    r"g(c|oc|soc|corg)?kg1?|mg(c|oc|soc)?g1?|‰|promille?|permill?e?|gc?1000g1?": "g/kg",
    r"(mass?e?|ma|gew|gewichts?|m|wt|w|weight)?(%|percent|pct|perc|prozent|proz)(c|oc|soc|wt|w|ww|mass?e?|gew|m)?": "%",
    r"g(c|oc|soc)?100g1?|dagkg1?|cgg1?": "%",
    r"mg(c|oc|soc)?kg1?|ppm|μgg1?|ugg1?": "mg/kg",
    r"dg(c|oc|soc)?kg1?": "dg/kg",
    r"kg(c|oc|soc)?kg1?|g(c|oc|soc)?g1?": "kg/kg",
}
"""Spellings of units of organic carbon, joined without signs: g C kg-1 is `gckg1`."""
_NO_CONTENT = {
    r"m?tc?ha1?|mgc?ha1?|kgc?m2|gc?m2|gc?cm2|kgc?ha1?|mgccm2": "a stock per area",
    r"gc?l1?|gc?dm3|kgc?m3|mgc?l1?|gc?cm3|mgc?cm3|mgml1?|gm3|vol%": "an amount per volume",
}
_DRY = r"(soil|boden|tm|ts|dm|dw|dry|drymatter|drysoil|drywt|fe|feinerde)?"
_LENGTHS = {"cm": "cm", "mm": "mm", "dm": "dm", "m": "m", "inch": "in", "inches": "in", "ft": "ft", "feet": "ft"}
_DEGREES = r"(decimal)?deg(ree)?s?|dd|grad|wgs84|decimal|epsg4326"
_FILLERS = ("in", "as", "unit", "units", "einheit")
_SIGN = r"[%‰±∆<>≤≥~]"  # that are part of a name
_MOST_TOKENS = 5  # of a unit: g, C, 100, g, 1
_LONGEST = 500  # characters of a name that are looked at: a whole line may seem to be one


def exact(name: str) -> str:
    """A name with its Unicode composed and no blanks around it: what two names must share to be the same."""
    return unicodedata.normalize("NFC", name).strip()


def tokens(name: str) -> list[str]:
    """Words, numbers and signs of a name in lower case: `C-org. (%)` is c, org, %."""
    return list(_tokens(name[:_LONGEST]))


def words(name: str) -> list[str]:
    """`tokens`, but with `depthFrom` parted."""
    return list(_words(name[:_LONGEST]))


@lru_cache(maxsize=1 << 15)  # each of thousands of names is asked for some fifty times
def _tokens(name: str) -> tuple[str, ...]:
    return tuple(re.findall(rf"[^\W_]+|{_SIGN}", unicodedata.normalize("NFKC", name.strip()).lower()))


@lru_cache(maxsize=1 << 15)
def _words(name: str) -> tuple[str, ...]:
    return _tokens(re.sub(r"(?<=[a-zäöü])(?=[A-ZÄÖÜ][a-zäöü])", "_", name))


def plain(name: str) -> str:
    """`C-org. (%)` becomes `c_org_%`: every word and sign counts."""
    return "_".join(tokens(name))


def carbon_unit_of(text: str | Sequence[str]) -> str | None:
    """A unit of organic carbon from the way it is written, "a stock per area" or the like; None where it is not one."""
    joined = "".join(tokens(text) if isinstance(text, str) else text)
    for spellings in (_NO_CONTENT, CARBON_UNITS):
        for pattern, unit in spellings.items():
            if re.fullmatch(f"(?:{pattern}){_DRY}", joined):
                return unit
    return None


def depth_unit_of(text: str | Sequence[str]) -> str | None:
    """A unit of length: cm, mm, dm, m, in or ft; None where it is not one."""
    found = tokens(text) if isinstance(text, str) else text
    return _LENGTHS.get(found[0]) if len(found) == 1 else None


def is_unit(text: str) -> bool:
    """Whether a cell says a unit, as cells of a row of units do; degrees and patterns of dates are some, too."""
    if carbon_unit_of(text) or depth_unit_of(text) or text.strip() in ("°", "[-]", "µS/cm", "mS/m"):
        return True
    joined = "".join(tokens(text))
    return bool(
        re.fullmatch(rf"{_DEGREES}|d{{1,2}}m{{1,3}}y{{2,4}}|y{{4}}(m{{1,2}}d{{1,2}})?|t{{2}}m{{2}}j{{2,4}}", joined)
    )


@lru_cache(maxsize=1 << 16)
def without_unit(name: str, kind: str) -> tuple[str, str | None]:
    """The words of a name without its unit, and the unit.

    Args:
        name: as the file has it.
        kind: `carbon`, `depth` or `degrees`: which units are looked for.
    """
    unit_of = {"carbon": carbon_unit_of, "depth": depth_unit_of, "degrees": _degrees_of}[kind]
    if kind == "degrees" and side_of(name):
        return _joined(tokens(name)[:-1]), "°"
    if kind == "degrees" and (joined := re.fullmatch(r"([^\W_]{3,})degrees", exact(name).lower())):
        return joined[1], "°"
    found = words(name) if kind == "depth" else tokens(name)
    for length in range(min(_MOST_TOKENS, len(found) - 1), 0, -1):
        if unit := unit_of(found[-length:]):
            return _joined(found[:-length]), unit
    if kind == "carbon":
        for length in (2, 1):
            if length == 2 and found[1:2] == ["c"]:  # `% C org` is C org in per cent, not `% C`
                continue
            if len(found) > length and (unit := carbon_unit_of(found[:length])):
                return _joined(found[length:]), unit
    return "_".join(found), None


def side_of(name: str) -> str:
    """The side that a name of coordinates gives in brackets or behind a °, `Longitude (°W)`: e, w, n, s, or ""."""
    found = re.search(r"(?:[(\[]\s*°?|°)\s*([EWNS])\s*[)\]]?$", exact(name), re.IGNORECASE)
    return found[1].lower() if found else ""


def _degrees_of(found: Sequence[str]) -> str | None:
    return "°" if re.fullmatch(_DEGREES, "".join(found)) else None


def _joined(found: list[str]) -> str:
    while len(found) > 1 and found[-1] in _FILLERS:
        found = found[:-1]
    return "_".join(found)
