"""spec.json on disk: with a checksum and a second copy, because the frozen statistics cannot be derived again.

If both are lost, the spec is still in the footers of the batches. Here a spec is plain values; what they mean is in
`soc_assets.embedding.spec`.
"""

import json
import warnings
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from soc_assets.errors import EmbeddingError, SocWarning
from soc_assets.storage import digest, files, second_copy
from soc_assets.storage.second_copy import Repair

NAME = "spec.json"
Record = dict[str, Any]
"""digest, choices, statistics (mean and std by band) and created."""


def digest_of(choices: Mapping[str, Any], statistics: Mapping[str, Mapping[str, float]]) -> str:
    """The short digest that names the folder of a spec."""
    return digest.of_values([choices, statistics])[:10]


def write(folder: Path, record: Record) -> None:
    """Write spec.json and its second copy."""
    whole = {**record, "checksum": _checksum(record)}
    second_copy.write(folder / NAME, lambda path: files.write_json(path, whole))


def read_all(folder: Path) -> Iterator[Record]:
    """Every spec in the embeddings folder.

    Raises:
        EmbeddingError: embeddings are there whose spec is lost.
    """
    for place in _places(folder):
        chosen = second_copy.choose(place / NAME, is_whole)
        record = _read(chosen) if chosen else _of_batches(place)
        if record is not None:
            yield record
        elif any(place.glob("batch_*")):
            raise EmbeddingError(
                f"{place / NAME} and its copy are damaged, so that it is unknown how the embeddings beside them were "
                f"made, nor make more of the same. Put {NAME} back from a backup; or remove the folder {place}: "
                "`soc run` then freezes the statistics of today's rasters and embeds every batch again."
            )
        else:
            warnings.warn(f"{place / NAME} is damaged, and no embeddings are beside it: remove {place}.", SocWarning, 2)


def repairs(folder: Path) -> Iterator[Repair]:
    """What can be repaired of the specs in the embeddings folder."""
    for place in _places(folder):
        path = place / NAME
        if second_copy.choose(path, is_whole) is not None:
            yield from second_copy.repairs(path, is_whole)
        elif record := _of_batches(place):
            words = f"{path} and its copy are lost; the spec is read from the batches"
            yield Repair(words, lambda place=place, record=record: write(place, record))


def is_whole(path: Path) -> bool:
    """Whether a spec.json is what was written."""
    return _read(path) is not None


def _places(folder: Path) -> list[Path]:
    names = (NAME, second_copy.copy_of(Path(NAME)).name)
    found = {path.parent for name in names for path in folder.glob(f"[!.]*/{name}")}
    others = {place for place in folder.glob("[!.]*") if place.is_dir()} - found  # both may have been deleted
    return sorted(found | {place for place in others if _of_batches(place)})


def _read(path: Path) -> Record | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        named = digest_of(record["choices"], record["statistics"])
        agrees = record["digest"] == named == path.parent.name and isinstance(record["created"], str)
        whole = agrees and record.get("checksum", "") in ("", _checksum(record))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return record if whole else None


def _checksum(record: Record) -> str:
    return digest.of_values({key: value for key, value in record.items() if key != "checksum"})


def _of_batches(place: Path) -> Record | None:
    """The spec from the footer of a batch; when it was frozen is not recorded there: the batch is younger."""
    for path in place.glob("batch_*_size_*.parquet"):
        try:
            record = json.loads(files.read_metadata(path)["soc.spec_json"])
            named = digest_of(record["choices"], record["statistics"])
        except (ValueError, KeyError, TypeError):
            continue
        if named == place.name:
            created = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="microseconds")
            return {
                "digest": named,
                "choices": record["choices"],
                "statistics": record["statistics"],
                "created": created,
            }
    return None
