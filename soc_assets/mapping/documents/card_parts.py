"""What the cards of maps and of changes share: cells and files, what made them, samples, scores, classes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyproj import CRS

from soc_assets.mapping.documents.evidence import Campaign, Evidence, Score
from soc_assets.reporting.as_text import markdown, percent

_LONGEST = 40  # characters of a CRS that is shown as it is


def as_markdown(title: str, what: Iterator[str], parts: Mapping[str, Iterator[str]]) -> str:
    """A card: its title, what it describes, and its parts by their headings."""
    lines = [f"# {title}", "", *what]
    for heading, part in parts.items():
        lines += ["", f"## {heading}", "", *part]
    return "\n".join(lines) + "\n"


def cells_of(facts: Mapping[str, Any]) -> str:
    """How many cells of what size there are, as an item of a list."""
    grid = facts["grid"]
    step = grid["step"]
    coarse = f", each the prediction at the middle one of {step} x {step} pixels of the rasters" if step > 1 else ""
    size = f"{grid['width']:,} x {grid['height']:,} cells of {_size_of(grid)}"
    return f"- {size} in {_name_of(grid['crs'])}{coarse}"


def values_of(values: Mapping[str, Any], mean: str, form: str) -> str:
    """How many cells have a value, their mean and the range of most, as an item of a list; `form` of the numbers."""
    if not values["count"]:
        return "- No cell has a value."
    low, high = (format(values["quantiles"][share], form) for share in ("0.05", "0.95"))
    known = f"{values['count']:,} cells with a value"
    return f"- {known}: {mean} {values['mean']:{form}} g/kg, 9 of 10 within {low} to {high}"


def files_of(facts: Mapping[str, Any], words: Mapping[str, str]) -> Iterator[str]:
    """The layers with what they hold, as items of a list."""
    for name, path in facts["files"].items():
        yield f"- `{path}`: {words.get(name, name)}"


def _size_of(grid: Mapping[str, Any]) -> str:
    """The width of a cell with its unit."""
    crs = CRS.from_user_input(grid["crs"])
    unit = "degrees" if crs.is_geographic else crs.axis_info[0].unit_name if crs.axis_info else "units of the CRS"
    return f"{grid['transform'][0]:g} {'m' if unit == 'metre' else unit}"


def _name_of(crs: str) -> str:
    """An EPSG code, or the name in a longer text."""
    return markdown(CRS.from_user_input(crs).name if len(crs) > _LONGEST else crs)


def makers(facts: Mapping[str, Any]) -> Iterator[str]:
    """Model, weights and digests, as items of a list."""
    said = {
        "Model": f"{facts['uri']}, recipe {facts['recipe']} on {facts['features']}",
        "Embeddings": describe_weights(facts["weights"], facts["features"]),
        "Embedding spec": facts["spec"],
        "Model digest": facts["model_digest"],
        "Digest": facts["digest"],
        "Made": f"{facts['made']} by {facts['software']}",
    }
    for name, words in said.items():
        yield f"- {name}: {markdown(str(words))}"


def describe_weights(weights: str, features: str) -> str:
    """The weights of the encoder, random ones called what they are."""
    if "embedding" not in features:
        return "none; the model reads the values of the rasters"
    if weights.startswith("random"):
        return f"{weights}: the encoder was never trained, and its embeddings are random projections of the rasters"
    return weights


def samples(evidence: Evidence) -> Iterator[str]:
    """The samples of the fit by campaign and split."""
    if not evidence.campaigns:
        yield "The run of the model says nothing of its samples."
        return
    splits = evidence.splits
    yield f"| campaign | years | {' | '.join(splits)} |"
    yield "|---|---|" + "---|" * len(splits)
    for each in evidence.campaigns:
        counts = " | ".join(f"{each.splits.get(split, 0):,}" for split in splits)
        yield f"| {markdown(each.source)} | {_years(each)} | {counts} |"
    yield ""
    yield "The test split was used for the score below alone, validation for choices and the width of intervals."


def _years(campaign: Campaign) -> str:
    first, last = campaign.year_from, campaign.year_to
    return "" if first is None else str(first) if first == last else f"{first} to {last}"


def scores(found: Sequence[Score]) -> Iterator[str]:
    """How good the model was on samples that it had not seen."""
    if not found:
        yield "No scores are known. `soc run --to evaluation`, and then `soc map`, puts them here."
        return
    yield "| by | samples | R2 (95 % interval) | RMSE, g/kg (95 % interval) | inside their interval |"
    yield "|---|---|---|---|---|"
    for each in found:
        wanted = "" if each.level is None else f", {percent(each.level)} wanted"
        inside = "" if each.coverage is None else f"{percent(each.coverage, 1)} of samples{wanted}"
        yield f"| {markdown(each.by)} | {each.n:,} | {_ends(*each.r2, 3)} | {_ends(*each.rmse, 2)} | {inside} |"
    yield ""
    yield (
        "The test split lies among the training samples; away from any sample the scores by block folds count"
        + ("." if any(each.by.startswith("block") for each in found) else ", which are not known here.")
    )


def _ends(value: float | None, low: float | None, high: float | None, digits: int) -> str:
    if value is None:
        return ""
    interval = "" if low is None or high is None else f" ({low:.{digits}f} to {high:.{digits}f})"
    return f"{value:.{digits}f}{interval}"


def shares(file: str, counts: Mapping[str, int], classes: Mapping[str, str]) -> Iterator[str]:
    """The cells of each class of a layer."""
    total = max(sum(counts.values()), 1)
    yield f"| {file} | meaning | cells | share |"
    yield "|---|---|---|---|"
    for number, cells in counts.items():
        yield f"| {number} | {classes[number]} | {cells:,} | {percent(cells / total, 1)} |"


def of_random_weights(facts: Mapping[str, Any]) -> Iterator[str]:
    """What neither is good for where the encoder was never trained."""
    if facts["weights"].startswith("random") and "embedding" in facts["features"]:
        yield "- A statement about a pre-trained encoder: its weights are random here."
