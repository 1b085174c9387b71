"""What `soc suggest` says of the sites."""

from rich.table import Table

from soc_assets.mapping.inputs import MapInputs
from soc_assets.mapping.lattice import Period
from soc_assets.mapping.suggestion.sites import Suggestion, map_of


def table(found: Suggestion, most: int) -> Table:
    """The first sites."""
    shown = Table("rank", "longitude", "latitude", "predicted", "width", "dissimilarity", "nearest sample", "why")
    for row in found.sites.head(most).to_dict("records"):
        numbers = (f"{row['predicted']:.1f}", f"{row['width']:.1f}", f"{row['dissimilarity']:.2f}")
        place = (f"{row['longitude']:.5f}", f"{row['latitude']:.5f}")
        shown.add_row(str(row["rank"]), *place, *numbers, f"{row['nearest_sample_km']:.1f} km", row["reason"])
    return shown


def lines(found: Suggestion, inputs: MapInputs, period: Period, asked: int) -> list[str]:
    """Sentences: what was compared how, and what the sites are."""
    sites = found.sites
    outside = int((sites["applicable"] == "no").sum())
    one, where = len(sites) == 1, f"{outside} of them {'lies' if outside == 1 else 'lie'}"
    if one:
        where = "It lies" if outside else "It does not lie"
    apart = "" if one else f" at least {found.apart / 1000:.1f} km apart;"
    said = [
        f"{len(sites)} {'site' if one else 'sites'} in {period} by {inputs.registered.uri}, of {found.facts['places']} "
        f"{'place' if len(found.places) == 1 else 'places'};{apart} compared by {found.facts['space']}.",
        f"{where} outside the area of applicability; the widest interval is {sites['width'].max():.1f} g/kg, "
        f"the median of all places {found.places['width'].median():.1f}.",
    ]
    if len(sites) < asked:
        said.append(
            f"No more than {len(sites)} {'fits' if one else 'fit'}: a smaller --minimum-distance or more --places "
            "allow more."
        )
    if map_of(inputs, period) is None:
        step = f" --step {inputs.lattice.step}" if inputs.lattice.step > 1 else ""
        said.append(
            f"There is no map of {period}, so that only the middle of each square was looked at: `soc map --year "
            f"{period.year}{step}` and again finds the cells that it knows least about."
        )
    return said
