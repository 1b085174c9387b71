"""Commands about what came out: sql, export, import-run."""

from pathlib import Path

import click

from soc_assets.cli.options import config_option, console, explained, opened
from soc_assets.integrity.schemas import SPLITS


@click.command()
@config_option
@click.argument("query", required=False)
@click.option("--rows", default=40, show_default=True, help="Most rows shown.")
@explained
def sql(config: Path | None, query: str | None, rows: int) -> None:
    """Ask the database a question in SQL; without QUERY, a prompt.

    The database is built where it is missing, and its views again where settings or batches changed.

    \b
      soc sql ".views"                          views, tables and macros, with every column explained
      soc sql "SELECT split, count(*) FROM features GROUP BY split"
      soc sql "SELECT * FROM similar('SAMPLE', 5)"
    """  # noqa: D301 - click wants the sign itself
    from soc_assets.cli import prompt

    prompt.answer(opened(config), query, rows, console)


@click.command("export")
@config_option
@click.option(
    "--stage",
    type=click.Choice(["features", "points", "embeddings"]),
    help="Default: features, and of stac embeddings.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["csv", "parquet", "npz", "zarr", "stac"]),
    default="parquet",
    show_default=True,
    help="zarr needs `pip install 'soc-assets[zarr]'`; stac is a folder to publish: batches and a STAC collection.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Default: data/export/STAGE.FORMAT.")
@click.option("--split", type=click.Choice(SPLITS), help="Only this split of the features or points.")
@click.option("--bands", help="Only these bands, for example LAI,LST.")
@click.option("--int8", is_flag=True, help="Vectors as int8 with a scale each: about a quarter of the bytes.")
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@explained
def export_command(
    config: Path | None,
    stage: str | None,
    kind: str,
    out: Path | None,
    split: str | None,
    bands: str | None,
    int8: bool,
    overwrite: bool,
) -> None:
    """Write features, points or embeddings for other tools, a batch at a time.

    \b
    features     one row per studied sample that is embedded, with the flattened vector
    points       the same samples: the values of every band and lag at the sample's pixel, in the unit of the rasters
    embeddings   every embedded sample: its images by band and lag; as Parquet the columns of the batches, in one file

    docs/files.md says how each format is laid out and read.
    """  # noqa: D301 - click wants the sign itself
    from soc_assets.cli import terminal
    from soc_assets.exporting.export import export
    from soc_assets.runtime import progress

    project = opened(config)
    stage = stage or ("embeddings" if kind == "stac" else "features")
    path = (out or project.own / "export" / f"{stage}.{kind}").expanduser().resolve()
    chosen = [band.strip() for band in bands.split(",")] if bands else None

    with terminal.showing_progress(console), progress.of("export"):
        written = export(project, stage, kind, path, split, chosen, overwrite, int8)
    console.print(f"{written} samples in {path}", soft_wrap=True, markup=False)


@click.command("import-run")
@config_option
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--keep-tokens", is_flag=True, help="Keep all tokens of images that were not pooled, not their mean.")
@explained
def import_run_command(config: Path | None, source: Path, keep_tokens: bool) -> None:
    """Import embeddings that the original script wrote, into a project that has no samples yet.

    SOURCE is run_<timestamp> with its batch_*_size_*.parquet, or the folder that holds it. The year of a sample is the
    newest year of which it has an image. Afterwards every view, `soc sql`, `soc export` and load_features have it.
    """
    from soc_assets.cli import terminal
    from soc_assets.features import refresh
    from soc_assets.legacy.import_run import import_run
    from soc_assets.runtime import progress

    project = opened(config)
    with terminal.showing_progress(console), progress.of("import-run"):
        done = import_run(project, source, keep_tokens)
        refresh.ensure(project)
    console.print(f"{done.samples} samples in {done.batches} batches, {done.missing_images} images missing.")
    if done.repeated or done.rejected:
        console.print(f'{done.repeated} rows repeated a sample; {done.rejected} were rejected: soc sql "FROM rejected"')
    console.print(f"Embedding spec {done.spec.digest}; weights {done.spec.weights}.", soft_wrap=True, markup=False)
