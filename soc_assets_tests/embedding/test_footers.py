"""What footers say, kept by the stamps of their files: never that of another content."""

import os
import warnings

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from soc_assets.embedding import footers
from soc_assets.embedding.footers import Footer, Footers, read_footers, stamps
from soc_assets.errors import SocWarning

FACTS = {"soc.inputs": "i", "soc.labels": "l", "soc.device": "cpu", "soc.weights_sha256": "w", "soc.version": "0"}
FACTS |= {"soc.missing_images": "0", "soc.seconds": "0.1"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(footers, "SETTLED_NS", 0)  # what is written here counts as settled
    for number in (1, 2):
        write(tmp_path / "spec" / f"batch_000{number}_size_1.parquet", "i")
    return tmp_path / "spec"


def write(path, inputs):
    path.parent.mkdir(exist_ok=True)
    table = pa.table({"sample_id": ["a"]}).replace_schema_metadata({**FACTS, "soc.inputs": inputs})
    pq.write_table(table, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


def inputs_of(folder, kept):
    return [footer.facts(1).get("soc.inputs") for _, footer in sorted(read_footers(folder, kept).items())]


def test_a_footer_is_read_once_and_again_when_its_file_changes(folder, tmp_path):
    read: list[str] = []
    kept = tmp_path / "known.parquet"

    def reader(name):
        read.append(name)
        return Footer(1, FACTS)

    listing: dict[str, str | None] = {"a": "1", "b": "2", "c": None}
    for expected in (["a", "b", "c"], ["c"]):
        assert Footers(kept, reader).of(listing).keys() == listing.keys()
        assert read == expected
        read.clear()
    assert set(Footers(kept, reader).of({"a": "1", "b": "another ETag"})) == {"a", "b"}
    assert read == ["b"]


@pytest.mark.parametrize("how", ["rewritten", "in place with its time put back", "removed", "damaged"])
def test_a_file_that_changed_is_seen_whatever_is_kept(folder, tmp_path, how):
    kept, path = tmp_path / "known.parquet", folder / "batch_0002_size_1.parquet"
    assert inputs_of(folder, kept) == inputs_of(folder, kept) == ["i", "i"]
    before = path.stat()
    if how == "rewritten":
        write(path, "j")
    elif how == "in place with its time put back":
        path.write_bytes(path.read_bytes().replace(b"soc.inputs\x18\x01i", b"soc.inputs\x18\x01j"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_size == before.st_size
    elif how == "removed":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:100])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", SocWarning)
        found = [inputs_of(folder, kept) for _ in range(2)]
    expected = {"removed": ["i"], "damaged": ["i", None]}.get(how, ["i", "j"])
    assert found == [expected, expected]
    assert len([each for each in told if "is damaged" in str(each.message)]) == 2 * (how == "damaged")


def test_what_is_kept_may_be_deleted_damaged_or_of_another_version(folder, tmp_path):
    kept = tmp_path / "known.parquet"
    assert inputs_of(folder, kept) == ["i", "i"]
    content = kept.read_bytes()
    spoilt = (content[:-20], content.replace(b"batch", b"hatch", 1), b"", b"not Parquet")
    for each in spoilt:
        kept.write_bytes(each)
        assert inputs_of(folder, kept) == ["i", "i"]
        assert kept.read_bytes() == content
    pq.write_table(pa.table({"name": ["batch_0001_size_1.parquet"]}), kept)
    assert inputs_of(folder, kept) == ["i", "i"]
    kept.unlink()
    assert inputs_of(folder, kept) == inputs_of(folder, None) == ["i", "i"]


def test_a_file_that_was_written_just_now_has_no_stamp(tmp_path):
    write(tmp_path / "spec/batch_0001_size_1.parquet", "i")
    (tmp_path / "spec/batch_0002_size_1.parquet.wrong").touch()
    assert stamps(tmp_path / "spec") == {"batch_0001_size_1.parquet": None}
    assert stamps(tmp_path / "not there") == {}


def test_a_project_that_cannot_be_written_is_read_without_it(folder, tmp_path):
    (tmp_path / "file").touch()
    assert inputs_of(folder, tmp_path / "file" / "known.parquet") == ["i", "i"]
