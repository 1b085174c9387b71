"""Old output of the original script, in each form it takes, becomes samples and batches that every view shows."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from soc_assets.errors import FeaturesError
from soc_assets.features import load_features
from soc_assets.legacy import run_files
from soc_assets.legacy.run_files import read_old
from soc_assets.project import load_project
from soc_assets_tests.command_line import refused, soc
from soc_assets_tests.small_project import SmallProject

BANDS = ("LST", "LAI")
YEARS = (2011, 2012, 2013)


@pytest.fixture
def empty(tmp_path):
    """A project with nothing but its soc.toml."""
    made = SmallProject(tmp_path / "project")
    made.root.mkdir()
    made.config.write_text("[study]\nyear_from = 2011\n")
    return made


def old_rows(n, year, tokens, rng):
    """Rows as the original has them: lists of lists, a dict with None for rasters that are missing."""

    def image():
        values = rng.normal(size=(tokens, 768)).astype(np.float32)
        return values.tolist()

    rows = []
    for number in range(n):
        keys = [f"{band}_{y}" for band in BANDS for y in (year, year - 1)]
        images = {key: None if (number, key) == (1, f"LAI_{year - 1}") else image() for key in keys}
        place = {
            "longitude": 11 + number / 100 + year / 1e4,
            "latitude": 48 + number / 50,
            "organic_carbon": 10.0 + number,
        }
        rows.append({**place, "elevation_embedding": image(), "channel_time_embeddings": images})
    return rows


def write_run(folder, tokens=1, change=lambda frame: frame):
    """Two batches, of 2012 and 2013, five samples each; returns the rows."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    rows = {year: old_rows(5, year, tokens, rng) for year in YEARS[1:]}
    for number, year in enumerate(rows, start=1):
        change(pd.DataFrame(rows[year])).to_parquet(folder / f"batch_{number}_size_5.parquet")
    return rows


def imported(made, folder, *options):
    result = soc("import-run", folder, *options, at=made)
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def expected(rows, pool=lambda image: np.asarray(image, np.float32).reshape(-1, 768).mean(axis=0)):
    """Vectors by year and organic carbon: Elevation, then LAI and LST as the settings have them, most recent first."""
    found = {}
    for year, of_year in rows.items():
        for row in of_year:
            images = row["channel_time_embeddings"]
            keys = [f"{band}_{y}" for band in ("LAI", "LST") for y in (year, year - 1)]
            parts = [row["elevation_embedding"], *(images[key] for key in keys)]
            vector = [np.zeros(768) if part is None else pool(part) for part in parts]
            found[year, row["organic_carbon"]] = np.concatenate(vector)
    return found


def as_text(write):
    return lambda frame: frame.assign(
        channel_time_embeddings=[write(value) for value in frame["channel_time_embeddings"]],
        elevation_embedding=[write(value) for value in frame["elevation_embedding"]],
    )


@pytest.mark.parametrize(
    ("tokens", "change"),
    [(1, lambda frame: frame), (4, lambda frame: frame), (1, as_text(json.dumps)), (1, as_text(str))],
    ids=["struct of 1 x 768", "struct of tokens", "JSON", "as Python prints it"],
)
def test_features_are_the_old_numbers_in_our_order(empty, tmp_path, tokens, change):
    rows = write_run(tmp_path / "run_2025-01-31_12-00", tokens, change)
    words = imported(empty, tmp_path)  # the folder that holds the run
    assert "10 samples in 2 batches, 2 images missing." in words
    assert "weights unknown (imported from run_2025-01-31_12-00)" in words or "unknown (imported from" in words
    loaded = load_features(project=empty.config)
    wanted = expected(rows)
    assert loaded.matrix.shape == (10, 5 * 768)
    for vector, sample in zip(loaded.matrix, loaded.samples.itertuples(), strict=True):
        assert_allclose(vector, wanted[sample.year, sample.organic_carbon], atol=1e-6)


def test_flat_lists_and_tokens_that_are_kept(empty, tmp_path):
    flat = lambda frame: frame.assign(  # noqa: E731
        elevation_embedding=[image[0] for image in frame["elevation_embedding"]],
        channel_time_embeddings=[
            {key: image and image[0] for key, image in row.items()} for row in frame["channel_time_embeddings"]
        ],
    )
    rows = write_run(tmp_path / "flat", 1, flat)
    imported(empty, tmp_path / "flat")
    carbon = load_features(project=empty.config)
    assert_allclose(carbon.matrix[0], expected(rows)[2012, carbon.organic_carbon[0]], atol=1e-6)
    other = SmallProject(tmp_path / "other")
    other.root.mkdir()
    other.config.write_text("[study]\nyear_from = 2011\n")
    write_run(tmp_path / "tokens", 4)
    imported(other, tmp_path / "tokens", "--keep-tokens")
    found = other.query("SELECT max(token) t, count(*) n FROM embedding_long WHERE band = 'LAI' AND lag = 0")
    assert (found["t"].item(), found["n"].item()) == (3, 40)


