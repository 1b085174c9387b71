"""What the commands make of damaged files: every file of a finished project times six kinds of damage.

    python -m benchmarks.damage [--files GLOB ...] [--kinds deleted,empty,...] [--commands status,run,sql,predict]

Before each command the project is put back and one file of it is spoilt. Of files of one kind (batches, fits, rasters,
files of MLflow's runs) the newest stands for all. Outcomes are kept in FOLDER/outcomes.jsonl, so that an interrupted
table goes on where it was; --again tries what is asked for again. The table goes to standard output, as markdown.

    rebuilt            exit 0, the file was rewritten, and the numbers are those of before
    same               exit 0, the same numbers; "warned" where a warning names the file
    stale              soc status says that something is to be done
    said               exit 0, other numbers (an older state, a partial database, a raster set aside), and it is said
    other points       exit 0: `soc predict` answers for what its file asks now
    refused            exit 1, with the file's name and what to do
    NO FILE NAMED, TRACEBACK, HANG, DIFFERENT NUMBER: what must not be
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks.damage_commands import COMMANDS, Trial, baseline, try_command
from benchmarks.damage_project import DAMAGES, damage, make

WRONG = ("NO FILE NAMED", "TRACEBACK", "HANG", "DIFFERENT NUMBER")


def main(arguments: list[str] | None = None) -> int:
    """Make the table; returns how many outcomes are wrong."""
    wanted = _parsed(arguments)
    kept = make(wanted.folder)
    groups = kept.one_of_each()
    names = [name for name in groups if any(fnmatch(name, glob) for glob in wanted.files)]
    kinds, commands = wanted.kinds.split(","), wanted.commands.split(",")
    done = {} if wanted.table else known(wanted.folder)
    if wanted.again:
        done = {}
    if not wanted.table:
        usual = baseline(kept)
        todo = [trial for trial in product(names, kinds, commands) if trial not in done]
        for number, (name, kind, command) in enumerate(todo, start=1):
            kept.put_back()
            spoilt = damage(kept, name, kind)
            found = try_command(kept, name, command, usual, wanted.seconds) if spoilt else Trial("-", "", 0.0)
            keep(wanted.folder, name, kind, command, found)
            print(
                f"{number}/{len(todo)} {name} {kind} {command}: {found.outcome} ({found.seconds:.1f} s)",
                file=sys.stderr,
            )
    outcomes = known(wanted.folder)
    print("\n".join(table(groups, names, kinds, commands, outcomes)))
    return sum(outcomes.get(trial, "").startswith(WRONG) for trial in product(names, kinds, commands))


def product(names: list[str], kinds: list[str], commands: list[str]) -> Iterator[tuple[str, str, str]]:
    """Every trial, a file at a time."""
    yield from ((name, kind, command) for name in names for kind in kinds for command in commands)


def known(folder: Path) -> dict[tuple[str, str, str], str]:
    """Outcomes by file, kind of damage and command; the last one counts."""
    path = folder / "outcomes.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    return {(row["file"], row["kind"], row["command"]): row["outcome"] for row in rows}


def keep(folder: Path, name: str, kind: str, command: str, found: Trial) -> None:
    """Add an outcome, with the end of what was said."""
    row = {"file": name, "kind": kind, "command": command, "outcome": found.outcome, "seconds": round(found.seconds, 1)}
    with (folder / "outcomes.jsonl").open("a") as file:
        file.write(json.dumps(row | {"said": found.said[-1500:]}) + "\n")


def table(
    groups: dict[str, list[str]], names: list[str], kinds: list[str], commands: list[str], outcomes: dict[Any, str]
) -> Iterator[str]:
    """Markdown: a row per file, a column per kind of damage; in a cell the outcomes of the commands."""
    yield f"| file | {' | '.join(kinds)} |"
    yield "|---|" + "---|" * len(kinds)
    for name in names:
        of = f" (stands for {len(groups[name])})" if len(groups[name]) > 1 else ""
        cells = []
        for kind in kinds:
            found = [outcomes.get((name, kind, command), "-").replace(", warned", "*") for command in commands]
            whole = found[:1] if len(set(found)) == 1 else found
            cells.append("" if set(found) == {"-"} else " / ".join(whole))
        if any(cells):
            yield f"| `{_of_any_project(name)}`{of} | {' | '.join(cells)} |"


def _of_any_project(name: str) -> str:
    """A path without what is drawn or counted anew in every project."""
    return re.sub(
        r"(?<![0-9a-z])(m-)?([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{10,32})(?![0-9a-z])", r"\1<id>", name
    )


def _parsed(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.damage")
    parser.add_argument("--files", nargs="*", default=["*"], help="patterns of paths in the project")
    parser.add_argument("--kinds", default=",".join(DAMAGES))
    parser.add_argument("--commands", default=",".join(COMMANDS))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "soc-damage"))
    parser.add_argument("--seconds", type=float, default=120, help="after which a command hangs")
    parser.add_argument("--again", action="store_true", help="also what was tried before")
    parser.add_argument("--table", action="store_true", help="only print what is known")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
