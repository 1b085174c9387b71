"""What `soc` shows in the terminal: progress bars, the table at the end, states, query results."""

import io
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from soc_assets.cli.progress_bars import Lines, Words, bars
from soc_assets.embedding.clean import SpecFolder
from soc_assets.embedding.inputs import EmbeddingInputs, known_embeddings
from soc_assets.integrity.tables import complete
from soc_assets.mapping.clean import ModelMaps
from soc_assets.pipeline.assets import ASSETS
from soc_assets.pipeline.freshness import Freshness
from soc_assets.project import Project, is_tracked
from soc_assets.regression.evaluation.kept import Kept
from soc_assets.reporting.as_text import PlainConsole
from soc_assets.runtime import progress
from soc_assets.storage import files

_IN_PARTS = ("embeddings", "map_tiles", "soc_map", "soc_map_change")  # batches, tiles, periods, pairs
_COLOURS = {"fresh": "green", "stale": "yellow", "missing": "red", "failed": "bold red"}


def own_console(console: Console) -> Console:
    """A console on a copy of standard output: while a step runs, Dagster captures the original for its log."""
    try:
        own = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    except io.UnsupportedOperation:  # no file: replaced by a caller
        return console
    return PlainConsole(file=own, width=None if own.isatty() else console.width)


@contextmanager
def showing_progress(console: Console) -> Iterator[None]:
    """Bars in a terminal, elsewhere a line now and then; between them what the commands themselves log."""
    showing = bars(console) if console.is_terminal else progress.listening(Lines(console))
    with progress.logging_to(Words(console), "soc_assets.cli"), showing:
        yield


def states_table(states: list[Freshness], failed: set[str]) -> Table:
    """One row per asset."""
    table = Table("asset", "state", "done")
    for item in states:
        state = "failed" if item.asset in failed and not item.fresh else item.state
        parts = f"{item.done} of {item.total}" if item.asset in _IN_PARTS else ""
        table.add_row(item.asset, f"[{_COLOURS[state]}]{state}[/]", parts)
    return table


def specs_table(found: list[SpecFolder], left: list[Path]) -> Table:
    """One row per embedding spec, and one per leftover."""
    table = Table("spec", "created", "stage", "pooling", "weights", "batches", "MB", "in use")
    for item in found:
        choices = item.spec.choices
        facts = (
            item.spec.digest,
            item.spec.created[:16],
            choices["stage"],
            choices["pooling"],
            escape(item.spec.weights),
        )
        table.add_row(*facts, str(item.batches), f"{item.size / 1e6:,.1f}", item.in_use or "[yellow]no[/]")
    for path in left:
        table.add_row(escape(path.name), "", "", "", "", "", "", "[yellow]left behind[/]")
    return table


def kept_table(found: list[Kept]) -> Table:
    """What evaluations keep: fits, and features of fits, each in use or not."""
    table = Table("in data/results", "number", "MB", "in use")
    for item in found:
        table.add_row(item.what, str(len(item.paths)), f"{item.size / 1e6:,.1f}", item.in_use or "[yellow]no[/]")
    return table


def maps_table(found: list[ModelMaps]) -> Table:
    """The maps of every model, in use or not."""
    table = Table("in data/maps", "maps", "tiles", "MB", "in use")
    for item in found:
        periods = ", ".join(item.periods)
        facts = escape(item.path.name), escape(periods), f"{item.tiles:,}", f"{item.size / 1e6:,.1f}"
        table.add_row(*facts, item.in_use or "[yellow]no[/]")
    return table


def summary_table(project: Project, to: str = ASSETS[-1], known: Sequence[Freshness] = ()) -> Table:
    """What there is now, from the files and from MLflow, up to the asset `to`; `known` are states found just before."""
    from soc_assets.features.sql.database import read_info

    table = Table(show_header=False, title="soc_assets")
    if project.catalog.is_file():
        _add_rasters(table, project)
    if complete(project, "soil_samples"):
        samples, rejected = (len(files.read_table(project.samples(name))) for name in ("samples", "rejected"))
        table.add_row("samples", f"{samples} usable, {rejected} rows rejected")
    if complete(project, "balanced_samples"):
        balanced, excluded = (len(files.read_table(project.samples(name))) for name in ("balanced", "excluded"))
        table.add_row("study", f"{balanced} samples kept, {excluded} excluded by filters")
    if to in ASSETS[: ASSETS.index("embeddings")]:
        return table
    inputs = known_embeddings(project)
    if inputs is not None:
        table.add_row("batches", f"{_done(inputs, known)} of {len(inputs.keys)} done")
        table.add_row(
            "embedding spec", f"{inputs.spec.digest} ({inputs.spec.choices['stage']}, {inputs.spec.choices['pooling']})"
        )
        table.add_row("weights", escape(inputs.spec.weights))
        table.add_row("features per sample", f"{inputs.spec.n_features:,}")
    asked = to not in ASSETS[:-1]  # MLflow takes seconds to load
    if asked and read_info(project.database) and is_tracked(project):
        _add_scores(table, project)
    return table


