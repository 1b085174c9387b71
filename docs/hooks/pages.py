"""What MkDocs cannot do by itself: pages of the repository that lie outside docs/, and pages made from the code.

README.md is the first page. Links keep the form in which they work in the repository; here they are turned into those
of the site. A marker on a page is replaced by what is generated: `<!-- commands -->` on commands.md.
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
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)(?P<path>[^)#\s]+)")
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
    here, folder = Path(page.file.abs_src_path or ""), posixpath.dirname(page.file.src_uri)

    def turned(link: re.Match[str]) -> str:
        target = _target(here, link["path"])
        there = target.is_file() and (_is_outside(target) or _is_outside(here))
        return posixpath.relpath(_address(target), folder or ".") if there else link["path"]

    return LINK.sub(turned, markdown)


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
