"""Commands about what came out: sql."""

from pathlib import Path

import click

from soc_assets.commands.options import config_option, console, explained
from soc_assets.project import load_project


@click.command()
@config_option
@click.argument("query", required=False)
@click.option("--rows", default=40, show_default=True, help="Most rows shown.")
@explained
def sql(config: Path | None, query: str | None, rows: int) -> None:
    r"""Ask the database a question in SQL; without QUERY, a prompt.

    \b
    Views: samples, embeddings, features, folds; table: feature_index.
      soc sql "SELECT split, count(*) FROM features GROUP BY split"
      soc sql "SELECT * FROM feature_index WHERE position = 768"
    """
    from soc_assets import prompt

    prompt.answer(load_project(config).database, query, rows, console)
