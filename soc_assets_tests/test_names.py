"""What docstrings and comments call by name is there; modules are named from the package on, `ingest.soil.columns`."""

import importlib
import re
from functools import cache
from pathlib import Path

import pytest

import soc_assets

ROOT = Path(soc_assets.__file__).parent
ROOMS = {path.name for path in ROOT.iterdir() if path.is_dir()}
INNER = {path.name for path in ROOT.glob("*/*") if path.is_dir() and not path.name.startswith("_")}
NAMED = re.compile(r"`(?:soc_assets\.)?([a-z_]+(?:\.\w+)+)(?:\(\))?`")
FILES = ("py", "parquet", "json", "toml", "md", "html", "js", "duckdb", "db", "tif")  # how names of files end


def names_of(path: Path) -> list[str]:
    found = NAMED.findall(path.read_text(encoding="utf-8"))
    ours = ROOMS | INNER | {"check", "borrowing"}  # and what rooms were once called
    return [name for name in found if name.split(".")[0] in ours and name.split(".")[-1] not in FILES]


@cache
def is_there(name: str) -> bool:
    parts = name.split(".")
    for number in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(["soc_assets", *parts[:number]]))
        except ModuleNotFoundError:
            continue
        for part in parts[number:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("room", sorted(ROOMS - {"__pycache__"}))
def test_modules_that_docstrings_name_are_there(room):
    named = {path: names_of(path) for path in (ROOT / room).rglob("*.py")}
    wrong = {
        f"{path.relative_to(ROOT)}: {name}" for path, names in named.items() for name in names if not is_there(name)
    }
    assert not wrong
