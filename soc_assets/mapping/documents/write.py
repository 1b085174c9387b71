"""What stands beside a map, or a change, for people and catalogs: its card and its STAC item."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from soc_assets.mapping.documents import card, stac_item
from soc_assets.mapping.documents.change_card import change_card
from soc_assets.mapping.documents.evidence import Evidence
from soc_assets.mapping.layer_files import MapFile, alone, read_folder
from soc_assets.storage import files


def renew_documents(found: MapFile, evidence: Evidence) -> None:
    """Bring the documents of a map, or a change, that is there up to date: more may be known of its model by now.

    Args:
        found: as it was read; if another process has replaced it since, the new one gets the documents.
        evidence: what is known of its model.

    Raises:
        StorageError: the disk is full or read-only.
    """
    with suppress(OSError):  # another process is replacing it
        if not _differing(found.folder, found.facts, evidence):
            return  # which a read-only disk allows, too
    with alone(found.folder):
        there = read_folder(found.folder, "change.json" if "change" in found.facts else "map.json")
        if there is not None:
            write_documents(there.folder, there.facts, evidence)


def write_documents(folder: Path, facts: Mapping[str, Any], evidence: Evidence) -> None:
    """Write card and item where they differ from what is there: scores may have become known since the map was made.

    Args:
        folder: with the files of the map; nobody else writes to it.
        facts: map.json, or change.json.
        evidence: what is known of its model.

    Raises:
        StorageError: the disk is full or read-only.
    """
    for path, text in _differing(folder, facts, evidence).items():
        files.write_text(path, text)


def _differing(folder: Path, facts: Mapping[str, Any], evidence: Evidence) -> dict[Path, str]:
    """The documents that are missing or say something else, as they should be."""
    told = change_card(facts, evidence) if "change" in facts else card.map_card(facts, evidence)
    made = {folder / card.NAME: told, folder / stac_item.NAME: stac_item.make_item(folder, facts, evidence)}
    return {path: text for path, text in made.items() if not path.is_file() or path.read_text(encoding="utf-8") != text}
