"""A table of ours is what was written, to the last bit, or is called damaged."""

import io

import pandas as pd
import pyarrow.parquet as pq
import pytest

from soc_assets.errors import SocWarning, TableError
from soc_assets.storage import files, sealed, vouching
from soc_assets_tests import spoil

FRAME = pd.DataFrame({"sample_id": ["a", "sha256:b", None], "n": pd.array([1, None, 3], "Int32"), "x": [0.5, 1.5, 2.5]})


@pytest.fixture
def path(tmp_path):
    files.write_table(tmp_path / "t.parquet", FRAME, {"soc.inputs": "digest", "soc.seal": "of another file"})
    return tmp_path / "t.parquet"


def test_sealed_table_reads_as_it_was_written_and_other_readers_need_not_know(path):
    pd.testing.assert_frame_equal(files.read_table(path), pd.read_parquet(path))
    assert files.read_table(path)["n"].dtype == "Int32"
    assert files.read_table(path, ["x"]).columns.to_list() == ["x"]
    assert files.table_metadata(path)["soc.inputs"] == "digest"
    again = path.with_name("again.parquet")
    files.write_table(again, FRAME, files.table_metadata(path))
    assert again.read_bytes() == path.read_bytes(), "what is equal is the same file"


def test_every_flipped_bit_of_every_byte_is_noticed(path):
    content = path.read_bytes()
    assert sealed.holds(content)
    for at in range(len(content)):
        spoilt = bytearray(content)
        spoilt[at] ^= 1 << at % 8
        if sealed.holds(bytes(spoilt)):
            with pytest.raises(OSError):  # no Parquet file any more
                pq.read_table(io.BytesIO(bytes(spoilt)), page_checksum_verification=True)


@pytest.mark.parametrize("damage", spoil.DAMAGES.values(), ids=spoil.DAMAGES)
def test_damaged_table_is_an_error_that_names_file_and_cure(path, damage):
    damage(path)
    with pytest.raises(TableError, match=r"t\.parquet is damaged\. `soc run` makes it again\."):
        files.read_table(path)
    with pytest.warns(SocWarning, match=r"t\.parquet is damaged"):
        assert files.table_metadata(path) == {}
    with pytest.warns(SocWarning, match=r"t\.parquet is damaged"):
        assert files.known_table(path) is None
    with pytest.raises(TableError, match=r"t\.parquet is damaged"):
        files.require_whole(path)


def test_table_that_is_not_there_is_an_error_with_the_command_that_makes_it(tmp_path):
    for name, command in {
        "samples": "run",
        "evaluation": "run --to evaluation",
        "baselines": "run --to baselines",
    }.items():
        with pytest.raises(TableError, match=rf"{name}\.parquet does not exist\. `soc {command}` makes it again"):
            files.read_table(tmp_path / f"{name}.parquet")


def test_table_of_an_earlier_version_is_read_without_a_seal(tmp_path):
    FRAME.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(files.read_table(tmp_path / "t.parquet"), FRAME, check_dtype=False)
    spoil.cut(tmp_path / "t.parquet")
    with pytest.raises(TableError, match="is damaged"):
        files.read_table(tmp_path / "t.parquet")


def test_table_vouches_for_what_was_written_before_it(tmp_path):
    last, folder = tmp_path / "last.parquet", tmp_path / "figures"
    siblings = [tmp_path / "a.parquet", folder / "b.png", tmp_path / "c.json"]
    files.write_table(siblings[0], FRAME)
    files.write_text(siblings[1], "picture")
    files.write_table(last, FRAME, vouching.vouch(last, siblings))
    assert vouching.wrong(last) == ""
    assert set(vouching.vouched(last) or {}) == {"a.parquet", "figures/b.png"}, "the third was not there"
    older = siblings[0].read_bytes()
    files.write_table(siblings[0], FRAME.iloc[:2])
    assert "a.parquet is not the file that last.parquet was written with" in vouching.wrong(last)
    siblings[0].write_bytes(older)
    spoil.flip(siblings[0])
    assert vouching.wrong(last).endswith("a.parquet is damaged")
    siblings[0].write_bytes(older)
    siblings[1].unlink()
    assert vouching.wrong(last).endswith("b.png is missing")
    spoil.flip(last, 0.9)
    assert vouching.wrong(last).endswith("last.parquet is damaged")
