"""The views: the flattened vector equals the one made from the files in pandas, in the documented order."""

from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from soc_assets.embedding.parquet import write_empty
from soc_assets.features.sql.database import build_database, read_info, summary
from soc_assets.features.sql.views import Contents
from soc_assets.integrity.schemas import TABLES
from soc_assets.settings import Features, Study
from soc_assets_tests.embedding.world import World

STUDY = Study(year_from=2020, year_to=2021, time_before=3)


class Built(World):
    """A small world with a database over its batch; LAI_2019 is missing."""

    def __init__(self, folder):
        super().__init__(folder)
        (folder / "rasters/yearly/LAI/LAI_2019.tif").unlink()
        self.refresh()
        self.samples = self.samples.iloc[:3]
        split = pd.DataFrame({"sample_id": ["s000", "s001", "s002"], "location_id": ["l000", "l001", "l002"]})
        split = split.assign(split=["train", "validation", "test"], bin=pd.array([0, None, None], "Int32"))
        split = split.assign(multiplicity=np.int32(1), weight=np.float32(1))
        tables = {
            "soil_samples": self.samples[["sample_id", "longitude", "latitude", "organic_carbon", "year"]],
            "balanced": split,
            "folds": pd.DataFrame({"scheme": ["location"], "sample_id": ["s000"], "fold": [0]}),
            "ledger": self.samples[["sample_id", "batch"]],
        }
        (folder / "samples").mkdir()
        for name, frame in tables.items():
            frame.to_parquet(folder / TABLES[name].path)
        self.database = folder / "soc.duckdb"

    def build(self, **features):
        contents = Contents(self.folder, self.spec, Features(**features), STUDY)
        build_database(self.database, contents, {"inputs": "digest"})

    def query(self, sql):
        with duckdb.connect(self.database, read_only=True) as connection:
            return connection.sql(sql).to_arrow_table().to_pandas()

    def vectors(self):
        return np.vstack(self.query("SELECT features FROM features ORDER BY sample_id")["features"].to_list())


@pytest.fixture
def built(tmp_path):
    world = Built(tmp_path)
    world.write()
    return world


def test_vector_equals_the_flattening_in_plain_pandas(built):
    built.build()
    frame = pd.concat([pd.read_parquet(path) for path in sorted(built.home.glob("batch_*_size_*.parquet"))])

    def flatten(row):
        images = [row["elevation_embedding"], *dict(row["channel_time_embeddings"]).values()]
        return np.concatenate([np.zeros(768) if image is None else np.vstack(image).ravel() for image in images])

    expected = np.vstack([flatten(row) for _, row in frame.sort_values("sample_id").iterrows()])
    assert expected.shape == (3, 4 * 768)
    assert_array_equal(built.vectors(), expected.astype(np.float32))


def test_missing_images_are_counted_and_filled_as_set(built):
    built.build()
    assert built.query("SELECT missing_images FROM features")["missing_images"].tolist() == [1, 1, 1]
    lag1 = slice(2 * 768, 3 * 768)  # of 2020: LAI_2019
    assert not built.vectors()[0, lag1].any()
    built.build(missing="nearest_lag")
    nearest = built.vectors()
    assert_array_equal(nearest[0, lag1], nearest[0, 768 : 2 * 768])  # of two equally near, the more recent
    assert nearest[0, lag1].any()
    built.build(missing="null")
    assert np.isnan(built.vectors()[0, lag1].astype(float)).all()
    assert built.query("SELECT DISTINCT len(features) n FROM features")["n"].tolist() == [4 * 768]


def test_absolute_alignment_gives_each_calendar_year_its_place(built):
    built.build(alignment="absolute")
    index = built.query("SELECT DISTINCT band, year, min(position) p FROM feature_index GROUP BY ALL ORDER BY p")
    assert index["year"].fillna(0).astype(int).tolist() == [0, 2021, 2020, 2019, 2018]
    vectors = built.vectors()
    assert not vectors[0, 768 : 2 * 768].any()  # the sample of 2020 reads no 2021
    assert vectors[1, 768 : 2 * 768].any()


def test_feature_index_names_every_position_once(built):
    built.build()
    index = built.query("SELECT * FROM feature_index ORDER BY position")
    assert index["position"].tolist() == list(range(4 * 768))
    row = index.iloc[2 * 768 + 5]
    assert (row["band"], row["lag"], row["dimension"]) == ("LAI", 1, 5)
    assert summary(built.database) == {
        "samples": 3, "features": 4 * 768, "missing_images": 3, "incomplete_samples": 3,
    }  # fmt: skip


def test_views_open_from_any_folder_and_before_the_first_batch(tmp_path, monkeypatch):
    world = Built(tmp_path)
    write_empty(world.home, world.spec)
    world.build()
    monkeypatch.chdir("/")
    assert world.query("SELECT count(*) n FROM features")["n"].item() == 0
    assert world.query("SELECT count(*) n FROM samples")["n"].item() == 3
    assert read_info(world.database)["inputs"] == "digest"


def test_reader_keeps_its_database_while_a_new_one_is_built(built):
    built.build()
    with duckdb.connect(built.database, read_only=True) as connection:
        built.build(missing="null")
        assert connection.execute("SELECT count(*) FROM features").fetchone() == (3,)
    assert read_info(built.database)["missing"] == "null"


def test_wider_pooling_is_indexed_by_its_own_width(tmp_path):
    world = Built(tmp_path)
    world.spec = replace(world.spec, choices={**world.spec.choices, "pooling": "mean_center"})
    world.home = tmp_path / "embeddings" / world.spec.digest
    world.write()
    world.build()
    assert_allclose(len(world.vectors()[0]), 4 * 1536)
    assert summary(world.database)["features"] == 4 * 1536


def test_point_values_follow_the_embeddings_where_included(built):
    built.build(include=["embedding", "point"])
    frame = pd.read_parquet(next(built.home.glob("batch_*"))).set_index("sample_id")
    vectors = built.vectors()
    assert vectors.shape == (3, 4 * 768 + 4 * 4)
    points = dict(frame.loc["s000", "point_values"])
    assert_allclose(vectors[0, 4 * 768 : 4 * 768 + 8], [*points["Elevation"], *points["LAI_2020"]])
    assert not vectors[0, 4 * 768 + 8 : 4 * 768 + 12].any()  # LAI_2019 is missing
    index = built.query("SELECT * FROM feature_index WHERE what = 'point' ORDER BY position")
    assert index["position"].tolist() == list(range(4 * 768, 4 * 768 + 16))
    assert index.iloc[5][["band", "lag", "dimension"]].tolist() == ["LAI", 0, 1]
    built.build(include=["point"])
    assert_array_equal(built.vectors(), vectors[:, 4 * 768 :])
    built.build(include=["point"], missing="nearest_lag")
    assert_array_equal(built.vectors()[0, 8:12], built.vectors()[0, 4:8])


def test_float16_files_give_the_same_view_within_their_error(built, tmp_path):
    built.build()
    exact = built.vectors()
    world = Built(tmp_path / "halves")
    world.spec = replace(world.spec, choices={**world.spec.choices, "storage": "float16"})
    world.home = tmp_path / "halves/embeddings" / world.spec.digest
    world.write()
    world.build()
    assert_allclose(world.vectors().astype(float), exact, rtol=6e-4, atol=1e-6)
