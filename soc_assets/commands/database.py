"""Commands about what came out: sql."""

from pathlib import Path

import click

from soc_assets.commands.options import config_option, console, explained, opened


@click.command()
@config_option
@click.argument("query", required=False)
@click.option("--rows", default=40, show_default=True, help="Most rows shown.")
@explained
def sql(config: Path | None, query: str | None, rows: int) -> None:
    r"""Ask the database a question in SQL; without QUERY, a prompt.

    The database is built where it is missing, and its views again where settings or batches changed.

    \b
      soc sql ".views"                          views, tables and macros, with every column explained
      soc sql "SELECT split, count(*) FROM features GROUP BY split"
      soc sql "SELECT * FROM similar('SAMPLE', 5)"
    """
    from soc_assets import prompt

    prompt.answer(opened(config), query, rows, console)
