"""The site: every page has a place in it, what is generated is complete, and nothing is loaded from elsewhere."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import click
import pytest
from mkdocs.config import load_config
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from soc_assets.cli.main import COMMANDS, main
from soc_assets.features.sql.macros import MACROS
from soc_assets.integrity.schemas import TABLES

ROOT = Path(__file__).parents[1]
OUTSIDE = {"index.md", "CHANGELOG.md", "deploy/README.md", "deploy/kubernetes.md"}
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


@pytest.fixture(scope="module")
def config():
    return load_config(str(ROOT / "mkdocs.yml"))


@pytest.fixture(scope="module")
def hook(config):
    return config["hooks"]["docs/hooks/pages.py"]


def pages_of(nav) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from pages_of(entry)


def shown(config, hook, name: str, markdown: str) -> str:
    """What the site makes of a page of docs/ with this text."""
    file = File(name, config["docs_dir"], config["site_dir"], use_directory_urls=False)
    return hook.on_page_markdown(markdown, page=Page(None, file, config), config=config, files=Files([]))


def test_nav_names_every_page_once(config):
    docs = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    examples = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("examples/*/*.md")}
    assert Counter(pages_of(config["nav"])) == Counter(docs | examples | OUTSIDE)


def test_pages_outside_docs_are_in_the_site_with_what_they_link_to(config):
    files = config["plugins"].on_files(Files([]), config=config)
    added = {file.src_uri: file.abs_src_path for file in files}
    assert added["index.md"] == str(ROOT / "README.md")
    assert {"deploy/README.md", "examples/macedonia/soc.toml", "examples/macedonia/figures/map.png"} <= set(added)


@pytest.mark.parametrize(
    ("page", "link", "expected"),
    [
        ("scaling.md", "[one host](../deploy/README.md)", "[one host](deploy/README.md)"),
        ("decisions/sql.md", "[start](../../README.md#two-commands)", "[start](../index.md#two-commands)"),
        ("map.md", "[why](decisions/change.md)", "[why](decisions/change.md)"),
        ("map.md", "[glossary.md](glossary.md)", "[Glossary](glossary.md)"),
        ("map.md", "[there](nowhere.md) and [there](https://example.org/README.md)", None),
    ],
)
def test_links_of_the_repository_become_links_of_the_site(config, hook, page, link, expected):
    assert shown(config, hook, page, link) == (expected or link)


def test_a_page_without_the_marker_of_its_generated_part_is_an_error(config, hook):
    with pytest.raises(ValueError, match=r"docs/views\.md has no line <!-- views -->"):
        shown(config, hook, "views.md", "# Views")


def test_every_command_and_option_is_on_the_page_of_commands(config, hook):
    page = shown(config, hook, "commands.md", (ROOT / "docs/commands.md").read_text(encoding="utf-8"))
    sections = dict(re.findall(r"^## soc (\S+)\n(.*?)(?=^## |\Z)", page, re.S | re.M))
    assert list(sections) == list(COMMANDS)
    for name, section in sections.items():
        options = [
            each for each in main.get_command(click.Context(main), name).params if isinstance(each, click.Option)
        ]
        assert [each.opts[0] for each in options if each.opts[0] not in section] == [], name
    assert "\b" not in page
    assert "UNSET" not in page


def test_every_view_and_macro_is_on_the_page_of_views_with_its_columns(config, hook):
    page = shown(config, hook, "views.md", (ROOT / "docs/views.md").read_text(encoding="utf-8"))
    named = re.findall(r"^### `(\w+)", page, re.M)
    assert {*MACROS, "features", "embeddings", "samples", "pca_variance"} <= set(named)
    assert len(named) == len(set(named))
    sections = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^### |\Z)", page, re.S | re.M))
    for name in ("rejected", "evaluation", "map_zones"):
        assert [column for column in TABLES[name].names if f"| `{column}` |" not in sections[name]] == [], name
    assert "Columns: `sample_id`, `distance_km`" in page


class Loads(HTMLParser):
    """Addresses that a browser loads when it shows a page, and whether it would draw with a library from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if address := given.get(LOADED.get(tag, "")):
            self.addresses.append(address)
        if "mermaid" in (given.get("class") or ""):
            self.addresses.append("https://unpkg.com/mermaid")  # where the theme takes it from


def test_loads_are_found():
    loads = Loads()
    loads.feed('<link rel=stylesheet href=//fonts.example/a.css><script src="a.js"></script><pre class="mermaid">')
    assert loads.addresses == ["//fonts.example/a.css", "a.js", "https://unpkg.com/mermaid"]


@pytest.mark.slow
def test_site_is_built_strictly_and_loads_nothing_from_elsewhere(config, tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    variables = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    built = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stdout + built.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(list(pages_of(config["nav"])))  # and 404.html
    for page in pages:
        text, loads = page.read_text(encoding="utf-8"), Loads()
        loads.feed(text)
        assert [each for each in loads.addresses if re.match(r"(\w+:)?//", each)] == [], page.name
        local = [each.split("?")[0].split("#")[0] for each in loads.addresses if not each.startswith(("/", "data:"))]
        assert [each for each in local if not (page.parent / each).exists()] == [], page.name
        assert "<p>```" not in text, page.name
    for sheet in (tmp_path / "site").rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", sheet.read_text(encoding="utf-8")), sheet.name
