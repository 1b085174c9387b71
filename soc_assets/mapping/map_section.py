"""The section of the evaluation's report that shows the newest map with its interval."""

from typing import Any

from soc_assets.mapping.assemble import NAME, read_map
from soc_assets.mapping.plots import carbon_and_width
from soc_assets.project import Project
from soc_assets.regression.report.sections import Figure, Section
from soc_assets.regression.words import fit_words
from soc_assets.reporting.as_text import percent


def map_section(project: Project) -> Section:
    """The map that was written last, with what made it; empty where there is none that has an interval."""
    found = sorted((project.data / "maps").glob(f"[!.]*/[!.]*/{NAME}"), key=lambda path: path.stat().st_mtime)
    newest = read_map(found[-1].parent) if found else None
    pictures = carbon_and_width(newest.folder, newest.facts) if newest else None
    if newest is None or pictures is None:
        return Section("")
    carbon, width = pictures
    period, model = newest.facts["period"], _model(newest.facts)
    level = newest.facts.get("level")
    should = f" that should cover {percent(level)} of samples" if level else ""
    caption = (
        f"Map of predicted organic carbon in {period} (a) and the width of its prediction interval{should} (b), "
        f"by {model}. It may be another model than the best one here; its card says how good it is."
    )
    beside = ((width, f"Map of the width of the prediction interval in {period}."),)
    figure = Figure(caption, carbon, f"Map of predicted organic carbon in {period}.", "map", beside)
    return Section("Map", figures=[figure])


def _model(facts: dict[str, Any]) -> str:
    recipe = fit_words(facts["recipe"], facts["features"]) if facts.get("features") else facts.get("recipe")
    return f"version {facts['version']} of the registered model {facts['model']}" + (f" ({recipe})" if recipe else "")
