"""Recognising the columns of a soil table: LUCAS, the combined file, obvious names, or what soc.toml says.

Only headers are looked at here; what a header says is taken apart in `ingest.soil.headers`, depths are found in
`ingest.soil.depth_columns`, values are read in `ingest.soil.values` and judged in `ingest.soil.clean`.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence

from soc_assets.errors import SoilError
from soc_assets.ingest.soil.carbon_depths import carbon_by_depth, listed
from soc_assets.ingest.soil.depth_columns import find_depths
from soc_assets.ingest.soil.files import Reading
from soc_assets.ingest.soil.headers import CARBON_UNITS, exact, plain, tokens, without_unit, words
from soc_assets.ingest.soil.usual_names import CARBON_NAMES, IN_GRAMS, MATTER_NAMES, TOTAL_NAMES, USUAL_NAMES
from soc_assets.reporting.as_text import one_line
from soc_assets.settings import SoilColumns

ONE_DEPTH = (
    "Name the one of the wanted depth, columns = { organic_carbon = 'OC_0_20' }, depth = '0-20', in an entry of "
    "[[soil.tables]], or give each depth a row of its own with columns of its limits."
)
"""What to do about a column of carbon for each depth."""
_DBF_WIDTH = 10  # characters that a shapefile keeps of a name: SURVEY_DAT
_DEPTHS = ("depth", "depth_upper", "depth_lower")
_ALIKE = {"longitude": ("longitude", "long", "lon", "lng"), "latitude": ("latitude", "lat")}
"""Names of which none is more specific than another: two of them with other numbers are refused."""
_KINDS = {"longitude": "degrees", "latitude": "degrees", "organic_carbon": "carbon"}

Same = Callable[[int, int], bool]
"""Whether two columns, by their positions, have the same cells."""


def find_columns(
    header: Sequence[str], columns: SoilColumns, *, cut: bool = False, same: Same | None = None
) -> dict[str, int]:
    """Position of each recognised column; a name mapped in the settings goes before the usual ones.

    An exact name goes before one that is like it. Of two columns that fit equally the first is taken only where their
    cells are the same.

    Args:
        header: column names as the file has them.
        columns: names mapped in soc.toml.
        cut: whether names may have lost what is beyond ten letters, as in DBF.
        same: compares the cells of two columns; None takes all for different.

    Raises:
        SoilError: two columns fit one field.
    """
    mapped, found = columns.model_dump(), {}
    for field in USUAL_NAMES:
        if hits := _mapped(header, mapped.get(field) or "", cut):
            found[field] = _only(header, hits, field, same)
    for field in USUAL_NAMES:
        if field not in found and field not in _DEPTHS and (hits := _usual(header, field, cut)):
            found[field] = _only(header, hits, field, same)
    for field, hits in find_depths(header, USUAL_NAMES, set(found.values())).items():
        if field not in found:
            found[field] = _only(header, hits, field, same)
    return found


def missing_columns(header: Sequence[str], missing: Iterable[str], reading: Reading) -> SoilError:
    """The error for missing columns: names the columns found, those expected, and the fix."""
    mapped, missing = reading.how.columns.model_dump(), list(missing)
    expected = "; ".join(f"{field} as {', '.join(_accepted(field, mapped.get(field)))}" for field in missing)
    beside = (
        " Or put the layer or table with the coordinates of its points beside it: under the same name (a .shp), or "
        "named by coordinates_from in [[soil.tables]]."
        if "longitude" in missing and "organic_carbon" not in missing
        else ""
    )
    deep = carbon_by_depth(header, (*CARBON_NAMES, *MATTER_NAMES)) if "organic_carbon" in missing else {}
    by_depth = f" {listed(header, deep)} hold carbon by depth. {ONE_DEPTH}" if deep else ""
    unclear = [header[place] for place in _carbon(header, True)] if "organic_carbon" in missing else []
    unit = (
        f" {unclear[0]!r} is taken for it where its unit is known: set unit = 'g/kg' or '%' (of organic matter "
        "'organic_matter_%') in an entry of [[soil.tables]]."
        if unclear
        else ""
    )
    total = [name for name in header if is_total_carbon(name)] if "organic_carbon" in missing else []
    inorganic = (
        f" {' and '.join(map(repr, total))} may be total carbon, which holds carbonates, too: take the carbon of "
        "carbonates off (CaCO3 x 0.12), or name it as organic_carbon where the soils have none."
        if total
        else ""
    )
    where = reading.section if reading.own else "[soil.columns] or in an entry of [[soil.tables]]"
    return SoilError(
        f"no column for {', '.join(missing)}. Found: {', '.join(one_line(name) for name in header if name) or 'none'}. "
        f"Expected (in any case): {expected}. Name the file's own columns in {where} of soc.toml."
        f"{unit}{inorganic}{by_depth}{beside}"
    )


def require_mapped_names(headers: Iterable[tuple[Sequence[str], bool]], columns: SoilColumns, section: str) -> None:
    """Check that each mapped name is in at least one file, so that no typing error goes unnoticed.

    Args:
        headers: of every file for which `columns` holds, and whether its names are cut to ten letters.
        columns: names mapped in soc.toml.
        section: the table of soc.toml in which they are.

    Raises:
        SoilError: a mapped name is in no file; gives the nearest names.
    """
    headers = list(headers)
    names = sorted({name for header, _ in headers for name in header if name})
    for field, own in columns.model_dump().items():
        if own and not any(_mapped(header, own, cut) for header, cut in headers):
            near = difflib.get_close_matches(own, names, n=3, cutoff=0.4) or names
            raise SoilError(
                f"{section} {field} = {own!r} in soc.toml: no soil table has such a column. "
                f"Nearest: {', '.join(map(one_line, near))}. Correct the name, or take it out to use the usual names "
                f"({', '.join(USUAL_NAMES[field])})."
            )


def needs_unit(name: str) -> bool:
    """Whether a usual name of carbon does not mean g/kg by itself."""
    return _carbon_words(name)[0] not in {*IN_GRAMS, *(usual[:_DBF_WIDTH] for usual in IN_GRAMS)}


def is_total_carbon(name: str) -> bool:
    """Whether a name means total carbon, which includes carbonates."""
    return _carbon_words(name)[0] in TOTAL_NAMES


def carbon_names(column: str) -> set[str]:
    """What lines above a table may call a column of carbon (of organic matter): its own name and the usual ones."""
    own = _carbon_words(column)[0]
    return {own, *(MATTER_NAMES if own in MATTER_NAMES else CARBON_NAMES)}


def depths_beside(header: Sequence[str], carbon: int) -> dict[int, str]:
    """The columns of carbon for one depth each, by position, but the one that is read."""
    return {
        place: depth
        for place, depth in carbon_by_depth(header, (*CARBON_NAMES, *MATTER_NAMES)).items()
        if place != carbon
    }


def positions_of(header: Sequence[str], name: str, *, cut: bool = False) -> list[int]:
    """Columns of a name: those that equal it; else, whatever the capitals; else whatever the signs between words."""
    return _mapped(header, name, cut)


def _accepted(field: str, own: str | None) -> list[str]:
    return [*([own] if own else []), *USUAL_NAMES[field]]


def _mapped(header: Sequence[str], own: str, cut: bool) -> list[int]:
    if not own:
        return []
    for form in (exact, lambda name: exact(name).casefold(), plain):
        wanted = {form(own)} | ({form(exact(own)[:_DBF_WIDTH])} if cut else set())
        if hits := [place for place, name in enumerate(header) if form(name) in wanted - {""}]:
            return hits
    return []


def _usual(header: Sequence[str], field: str, cut: bool) -> list[int]:
    """Columns under a usual name: the most specific name counts, an exact one before one that is like it."""
    if field == "organic_carbon":
        return _carbon(header, cut)
    names = USUAL_NAMES[field]
    for form in (lambda name: exact(name).casefold(), lambda name: _like(name, field)):
        forms = [form(name) for name in header]
        for usual in names:
            wanted = {usual, usual[:_DBF_WIDTH]} if cut else {usual}
            if hits := [place for place, name in enumerate(forms) if name in wanted]:
                alike = _ALIKE.get(field, ()) if usual in _ALIKE.get(field, ()) else ()
                return hits + [place for place, name in enumerate(forms) if name in alike and place not in hits]
    return [] if field != "unit" else [place for place, name in enumerate(header) if _is_unit_of_carbon(name)][:1]


def _carbon(header: Sequence[str], cut: bool) -> list[int]:
    """Columns of organic carbon, else of organic matter; of several those that are a content by mass."""
    for usual in (CARBON_NAMES, MATTER_NAMES):
        names = {*usual, *(name[:_DBF_WIDTH] for name in usual if cut)}
        for form in (lambda name: (exact(name).casefold(), None), _carbon_words):
            parted = [form(name) for name in header]
            hits = [place for place, (name, _) in enumerate(parted) if name in names]
            contents = [place for place in hits if parted[place][1] in (None, *CARBON_UNITS.values())]
            if hits:
                return contents or hits
    return []


def _carbon_words(name: str) -> tuple[str, str | None]:
    """`without_unit`, with `OrganicCarbon` parted where that makes a name that is known."""
    parted = without_unit("_".join(words(name)), "carbon")
    return parted if parted[0] in (*CARBON_NAMES, *MATTER_NAMES, *TOTAL_NAMES) else without_unit(name, "carbon")


def _like(name: str, field: str) -> str:
    if field in _KINDS:
        return without_unit(name, _KINDS[field])[0]
    return "_".join(words(name))


def _is_unit_of_carbon(name: str) -> bool:
    """`Corg unit`, `Einheit Humus`."""
    found = tokens(name)
    rest = [word for word in found if word not in ("unit", "units", "einheit")]
    return len(rest) < len(found) and "_".join(rest) in (*CARBON_NAMES, *MATTER_NAMES)


def _only(header: Sequence[str], hits: Sequence[int], field: str, same: Same | None) -> int:
    first, *others = hits
    if different := [place for place in others if same is None or not same(first, place)]:
        both = [header[place] for place in (first, *different)]
        listed = " and ".join(f"{header[place]!r} (column {place + 1})" for place in (first, *different))
        if len({exact(name) for name in both}) < len(both):
            cure = "Rename one of them in the file, or take it out."
        else:
            cure = (
                f"Name the right one: columns = {{ {field} = {both[0]!r} }} of an entry in [[soil.tables]] of soc.toml."
            )
        raise SoilError(f"{len(both)} columns fit {field}: {listed}. {cure}")
    return first
