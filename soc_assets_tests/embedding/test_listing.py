"""Many batches in one folder: looked through once, not once for each of them."""

import os

import pandas as pd
import pytest

from benchmarks.growth_batches import CASES
from soc_assets.embedding.batch import Batch, state
from soc_assets.embedding.listing import Listing
from soc_assets.runtime.process import this_machine
from soc_assets.storage import files, temporary


def test_a_listing_knows_the_files_of_each_batch_and_those_set_aside(tmp_path):
    names = ("batch_0001_size_4.parquet", "batch_0001_size_5.parquet", "batch_0002_size_4.parquet.wrong")
    for name in (*names, "_schema.parquet", ".batch_0003_size_4.parquet.x.tmp", "batch_00010_size_1.parquet"):
        (tmp_path / name).touch()
    found = Listing(tmp_path)
    assert [path.name for path in found.files("batch_0001")] == list(names[:2])
    assert [path.name for path in found.aside("batch_0002")] == [names[2]]
    assert found.files("batch_0002") == found.files("batch_0003") == found.aside("batch_0001") == []
    assert Listing(tmp_path / "not there").files("batch_0001") == []


def test_a_batch_of_another_number_of_samples_is_stale_and_none_is_missing(tmp_path):
    (tmp_path / "batch_0001_size_5.parquet").touch()
    one, other = (Batch(f"batch_000{n}", pd.DataFrame({"sample_id": ["a"]}), {}, "i", "l") for n in (1, 2))
    assert (state(one, tmp_path), state(other, tmp_path)) == ("stale", "missing")
    (tmp_path / "batch_0002_size_5.parquet").touch()
    listing = Listing(tmp_path)
    assert (state(one, tmp_path, listing), state(other, tmp_path, listing)) == ("stale", "stale")


@pytest.mark.parametrize("case", CASES)
def test_a_folder_of_many_batches_is_looked_through_a_few_times_only(case, monkeypatch):
    prepare, _ = CASES[case]
    timed, looked, scandir = prepare(300), [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked.append(path) or scandir(path))
    now = [0.0]
    monkeypatch.setattr(temporary, "_clock", lambda: now.append(now[-1] + 0.001) or now[-1])  # a look takes 1 ms
    timed()
    assert len(looked) <= 35


def test_what_a_dead_process_left_goes_and_what_a_living_one_writes_stays(tmp_path):
    dead, alive = (f".b.txt.{this_machine()}-{pid}-0.tmp" for pid in (2**22 + 1, os.getpid()))
    for name in (dead, f"{dead}.wal", alive):
        (tmp_path / name).touch()
    files.write_text(tmp_path / "a.txt", "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a.txt", alive])
