"""Copies with a column per band and lag: every view answers with them as without, and never from an outdated one."""

import shutil
from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal

from soc_assets.features import by_band
from soc_assets.settings import Features
from soc_assets_tests.features.sql.test_database import Built

QUERIES = {
    "features": "SELECT * FROM features ORDER BY sample_id",
    "features_long": "SELECT * FROM features_long ORDER BY sample_id, first",
    "embedding_long": "SELECT * FROM embedding_long ORDER BY sample_id, band, lag, token",
    "one band and lag": "SELECT sample_id, vector FROM embedding_long WHERE band = 'LAI' AND lag = 1 ORDER BY ALL",
    "vec": "SELECT vec('s001', 'LAI', 0) AS v, vec('s000', 'Elevation', 0) AS w",
    "feature": "SELECT * FROM feature(1000) ORDER BY sample_id",
    "missing": "SELECT missing_images, count(*) AS n FROM features GROUP BY ALL",
}


def world_of(folder, **choices):
    """A world whose spec has other choices, with its batch."""
    world = Built(folder)
    world.spec = replace(world.spec, choices={**world.spec.choices, **choices})
    world.home = folder / "embeddings" / world.spec.digest
    world.write()
    return world


def copies(world):
    return sorted((world.folder / "by_band" / world.spec.digest).glob("*.parquet"))


def answers(world):
    with duckdb.connect(world.database, read_only=True) as connection:
        return {name: connection.sql(sql).to_arrow_table().to_pandas() for name, sql in QUERIES.items()}


def assert_same(found, expected):
    for name, frame in expected.items():
        pd.testing.assert_frame_equal(found[name], frame, obj=name)


@pytest.mark.parametrize(
    ("choices", "features"),
    [
        ({}, {"missing": "nearest_lag", "include": ["embedding", "point"]}),
        ({"pooling": "none"}, {}),
        *(
            pytest.param(*pair, marks=pytest.mark.slow)
            for pair in (
                ({}, {}),
                ({}, {"missing": "null"}),
                ({}, {"include": ["point"]}),
                ({}, {"alignment": "absolute"}),
                ({"storage": "float16"}, {"missing": "nearest_lag"}),
                ({"pooling": "mean_center"}, {"include": ["embedding", "point"], "missing": "null"}),
            )
        ),
    ],
)
def test_answers_are_the_same_with_copies_and_without(tmp_path, choices, features):
    world = world_of(tmp_path, **choices)
    world.build(**features, by_band_gb=0)
    assert copies(world) == []
    without = answers(world)
    assert without["features"]["features"].map(len).gt(0).all()
    world.build(**features)
    assert len(copies(world)) == (features.get("alignment") != "absolute")
    assert_same(answers(world), without)
    shutil.rmtree(tmp_path / "by_band", ignore_errors=True)  # the same database finds them gone
    assert_same(answers(world), without)


def test_copies_are_what_the_views_read(tmp_path):
    """With another number in a copy the answer changes: else the tests above would compare the batch with itself."""
    world = world_of(tmp_path)
    world.build()
    [copy] = copies(world)
    table = pq.read_table(copy)
    position = table.schema.get_field_index("LAI lag 0")
    ones = pa.array([[1.0] * 768] * table.num_rows, table.schema.field(position).type)
    pq.write_table(table.set_column(position, "LAI lag 0", ones), copy)
    found = answers(world)
    assert found["feature"]["value"].tolist() == [1.0] * 3
    assert np.vstack(found["features"]["features"])[:, 768:1536].min() == 1
    assert np.stack(found["vec"]["v"]).tolist() == [[1.0] * 768]


def test_a_batch_that_changed_since_is_read_from_its_own_file(tmp_path):
    world = world_of(tmp_path)
    world.build()
    before = world.vectors()
    world.samples = world.samples.assign(longitude=world.samples["longitude"] + 0.01)
    world.write_anew()
    changed = answers(world)  # of the database as it was built
    assert not (np.vstack(changed["features"]["features"]) == before).all(axis=None)
    [outdated] = copies(world)
    world.build()
    [copy] = copies(world)
    assert copy != outdated
    assert_same(answers(world), changed)


def test_a_corrected_value_shows_at_once_and_in_the_next_copy(tmp_path):
    world = world_of(tmp_path)
    world.build()
    world.samples = world.samples.assign(organic_carbon=[7.0, 8.0, 9.0])
    assert world.write()[0].outcome == "relabelled"
    for _ in range(2):
        assert world.query("SELECT organic_carbon FROM features ORDER BY sample_id")["organic_carbon"].tolist() == [
            *(7.0, 8.0, 9.0),
        ]
        world.build()