def _done(inputs: EmbeddingInputs, known: Sequence[Freshness]) -> int:
    found = next((item.done for item in known if item.asset == "embeddings"), None)
    return list(inputs.states().values()).count("fresh") if found is None else found


def _add_rasters(table: Table, project: Project) -> None:
    """How many rasters the catalog has; the first of those set aside with its reason, and where to find the rest."""
    usable, path = (
        len(files.read_table(project.catalog, ["band"])),
        project.catalog.with_name("problems.parquet"),
    )
    problems = files.read_table(path)["problem"].tolist() if path.is_file() else []
    table.add_row("rasters", f"{usable} usable, {len(problems)} set aside")
    if problems:
        others = f" All {len(problems)}: {path}" if len(problems) > 1 else ""
        table.add_row("set aside", escape(f"{problems[0]}{others}"))


def _add_scores(table: Table, project: Project) -> None:
    from soc_assets.cli.score_rows import how_to_raise, score_rows
    from soc_assets.features.sql.database import read_info
    from soc_assets.regression.inputs import model_inputs
    from soc_assets.tracking.known import find_model

    record, weights = find_model(project, model_inputs(project)), read_info(project.database)["weights"]
    if record is None:
        return
    for label, words in score_rows(project, record):
        table.add_row(label, words)
    table.caption, table.caption_justify, table.caption_style = escape(how_to_raise(project, weights)), "left", ""


def show_results(project: Project, console: Console, to: str) -> None:
    """What was made on request: the leaderboard and its verdict, the comparison of encoders, or a pre-training."""
    if to in ("encoder_comparison", "pretrained_encoder"):
        for line in _about_encoders(project, to):
            console.print(line, soft_wrap=True, markup=False)
    else:
        _show_leaderboard(project, console)


def _about_encoders(project: Project, to: str) -> Iterator[str]:
    """Whether pre-training helps, or how a pre-training went."""
    path = project.results / f"{to}.parquet"
    if not path.is_file():
        return
    if to == "pretrained_encoder":
        from soc_assets.pretraining.summary import in_words, read_summary

        curve, facts = read_summary(path)
        yield in_words(curve, facts.get("normalise") == "image")
        return
    from soc_assets.regression.encoders.words import verdict

    yield verdict(files.read_table(path), files.read_metadata(path)["soc.scheme"])
    yield f"Report: {project.results / 'encoders.html'}"


def _show_leaderboard(project: Project, console: Console) -> None:
    """The leaderboard of the evaluation, or of the baselines alone, under the primary scheme, and the verdict."""
    from soc_assets.regression.evaluation.leaderboard import leaderboard
    from soc_assets.regression.evaluation.next_model import next_model_of

    results, scheme = project.results, project.settings.evaluation.primary
    path = next((p for p in (results / f"{name}.parquet" for name in ("evaluation", "baselines")) if p.is_file()), None)
    if path is None:
        return
    table = Table("model", "features", "R2", "95 %", "RMSE", "CCC", "coverage", "failed", title=f"by {scheme}")
    for row in leaderboard(files.read_table(path), scheme).to_dict("records"):
        cover = row.get("coverage", float("nan"))
        table.add_row(
            f"[dim]{escape(row['model'])}[/]" if row["baseline"] else escape(row["model"]),
            escape(row["features"]),
            f"{row['r2']:.3f}",
            f"{row['r2_low']:.3f} to {row['r2_high']:.3f}",
            f"{row['rmse']:.2f}",
            f"{row['ccc']:.3f}",
            f"{cover:.3f}" if cover == cover else "",
            str(row["failed"] or ""),
        )
    console.print(table)
    said, page = results / "verdict.json", results / "evaluation.html"
    if path.stem == "evaluation" and said.is_file():
        words = [*json.loads(said.read_text(encoding="utf-8")).values(), next_model_of(project), f"Report       {page}"]
        for line in filter(None, words):
            console.print(line, soft_wrap=True, markup=False)


def where_to_look(project: Project, config: Path | None) -> list[str]:
    """Three lines: the Dagster UI, MLflow, and a query; with the settings file that was named."""
    option = f" --config {config}" if config else ""
    soc = _command()
    query = "SELECT split, count(*) n, avg(organic_carbon) mean_oc FROM features GROUP BY split"
    return [
        f"Dagster UI   {soc} ui{option}  (http://127.0.0.1:3000)",
        f"MLflow UI    {soc} mlflow{option}  (http://127.0.0.1:5000/#/experiments/1/runs)",
        f'SQL          {soc} sql{option} "{query}"',
    ]


def _command() -> str:
    """`soc` as it can be typed: by its name, or its place beside this Python, from this folder where it is below it."""
    own = Path(sys.executable).parent / "soc"
    found = shutil.which("soc")
    if found and Path(found).resolve() == own.resolve():
        return "soc"
    if not own.is_file():
        return f"{sys.executable} -m soc_assets"
    return str(own.relative_to(Path.cwd()) if own.is_relative_to(Path.cwd()) else own)
