"""A frozen spec survives the damage of its file; its loss is never taken for a spec that was not there."""

import json
import shutil
from dataclasses import asdict

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from soc_assets.embedding import spec_file
from soc_assets.embedding.spec import Spec, Statistics, all_specs
from soc_assets.errors import EmbeddingError, SocWarning
from soc_assets.storage import second_copy
from soc_assets_tests import spoil

SPEC = Spec({"model": "base", "version": 4}, {"LAI": Statistics(1.25, 0.1)}, "2024-05-01T00:00:00.000001+00:00")


@pytest.fixture
def path(tmp_path):
    SPEC.save(tmp_path)
    return tmp_path / SPEC.digest / "spec.json"


def mended(folder) -> list[str]:
    said = []
    for repair in spec_file.repairs(folder):
        repair.act()
        said.append(repair.words)
    return said


@pytest.mark.parametrize(
    "damage", [*spoil.DAMAGES.values(), lambda path: path.unlink()], ids=[*spoil.DAMAGES, "deleted"]
)
def test_damaged_spec_is_read_from_its_copy_and_put_back(path, damage):
    content = path.read_bytes()
    damage(path)
    assert all_specs(path.parents[1]) == [SPEC]
    [said] = mended(path.parents[1])
    assert f"{path} is " in said
    assert path.read_bytes() == content
    damage(second_copy.copy_of(path))
    assert all_specs(path.parents[1]) == [SPEC]
    assert len(mended(path.parents[1])) == 1
    assert second_copy.copy_of(path).read_bytes() == content
    assert mended(path.parents[1]) == []


def test_changed_number_or_folder_or_date_is_not_the_spec(path):
    told = json.loads(path.read_text())
    for changed in ({"created": "2025"}, {"statistics": {"LAI": {"mean": 1.26, "std": 0.1}}}, {"digest": "0"}):
        path.write_text(json.dumps({**told, **changed}))
        assert not spec_file.is_whole(path)
    del told["checksum"]
    path.write_text(json.dumps(told))
    assert spec_file.is_whole(path), "as earlier versions wrote it"
    other = path.parents[1] / "0123456789" / "spec.json"
    other.parent.mkdir()
    shutil.copy(path, other)
    assert not spec_file.is_whole(other)


def test_spec_of_an_earlier_version_gets_its_copy(path):
    second_copy.copy_of(path).unlink()
    assert mended(path.parents[1]) == [""]
    assert second_copy.copy_of(path).read_bytes() == path.read_bytes()


def test_spec_whose_files_are_both_lost_is_told_by_its_batches(path):
    told = {"choices": SPEC.choices, "statistics": {"LAI": asdict(SPEC.statistics["LAI"])}}
    table = pa.table({"sample_id": ["a"]}).replace_schema_metadata({"soc.spec_json": json.dumps(told)})
    pq.write_table(table, path.with_name("batch_0001_size_1.parquet"))
    path.unlink()
    second_copy.copy_of(path).unlink()
    [found] = all_specs(path.parents[1])
    assert (found.digest, found.choices, found.statistics) == (SPEC.digest, SPEC.choices, SPEC.statistics)
    assert [said.endswith("the spec is read from the batches") for said in mended(path.parents[1])] == [True]
    assert spec_file.is_whole(path)


def test_embeddings_whose_spec_is_lost_are_an_error_that_says_what_to_do(path):
    spoil.empty(path)
    spoil.zero(second_copy.copy_of(path))
    with pytest.warns(SocWarning, match=f"no embeddings are beside it: remove {path.parent}"):
        assert all_specs(path.parents[1]) == []
    (path.parent / "batch_0001_size_3.parquet").write_bytes(b"")
    with pytest.warns(SocWarning, match="is damaged"), pytest.raises(EmbeddingError, match="from a backup; or remove"):
        all_specs(path.parents[1])
    shutil.rmtree(path.parent)
    assert all_specs(path.parents[1]) == []