def test_other_batches_stay_as_they_are_and_of_two_files_of_a_batch_neither_counts(tmp_path):
    world = world_of(tmp_path)
    world.build()
    [copy] = copies(world)
    written = copy.stat().st_mtime_ns
    world.build(missing="null")
    assert copies(world) == [copy]
    assert copy.stat().st_mtime_ns == written
    [path] = world.home.glob("batch_*")
    shutil.copy(path, path.with_name("batch_0001_size_9.parquet"))
    expected = world.query("SELECT count(*) n FROM embeddings")["n"].item()
    assert expected == 6
    for view, rows in (("features", 1), ("embedding_long", 4), ("features_long", 4)):
        assert world.query(f"SELECT count(*) n FROM {view}")["n"].item() == expected * rows


def test_copies_of_other_specs_go_and_a_damaged_one_is_made_again(tmp_path):
    world = world_of(tmp_path)
    other = tmp_path / "by_band" / "another" / "batch_0001_0123456789abcdef.parquet"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"")
    world.build()
    assert not other.parent.exists()
    [copy] = copies(world)
    expected = answers(world)
    copy.write_bytes(copy.read_bytes()[:-100])
    with pytest.warns(UserWarning, match="damaged"):
        world.build()
    assert_same(answers(world), expected)
    assert pq.read_metadata(copy).num_rows == 3


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_copy_is_dropped_and_its_batch_read(tmp_path, damage):
    world = world_of(tmp_path)
    world.build()
    expected = answers(world)
    [copy] = copies(world)
    content = bytearray(copy.read_bytes())
    if damage == "cut":
        copy.write_bytes(content[:-5])
        by_band.drop_cut(copy.parent)
    else:
        metadata = pq.read_metadata(copy).row_group(0)
        chunk = metadata.column(metadata.num_columns - 3)  # of LAI lag 0
        content[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 1
        copy.write_bytes(content)
        by_band.drop_cut(copy.parent)
        assert copies(world) == [copy]
        assert list(by_band.drop_damaged(copy.parent)) == [copy]
    assert copies(world) == []
    assert_same(answers(world), expected)
    world.build()
    assert list(by_band.drop_damaged(copy.parent)) == []
    assert len(copies(world)) == 1


def test_a_full_disk_leaves_the_views_as_they_are(tmp_path, monkeypatch):
    world = world_of(tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(by_band.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.warns(UserWarning, match=r"0\.0 GB are free.*by_band_gb = 0"):
        world.build()
    assert copies(world) == []
    assert len(world.query("FROM features")) == 3


def test_a_copy_has_the_numbers_of_the_batch_bit_by_bit_and_says_what_it_was_made_from(tmp_path):
    world = world_of(tmp_path)
    world.build()
    [copy], [batch] = copies(world), world.home.glob("batch_*")
    table, frame = pq.read_table(copy), pd.read_parquet(batch)
    assert table.schema.names[-4:] == ["Elevation static", "LAI lag 0", "LAI lag 1", "LAI lag 2"]
    assert set(table["made_from"].to_pylist()) == {by_band.made_from(batch)} == {copy.stem[-16:]}
    for row, copied in zip(frame.to_dict("records"), table.to_pylist(), strict=True):
        images = dict(row["channel_time_embeddings"])
        assert copied["keys"] == ["Elevation", *images]
        for key, name in zip(images, table.schema.names[-3:], strict=True):
            if images[key] is None:
                assert copied[name] is None
            else:
                assert_array_equal(np.float32(copied[name]), images[key][0])
        assert copied["missing_images"] == sum(image is None for image in images.values())


def test_one_band_and_lag_reads_its_columns_alone(tmp_path):
    world = world_of(tmp_path)
    world.build()
    query = "SELECT sum(vector[1]) FROM embedding_long WHERE band = 'LAI' AND lag = 0"
    with duckdb.connect(world.database, read_only=True) as connection:
        [[_, plan]] = connection.execute(f"EXPLAIN {query}").fetchall()
    assert "LAI lag 0" in plan
    assert "LAI lag 1" not in plan


def test_the_limit_is_in_no_digest():
    assert Features(by_band_gb=0).model_dump() == Features().model_dump()
    assert Features(by_band_gb=0) != Features()
