"""What MkDocs cannot do by itself: pages of the repository that lie outside docs/, and pages made from the code.

README.md is the first page. Links keep the form in which they work in the repository; here they are turned into those
of the site, and a link that reads as the name of a page, `[sql.md](sql.md)`, gets the page's title. A
marker on a page is replaced by what is generated: `<!-- commands -->` on commands.md.
"""

import os
import posixpath
import re
from pathlib import Path

import commands
import database
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
OUTSIDE = ("README.md", "CHANGELOG.md", "deploy/*.md", "examples/*/*.md")
LINK = re.compile(r"\[(?P<text>[^\]\n]*)\]\((?![a-z]+:|#|/)(?P<path>[^)#\s]+)")
FENCE = re.compile(r"^(```\w+) \w+$", re.M)
NAMED_IN_WORDS = re.compile(r"(?<!`)\bdocs/(?P<path>[\w-]+\.md)\b")
GENERATED = {
    "commands.md": ("<!-- commands -->", commands.commands),
    "views.md": ("<!-- views -->", database.views_and_macros),
}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages outside docs/, and the files that any page links to there."""
    pages = [path for pattern in OUTSIDE for path in sorted(ROOT.glob(pattern))]
    inside = [Path(file.abs_src_path) for file in files.documentation_pages() if file.abs_src_path]
    linked = {path for page in [*pages, *inside] for path in _linked(page) if _is_outside(path)}
    for path in [*pages, *sorted(linked - set(pages))]:
        files.append(File.generated(config, _address(path), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links of the repository become links of the site; markers become what is generated."""
    marker, generate = GENERATED.get(page.file.src_uri, ("", str))
    if marker:
        if marker not in markdown:
            raise ValueError(f"docs/{page.file.src_uri} has no line {marker}: put it where the generated part belongs.")
        markdown = markdown.replace(marker, generate())
    markdown = FENCE.sub(r"\1", markdown)  # `sql spatial` is for the tests
    if page.file.src_uri == "settings.md":  # whose words come from the code, without links
        markdown = NAMED_IN_WORDS.sub(r"[\g<path>](\g<path>)", markdown)
    here, folder = Path(page.file.abs_src_path or ""), posixpath.dirname(page.file.src_uri)

    def turned(link: re.Match[str]) -> str:
        target = _target(here, link["path"])
        if not target.is_file():
            return link[0]
        is_name = link["text"].endswith(".md") and link["text"].strip("`").endswith(target.name)
        text = _title(target) if is_name else link["text"]
        crosses = _is_outside(target) or _is_outside(here)
        return f"[{text}]({posixpath.relpath(_address(target), folder or '.') if crosses else link['path']}"

    return LINK.sub(turned, markdown)


def on_page_content(html: str, **_: object) -> str:
    """A pipe in code in a table, which Markdown wants escaped, loses its backslash: Python-Markdown leaves it there."""
    return re.sub(r"<td>.*?</td>", lambda cell: cell[0].replace("\\|", "|"), html)


def _title(page: Path) -> str:
    heading = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.M)
    return heading[1] if heading else page.name


def _linked(page: Path) -> set[Path]:
    targets = {_target(page, found["path"]) for found in LINK.finditer(page.read_text(encoding="utf-8"))}
    return {target for target in targets if target.is_file()}


def _target(page: Path, link: str) -> Path:
    return Path(os.path.normpath(page.parent / link))


def _is_outside(path: Path) -> bool:
    return path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "docs")


def _address(path: Path) -> str:
    """Where a file of the repository is in the site's sources."""
    if path == ROOT / "README.md":
        return "index.md"
    base = ROOT if _is_outside(path) else ROOT / "docs"
    return path.relative_to(base).as_posix()
