"""Figures for a publication, drawn again from what is on disk by the functions that draw them everywhere else.

Nothing is fitted or predicted. What is not there yet, or not of the present inputs where figures could contradict it,
is left out with a warning.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from soc_assets.errors import SocError, SocWarning, StorageError, TableError
from soc_assets.integrity.tables import complete
from soc_assets.project import Project
from soc_assets.rasters.catalog import read_table
from soc_assets.reporting.as_text import markdown
from soc_assets.reporting.figures import publication
from soc_assets.runtime import progress
from soc_assets.storage import files, vouching

SUBJECTS = ("rasters", "samples", "model", "evaluation", "maps")
"""What there are figures of."""
CAPTIONS = "captions.md"


@dataclass(frozen=True)
class Picture:
    """A figure: the name of its file, its caption, and what `to_png` made of it."""

    name: str
    caption: str
    png: bytes


def write_figures(
    project: Project, folder: Path, formats: Sequence[str], subjects: Sequence[str] = SUBJECTS, overwrite: bool = False
) -> list[Path]:
    """Write every figure that there is something on disk for, and their captions.

    Args:
        project: settings and paths.
        folder: where to; made if need be.
        formats: of `reporting.figures.FORMATS`.
        subjects: of `SUBJECTS`.
        overwrite: replace files that are there.

    Returns:
        The files written, the captions last.

    Raises:
        TableError: there is nothing to draw.
        StorageError: one of the files is there already, or cannot be written.
    """
    content: dict[str, bytes] = {}
    captions = []
    _require_free(folder, [CAPTIONS], overwrite)  # before half a minute of drawing
    with publication(formats) as published:
        for done, subject in enumerate(subjects):
            progress.report(done, len(subjects), subject)
            for picture in _pictures(project, subject):
                content |= {f"{picture.name}.{kind}": data for kind, data in published.files(picture.png).items()}
                captions.append(f"**{picture.name}.** {markdown(picture.caption)}\n")
    progress.report(len(subjects), len(subjects))
    if not content:
        raise TableError(f"There is nothing to draw of {', '.join(subjects)} yet: `soc run` first.")
    content[CAPTIONS] = "\n".join(captions).encode()
    _require_free(folder, content, overwrite)
    for name, data in content.items():
        with files.replacing(folder / name, "FOLDER") as temporary:
            temporary.write_bytes(data)
    return [folder / name for name in content]


def _require_free(folder: Path, names: Iterable[str], overwrite: bool) -> None:
    if not overwrite and (there := [name for name in names if (folder / name).exists()]):
        raise StorageError(f"{folder / there[0]} is there already: name another folder, or add --overwrite.")


def _pictures(project: Project, subject: str) -> Iterator[Picture]:
    """Those of a subject; what cannot be read is said in a warning."""
    drawn = {
        "rasters": _of_rasters,
        "samples": _of_samples,
        "model": _of_model,
        "evaluation": _of_evaluation,
        "maps": _of_maps,
    }
    try:
        yield from drawn[subject](project)
    except StorageError:
        raise
    except SocError as error:
        warnings.warn(f"No figures of {subject}: {error}", SocWarning, stacklevel=2)


def _of_rasters(project: Project) -> Iterator[Picture]:
    from soc_assets.ingest.plots import thumbnails

    if complete(project, "raster_catalog"):
        png = thumbnails(read_table(project.catalog, project), project.settings.rasters)
        yield Picture("rasters", "Latest step of each band; grey pixels have no value.", png)


def _of_samples(project: Project) -> Iterator[Picture]:
    from soc_assets.ingest.plots import oc_histogram, sample_map
    from soc_assets.sampling.plots import split_map

    if not complete(project, "soil_samples"):
        return
    samples = files.read_table(project.samples("samples"))
    yield Picture("organic_carbon", f"Organic carbon of {len(samples):,} samples.", oc_histogram(samples))
    yield Picture("samples", f"Organic carbon at the places of {len(samples):,} samples.", sample_map(samples))
    if complete(project, "balanced_samples"):
        balanced = files.read_table(project.samples("balanced"), ["sample_id", "location_id", "split"])
        studied = balanced.merge(samples[["sample_id", "longitude", "latitude"]], on="sample_id")
        yield Picture("splits", "Samples of the study by split; a location is in one split.", split_map(studied))


def _of_model(project: Project) -> Iterator[Picture]:
    from soc_assets.regression.metrics import scores
    from soc_assets.regression.report import fit_plots

    path = project.results / "predictions.parquet"
    if not path.is_file():
        return
    if said := vouching.wrong(path):
        raise TableError(f"{said}. {files.cure_of(path)}")
    rows = files.read_table(path).dropna(subset=["split", "predicted"])
    model = ", ".join(dict.fromkeys(rows["model"].dropna()))
    observed, predicted, split = (rows[name].to_numpy() for name in ("observed", "predicted", "split"))
    parts = {str(name): part for name, part in rows.groupby("split")}
    found = {
        name: scores(*(part[of].to_numpy(float) for of in ("observed", "predicted"))) for name, part in parts.items()
    }
    panels = fit_plots.observed_predicted(observed, predicted, split, found)
    yield Picture("model_observed_predicted", f"Observed against predicted organic carbon, {model}.", panels)
    test = rows[rows["split"] == "test"]
    if len(test):
        x, y, residual = test["longitude"], test["latitude"], test["predicted"] - test["observed"]
        png = fit_plots.residual_map(x.to_numpy(), y.to_numpy(), residual.to_numpy())
        yield Picture("model_residuals", f"Predicted minus observed organic carbon of the test split, {model}.", png)


def _of_evaluation(project: Project) -> Iterator[Picture]:
    from soc_assets.pipeline.evaluation_results import further_sections, read_compared, results_of
    from soc_assets.regression.report.evaluation_sections import evaluation_sections
    from soc_assets.regression.report.sections import numbered

    if not (project.results / "evaluation.parquet").is_file():
        return
    found, predictions = read_compared(project)
    missing = len(found.plan.fits) - len(found.done)
    if missing:
        words = f"{missing} of {len(found.plan.fits)} fits of the evaluation are no longer on disk"
        warnings.warn(f"{words}: importance and partial dependence are of the others.", SocWarning, stacklevel=2)
    sections = evaluation_sections(results_of(project, found, predictions), None, further_sections(project, found))
    for part in numbered(sections):
        for _, figure, stems in part.figures:
            for stem, (png, alt) in zip(stems, figure.panels, strict=True):
                yield Picture(f"evaluation_{stem}", figure.caption if stem == stems[0] else alt, png)


def _of_maps(project: Project) -> Iterator[Picture]:
    from soc_assets.mapping import assemble, plots
    from soc_assets.mapping.change import files as change_files

    for path in sorted((project.data / "maps").glob(f"[!.]*/[!.]*/{assemble.NAME}")):
        if (found := assemble.read_map(path.parent)) is None:
            continue
        name, facts = f"map_{path.parts[-3]}_{path.parts[-2]}", found.facts
        model = f"version {facts['version']} of {facts['model']}"
        caption = f"Predicted organic carbon in {facts['period']}, and where the model applies ({model})."
        yield Picture(name, caption, plots.picture_of_map(found.folder, facts))
        if pair := plots.carbon_and_width(found.folder, facts):
            yield Picture(f"{name}_carbon", f"Predicted organic carbon in {facts['period']} ({model}).", pair[0])
            yield Picture(f"{name}_width", f"Width of its prediction interval in {facts['period']}.", pair[1])
    for path in sorted((project.data / "maps").glob(f"[!.]*/[!.]*/{change_files.NAME}")):
        if (found := change_files.read_change(path.parent)) is not None:
            facts = found.facts
            caption = (
                f"Organic carbon in {facts['after']} minus {facts['before']}, and whether it is beyond uncertainty."
            )
            name = f"change_{path.parts[-3]}_{path.parts[-2]}"
            yield Picture(name, caption, plots.picture_of_change(found.folder, facts))
