"""Answers that take seconds to find, kept with the stamps of the files that decide them, in a local file.

An answer is given again only while each of those files has the stamp that it had. The local file is an aid: deleted,
damaged or of another version it is ignored and made anew.
"""

import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from soc_assets import __version__
from soc_assets.errors import StorageError
from soc_assets.storage import digest, files
from soc_assets.storage.access import at, is_stored

SETTLED_NS = 2 * 10**9  # a file changed less long ago may be changed again without another time of change


class Remembered:
    """Answers of one project; one for each name.

    Args:
        path: the local file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._started = time.time_ns()

    def ask(self, name: str, question: list[Any]) -> Any:
        """The answer to a question of plain values; None where it is not known, or a file that decides has changed."""
        found = self._load().get(name)
        if found is None or found["question"] != _digest(question):
            return None
        now = stamps_of(map(at, found["roots"]))
        return found["answer"] if now is not None and now == found["stamps"] else None

    def note(self, name: str, question: list[Any], answer: Any, roots: Iterable[Path]) -> None:
        """Keep an answer that was found after this object was made, unless a file that decides changed just then.

        Args:
            name: of the kind of question; the answer takes the place of the former one.
            question: plain values.
            answer: plain values.
            roots: files, there or not, and folders, that decide the answer.
        """
        paths = list(roots)
        stamps = stamps_of(paths, self._started - SETTLED_NS)
        if stamps is None:
            return
        row = {
            "question": _digest(question),
            "answer": answer,
            "roots": [str(path) for path in paths],
            "stamps": stamps,
        }
        answers = {**self._load(), name: row}
        with suppress(StorageError, OSError):  # a read-only project is read without it
            files.write_json(self._path, {"answers": answers, "checksum": digest.of_values(answers)})

    def _load(self) -> dict[str, Any]:
        with suppress(OSError, ValueError, KeyError, TypeError):
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            if digest.of_values(stored["answers"]) == stored["checksum"]:
                return dict(stored["answers"])
        return {}


def stamps_of(roots: Iterable[Path], settled_ns: int | None = None) -> dict[str, str] | None:
    """The stamps of files and of all files in folders, by path; one that is missing or empty has none.

    Args:
        roots: files and folders.
        settled_ns: None is returned where one was changed after this time, in ns.
    """
    found = {}
    for root in roots:
        local = [] if is_stored(root) else os.walk(root)
        within = [Path(folder, name) for folder, _, names in local for name in names]
        for path in within or [root]:
            with suppress(FileNotFoundError, NotADirectoryError):
                size, changed, noted, node = files.stamp(path)
                if settled_ns is not None and max(changed, noted) > settled_ns:
                    return None
                if size:
                    found[str(path)] = f"{size} {changed} {noted} {node}"
    return found


def _digest(question: list[Any]) -> str:
    return digest.of_values([__version__, *question])
