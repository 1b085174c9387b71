"""Every code block of the documentation: Python and SQL run in a finished project, settings load, commands parse."""

import re
import shlex
import shutil
from pathlib import Path

import click
import duckdb
import pytest

from soc_assets.cli.main import main
from soc_assets.project import load_project
from soc_assets_tests.small_project import SmallProject, clean_environment

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
BLOCK = re.compile(r"^```(?P<kind>[\w ]*)\n(?P<code>.*?)^```$", re.S | re.M)
KINDS = {"python", "sql", "sql spatial", "toml", "text", "r", "", "mermaid", "json", "yaml"}
COMMAND = r"^(?:\$ )?soc (.+)$"


def blocks(page: Path, *kinds: str) -> list[str]:
    return [match["code"] for match in BLOCK.finditer(page.read_text(encoding="utf-8")) if match["kind"] in kinds]


def with_blocks(*kinds: str) -> list[pytest.param]:
    return [pytest.param(page, id=page.name) for page in PAGES if blocks(page, *kinds)]


@pytest.fixture(scope="module")
def copied(finished, tmp_path_factory) -> SmallProject:
    """A copy of the finished project."""
    made = SmallProject(tmp_path_factory.mktemp("docs") / "project")
    shutil.copytree(finished.root, made.root, ignore=shutil.ignore_patterns(".dagster"))
    from soc_assets.features import refresh

    with clean_environment():
        refresh.ensure(made.project)
    return made


@pytest.fixture
def project(copied, monkeypatch):
    """The copy, as the current folder."""
    monkeypatch.chdir(copied.root)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return copied


@pytest.mark.parametrize("page", with_blocks("python", "sql"))
def test_python_and_sql_of_a_page_run_in_order(page, project):
    names: dict[str, object] = {}
    for match in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if match["kind"] == "python":
            exec(compile(match["code"], f"{page.name}", "exec"), names)
        elif match["kind"] == "sql":
            with duckdb.connect(project.project.database, read_only=True) as connection:
                assert connection.execute(match["code"]).description


@pytest.mark.parametrize("page", with_blocks("sql spatial"))
def test_sql_that_needs_spatial_runs_where_it_is_installed(page, project):
    with duckdb.connect(project.project.database, read_only=True) as connection:
        there = connection.execute(
            "SELECT installed FROM duckdb_extensions() WHERE extension_name = 'spatial'"
        ).fetchall()
        if there != [(True,)]:
            pytest.skip("the extension spatial is not installed")
        for code in blocks(page, "sql spatial"):
            assert connection.execute(code).description


@pytest.mark.parametrize("page", with_blocks("toml"))
def test_settings_of_a_page_load(page, tmp_path):
    for code in blocks(page, "toml"):
        if re.search(r"^\[(?!\[?(tool|project))", code, re.M):
            (tmp_path / "soc.toml").write_text(code)
            assert load_project(tmp_path / "soc.toml").root == tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_a_page_are_the_command_lines(page):
    text = "\n".join(blocks(page, ""))
    for line in re.findall(COMMAND, text, re.M):
        words = [word for word in shlex.split(line, comments=True) if word not in ("...",)]
        command = main.get_command(click.Context(main), words[0])
        assert command, line
        arguments = ["." if re.fullmatch(r"[A-Z]+|run_.*", word) else word for word in words[1:]]
        context = click.Context(command, info_name=words[0])
        assert command.parse_args(context, arguments) == [], line


def test_commands_are_found_on_pages():
    found = [line for page in PAGES for line in re.findall(COMMAND, "\n".join(blocks(page, "")), re.M)]
    assert len(found) >= 20


def test_every_block_says_what_it_is():
    for page in PAGES:
        kinds = {match["kind"] for match in BLOCK.finditer(page.read_text(encoding="utf-8"))}
        assert kinds <= KINDS, page.name


def test_cookbook_has_twenty_questions_with_an_answer_each():
    text = (ROOT / "docs/sql.md").read_text(encoding="utf-8")
    assert [int(number) for number in re.findall(r"^\*\*(\d+)\. ", text, re.M)] == list(range(1, 21))
    assert len(blocks(ROOT / "docs/sql.md", "text")) == len(blocks(ROOT / "docs/sql.md", "sql")) >= 20


def test_links_and_pictures_of_the_pages_are_there():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_tests_that_the_pages_name_are_there():
    named = [
        name for page in PAGES for name in re.findall(r"`([\w./]*test_\w+\.py)`", page.read_text(encoding="utf-8"))
    ]
    assert len(named) > 50
    assert not [
        name for name in named if not (ROOT / "soc_assets_tests" / name.removeprefix("soc_assets_tests/")).is_file()
    ]
