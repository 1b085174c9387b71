"""What an XLSX sheet says beside its values: what is hidden or merged, and formulas that nobody has calculated.

openpyxl tells these only where it holds a whole workbook in memory; here each sheet's XML is passed through once.
"""

import io
import posixpath
import re
from dataclasses import dataclass, field
from xml.etree import ElementTree
from zipfile import ZipFile

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
        KeyError, ParseError, ValueError: the archive is no workbook.
    """
    part = _related(archive, "")["officeDocument"][0]
    targets = {key: paths[0] for key, paths in _related(archive, part, by_id=True).items()}
    marks = {}
    for sheet in ElementTree.fromstring(archive.read(part)).iterfind("{*}sheets/{*}sheet"):
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
    marks, row, content = Marks(), -1, archive.read(part)
    if not _TELLING.search(content):  # most sheets: a third of the time to read them is saved
        return marks
    for _, element in ElementTree.iterparse(io.BytesIO(content)):
        match element.tag.rpartition("}")[2]:
            case "c":
                _look_at_cell(element, marks)
            case "row":
                row = int(element.get("r", row + 2)) - 1
                if element.get("hidden") in _TRUE or _is_flat(element.get("ht")):
                    marks.hidden_rows.add(row)
                element.clear()
            case "col":
                if element.get("hidden") in _TRUE or _is_flat(element.get("width")):
                    marks.hidden_columns.update(range(int(element.attrib["min"]) - 1, int(element.attrib["max"])))
            case "mergeCell":
                first, _, last = element.attrib["ref"].partition(":")
                marks.merged.append((*_place(first), *_place(last or first)))
    return marks


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
