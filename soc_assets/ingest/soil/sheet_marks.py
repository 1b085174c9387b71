"""What an XLSX sheet says beside its values: what is hidden or merged, and formulas that nobody has calculated.

openpyxl tells these only where it holds a whole workbook in memory; here each sheet's XML is passed through once.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO
from xml.etree import ElementTree
from zipfile import ZipFile

from soc_assets.ingest.soil.archives import chunks
from soc_assets.ingest.soil.limits import SHEET_COLUMNS, require_parts

_OVERLAP = 32  # bytes of a chunk that are looked at again with the next
_TRUE = ("1", "true", "on")
_TELLING = re.compile(rb"[<:]f[\s>/]|mergeCell |\bhidden=|\b(?:ht|width)=.0[.\"']|^(?:\xff\xfe|\xfe\xff)")
_PLACE = re.compile(r"([A-Z]+)(\d+)")


@dataclass
class Marks:
    """Rows and columns are counted from 0."""

    hidden: bool = False
    """Whether the sheet itself is hidden."""
    hidden_rows: set[int] = field(default_factory=set)
    """By hand, by a filter, or in a closed group."""
    hidden_columns: set[int] = field(default_factory=set)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Merged cells: first row, first column, last row, last column."""
    uncalculated: list[tuple[int, int]] = field(default_factory=list)
    """Cells with a formula whose value the file does not hold."""


def read_marks(archive: ZipFile) -> dict[str, Marks]:
    """The marks of each sheet by its name.

    Raises:
        LimitError: there are too many sheets.
        KeyError, ParseError, ValueError: the archive is no workbook.
    """
    part = _related(archive, "")["officeDocument"][0]
    targets = {key: paths[0] for key, paths in _related(archive, part, by_id=True).items()}
    marks = {}
    sheets = list(ElementTree.fromstring(archive.read(part)).iterfind("{*}sheets/{*}sheet"))
    require_parts(len(sheets), "sheets")
    for sheet in sheets:
        target = next(targets[value] for name, value in sheet.attrib.items() if name.endswith("}id"))
        found = _marks(archive, target)
        found.hidden = sheet.get("state", "visible") != "visible"
        marks[sheet.attrib["name"]] = found
    return marks


def _related(archive: ZipFile, part: str, *, by_id: bool = False) -> dict[str, list[str]]:
    """Parts that a part of the archive refers to, by kind or by the id that it gives them."""
    folder, name = posixpath.split(part)
    paths: dict[str, list[str]] = {}
    for relation in ElementTree.fromstring(archive.read(posixpath.join(folder, "_rels", f"{name}.rels"))):
        key = relation.attrib["Id"] if by_id else relation.attrib["Type"].rpartition("/")[2]
        target = posixpath.normpath(posixpath.join("/", folder, relation.attrib["Target"])).lstrip("/")
        paths.setdefault(key, []).append(target)
    return paths


def _marks(archive: ZipFile, part: str) -> Marks:
    marks, row = Marks(), -1
    with archive.open(part) as file:
        if not _is_telling(file):  # most sheets: a third of the time to read them is saved
            return marks
    with archive.open(part) as file:
        for element in _elements(file):
            match element.tag.rpartition("}")[2]:
                case "c":
                    _look_at_cell(element, marks)
                case "row":
                    row = int(element.get("r", row + 2)) - 1
                    if element.get("hidden") in _TRUE or _is_flat(element.get("ht")):
                        marks.hidden_rows.add(row)
                case "col":
                    if element.get("hidden") in _TRUE or _is_flat(element.get("width")):
                        first, last = int(element.attrib["min"]), int(element.attrib["max"])
                        marks.hidden_columns.update(range(max(first, 1) - 1, min(last, SHEET_COLUMNS)))
                case "mergeCell":
                    first, _, last = element.attrib["ref"].partition(":")
                    marks.merged.append((*_place(first), *_place(last or first)))
    return marks


def _is_telling(file: IO[bytes]) -> bool:
    """Whether the XML of a sheet may hold marks."""
    before = b""
    for content in chunks(file):
        if _TELLING.search(before + content):
            return True
        before = content[-_OVERLAP:]
    return False


def _elements(file: IO[bytes]) -> Iterator[ElementTree.Element]:
    """Each element as it ends, with what is in a cell still in it; all else is forgotten, so that no tree grows."""
    inside: list[ElementTree.Element] = []
    cells = 0
    for event, element in ElementTree.iterparse(file, ("start", "end")):
        if event == "start":
            inside.append(element)
            cells += _is_cell(element)
            continue
        inside.pop()
        cells -= _is_cell(element)
        yield element
        if not cells and inside:
            inside[-1].remove(element)


def _is_cell(element: ElementTree.Element) -> bool:
    return element.tag.rpartition("}")[2] == "c"


def _look_at_cell(cell: ElementTree.Element, marks: Marks) -> None:
    if cell.find("{*}f") is None or (place := cell.get("r")) is None:
        return
    value = cell.find("{*}v")
    if (value is None or not value.text) and cell.get("t") != "str":  # "str" without text: the formula gives ""
        marks.uncalculated.append(_place(place))


def _is_flat(size: str | None) -> bool:
    return size is not None and float(size) == 0


def _place(cell: str) -> tuple[int, int]:
    found = _PLACE.fullmatch(cell.replace("$", "").upper())
    if found is None:
        raise ValueError(f"{cell!r} names no cell")
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(found[2]) - 1, column - 1