def test_every_view_answers_and_repeated_and_unusable_rows_are_told(empty, tmp_path):
    def spoil(frame):
        bad = frame.iloc[:1].assign(longitude=np.nan)
        return pd.concat([frame, frame.iloc[:2], bad], ignore_index=True)

    write_run(tmp_path / "run", 1, spoil)
    words = imported(empty, tmp_path / "run")
    assert "4 rows repeated a sample; 2 were rejected" in words
    found = empty.query("SELECT reason, count(*) n FROM rejected GROUP BY 1")
    assert found.to_numpy().tolist() == [["coordinates missing or not in degrees", 2]]
    assert empty.query("SELECT count(*) n FROM samples")["n"].item() == 10
    splits = empty.query("SELECT split, count(*) n FROM features GROUP BY 1")
    assert splits["n"].sum() == 10 and set(splits["split"]) == {"train", "validation", "test"}
    [one] = empty.query("SELECT sample_id s FROM samples WHERE organic_carbon = 11 AND year = 2013")["s"]
    gaps = empty.query(f"SELECT band, step FROM embedding_long WHERE sample_id = '{one}' AND vector IS NULL")
    assert gaps.to_numpy().tolist() == [["LAI", "2012"]]
    assert len(empty.query(f"FROM similar('{one}', 4)")) == 4
    assert len(empty.query("FROM drift('LST', 0, 1)")) == 10
    assert set(empty.query("FROM batches")["batch"]) == {"batch_0001", "batch_0002"}
    manifest = json.loads(next(empty.root.glob("data/embeddings/*/manifest.json")).read_text())
    assert (manifest["samples"], manifest["missing_images"]) == (10, 2)


def test_map_columns_are_read_too(empty, tmp_path, finished):
    run = tmp_path / "run_ours"
    run.mkdir()
    for path in finished.batch_files().values():
        (run / path.name).write_bytes(path.read_bytes())
    imported(empty, run)
    ours = load_features(project=finished.project)
    theirs = load_features(project=load_project(empty.config))
    place = ["longitude", "latitude", "year"]
    order = ours.samples.assign(position=range(60)).merge(theirs.samples.assign(row=range(60)), on=place)
    assert len(order) == 60
    assert_array_equal(ours.matrix[order["position"]], theirs.matrix[order["row"]])


def test_what_cannot_be_imported_is_told(empty, finished, tmp_path):
    write_run(tmp_path / "runs/run_1")
    assert "is there already" in refused("import-run", tmp_path / "runs", at=finished)
    assert "is not a folder" in refused("import-run", tmp_path / "nowhere", at=empty)
    (tmp_path / "nothing").mkdir()
    assert "holds no batch_*_size_*.parquet" in refused("import-run", tmp_path / "nothing", at=empty)
    write_run(tmp_path / "runs/run_2")
    assert "2 runs (run_1, run_2)" in refused("import-run", tmp_path / "runs", at=empty)
    write_run(tmp_path / "odd", 1, lambda frame: frame.drop(columns="elevation_embedding"))
    assert "no column elevation_embedding" in refused("import-run", tmp_path / "odd", at=empty)
    damaged = next((tmp_path / "runs/run_1").iterdir())
    damaged.write_bytes(b"PAR1 and nothing more")
    assert str(damaged) in refused("import-run", tmp_path / "runs/run_1", at=empty)
    assert not (empty.root / "data/samples").exists()


def test_text_that_holds_something_else_is_told_with_the_file(tmp_path):
    place = {"longitude": [11.0], "latitude": [48.0], "organic_carbon": [10.0], "elevation_embedding": ["[1.0, 2.0]"]}
    for text in ("[" * 100_000, "3", "[1, 2]", '{"LAI_2012": 3}', '{"LAI_2012": {"a": 1}}', "open('x')"):
        path = tmp_path / "batch_1_size_1.parquet"
        pd.DataFrame({**place, "channel_time_embeddings": [text]}).to_parquet(path)
        with pytest.raises(FeaturesError, match=r"batch_1_size_1\.parquet cannot be read as a batch of the original"):
            list(read_old(path))


def test_file_that_unpacks_to_gigabytes_is_refused_before_it_does(tmp_path, monkeypatch):
    """Some kilobytes on disk: one image of two million equal numbers; a long text that 32 rows share."""
    monkeypatch.setattr(run_files, "_MOST_TEXT", 1_000_000)
    numbers = pa.array(np.zeros(2 * 1024 * 1024, np.float32))
    image = pa.ListArray.from_arrays(pa.array([0, len(numbers)], pa.int32()), numbers)
    images = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), image)
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 32, pa.int32()), pa.array(["[" + " " * 3_000_000 + "]"]))
    for elevation, words in ((images, "2,097,152 numbers in 1 rows"), (text, "3,000,002 bytes")):
        places = {key: pa.array([10.0] * len(elevation)) for key in ("longitude", "latitude", "organic_carbon")}
        nothing = pa.array([{}] * len(elevation), pa.map_(pa.string(), image.type))
        path = tmp_path / "batch_1_size_1.parquet"
        table = pa.table({**places, "elevation_embedding": elevation, "channel_time_embeddings": nothing})
        pq.write_table(table, path, compression="zstd", store_schema=False)
        assert path.stat().st_size < 50_000
        with pytest.raises(FeaturesError, match=words):
            next(read_old(path))
