"""Running the `soc` command in this process, and what it says."""

from pathlib import Path

from click.testing import CliRunner, Result

from soc_assets.cli.main import main
from soc_assets_tests.small_project import SmallProject


def soc(*arguments: str | Path, at: SmallProject | None = None, stdin: str | None = None) -> Result:
    """Run a command in this process; `at` adds --config."""
    options = ["--config", str(at.config)] if at else []
    result = CliRunner().invoke(main, [*map(str, arguments), *options], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*arguments: str | Path, at: SmallProject | None = None) -> str:
    """The message of a command that fails as it should: exit code 1, on stderr, no traceback."""
    result = soc(*arguments, at=at)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output
    return " ".join(result.stderr.split())


def states(made: SmallProject) -> dict[str, list[str]]:
    """What `soc status` says of each asset: its state and, for embeddings, the batches."""
    result = soc("status", at=made)
    assert result.exit_code == 0, result.output
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines()]
    return {row[0]: [cell for cell in row[1:] if cell] for row in rows if len(row) == 3}
