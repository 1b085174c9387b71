"""The examples in docstrings give what they say; those that need a project run in the folder of a finished one."""

import doctest
import importlib
from pathlib import Path

import pytest

import soc_assets
from soc_assets import errors

PACKAGE = Path(soc_assets.__file__).parent
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if "\n    >>> " in (text := path.read_text()) or "\n>>> " in text
)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_examples(path, finished, monkeypatch):
    monkeypatch.chdir(finished.root)
    module = importlib.import_module(".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts))
    failed, tried = doctest.testmod(module)
    assert (failed, tried > 0) == (0, True)


def test_tree_of_errors_is_as_printed():
    printed = [line for line in errors.__doc__.splitlines() if line.startswith("    Soc") or line.startswith("     ")]
    assert [line.strip() for line in printed] == [*_below(errors.SocError), "SocWarning"]


def _below(error: type) -> list[str]:
    return [error.__name__] + [name for each in error.__subclasses__() for name in _below(each)]
