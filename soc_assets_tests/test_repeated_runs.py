"""What a second run does: nothing where nothing changed, and after a change what depends on it and no more."""

from collections.abc import Iterator

import dagster as dg
import numpy as np
import pandas as pd
import pytest
import rasterio
import safetensors.torch
from click.testing import CliRunner
from numpy.testing import assert_allclose, assert_array_equal

from soc_assets.cli.main import main
from soc_assets.embedding.encoder.architecture import ARCHITECTURES
from soc_assets.embedding.encoder.encoder import Encoder
from soc_assets.embedding.encoder.weights import load_weights
from soc_assets_tests.small_project import (
    SmallProject,
    image,
    materialised,
    model_record,
    sheet,
    write_tiff,
)
from soc_assets_tests.small_world import coordinates_of_pixels, reference_grid

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")


@pytest.fixture(scope="module")
def changing(templates, tmp_path_factory) -> SmallProject:
    """A finished project; each test brings it up to date, changes something, and looks at what follows."""
    return templates.copy("finished", tmp_path_factory.mktemp("changing") / "project")


@pytest.fixture
def counted(monkeypatch) -> Iterator[dict[str, int]]:
    """Counts images given to the transformer and rasters opened."""
    counts = {"images": 0, "rasters": 0}
    opener = rasterio.open

    def count_images(encoder: Encoder, total: int) -> None:
        counts["images"] += max(0, total - encoder.__dict__.get("total", 0))
        encoder.__dict__["total"] = total

    def counting_open(*args, **kwargs):
        counts["rasters"] += 1
        return opener(*args, **kwargs)

    total = property(lambda encoder: encoder.__dict__["total"], count_images)
    monkeypatch.setattr(Encoder, "images_embedded", total, raising=False)
    monkeypatch.setattr(rasterio, "open", counting_open)
    yield counts


def contents(made: SmallProject) -> dict[str, tuple[int, bytes]]:
    return {batch: (path.stat().st_mtime_ns, path.read_bytes()) for batch, path in made.batch_files().items()}


def test_second_run_launches_nothing_reads_nothing_and_changes_no_file(finished, counted):
    before = finished.stamps()
    assert finished.run().launched == []
    assert counted == {"images": 0, "rasters": 0}
    assert finished.stamps() == before


def test_corrected_carbon_is_relabelled_and_retrained_but_not_embedded_again(changing, counted):
    changing.run()
    before, vectors = contents(changing), changing.embeddings().set_index("sample_id")
    version, counted["images"] = int(model_record(changing).model_version), 0
    table = pd.read_csv(changing.root / "data/soil/a.csv")
    table.loc[3, "OC"] += 20.5
    table.to_csv(changing.root / "data/soil/a.csv", index=False)
    assert changing.run().launched == ["prepare", "embed", "learn"]
    assert counted["images"] == 0
    after, now = contents(changing), changing.embeddings().set_index("sample_id")
    assert [batch for batch in before if before[batch] != after[batch]] == ["batch_0001"]
    assert materialised(changing, "batch_0001")["outcome"] == "relabelled"
    changed = now["organic_carbon"] - vectors["organic_carbon"]
    assert_allclose(sorted(changed)[-2:], [0, 20.5], atol=1e-9)
    for name in vectors.index:
        assert_array_equal(image(now.loc[name], "Elevation"), image(vectors.loc[name], "Elevation"))
    assert int(model_record(changing).model_version) == version + 1
    assert changing.query("SELECT max(organic_carbon) m FROM features")["m"].item() == now["organic_carbon"].max()


def test_changed_hyperparameters_train_again_and_embed_nothing(changing, counted):
    changing.run()
    before, version = contents(changing), int(model_record(changing).model_version)
    counted["images"] = counted["rasters"] = 0
    changing.set("epochs = 2", "epochs = 3")
    assert changing.run().launched == ["learn"]
    assert counted == {"images": 0, "rasters": 0}
    assert int(model_record(changing).model_version) == version + 1
    assert model_record(changing).params["training.epochs"] == "3"
    assert contents(changing) == before


def test_changed_raster_embeds_the_batches_that_read_it_and_no_other(changing, counted):
    changing.run("embeddings")
    before, old = contents(changing), changing.embeddings().set_index("sample_id")
    counted["images"] = counted["rasters"] = 0
    values, transform, crs = sheet("LAI", 2009)
    write_tiff(changing.raster("LAI", 2009), values + 4, transform, crs)
    assert changing.run("embeddings").launched == ["prepare", "embed"]
    after, new = contents(changing), changing.embeddings().set_index("sample_id")
    assert [batch for batch in before if before[batch] != after[batch]] == ["batch_0001", "batch_0002"]
    assert 2 * 16 * 25 <= counted["images"] <= 2 * 16 * 26  # of two batches; SoilEvaporation of 2010 is missing
    differing = {
        key
        for name in old.index
        for key, value in dict(old.loc[name, "channel_time_embeddings"]).items()
        if value is not None and not np.array_equal(image(new.loc[name], key), np.vstack(value))
    }
    assert differing == {"LAI_2009"}


def test_rewritten_raster_with_the_same_content_embeds_nothing(changing, counted):
    changing.run("embeddings")
    before, counted["images"] = contents(changing), 0
    path = changing.raster("LAI", 2012)
    path.write_bytes(path.read_bytes())
    assert changing.run("embeddings").launched == []
    assert counted["images"] == 0
    assert contents(changing) == before


def test_added_soil_file_makes_new_batches_and_leaves_the_others(changing, counted):
    changing.run("embeddings")
    before, splits, counted["images"] = contents(changing), changing.table("balanced"), 0
    longitude, latitude = coordinates_of_pixels([60 - 9] * 3, [20, 21, 22], reference_grid())
    added = pd.DataFrame({"GPS_LONG": longitude, "GPS_LAT": latitude, "OC": 12.0, "survey_date": "2015-06-01"})
    added.to_csv(changing.root / "data/soil/c.csv", index=False)
    assert changing.run("embeddings").launched == ["prepare", "embed"]
    after = contents(changing)
    assert {batch: after[batch] for batch in before} == before
    assert set(after) - set(before) == {"batch_0005"}
    assert counted["images"] == 3 * 26
    assert changing.batch_files()["batch_0005"].name == "batch_0005_size_3.parquet"
    kept = splits.merge(changing.table("balanced"), on="sample_id", suffixes=("", "_now"))
    assert len(kept) == len(splits)
    assert kept["split"].equals(kept["split_now"])
    with dg.DagsterInstance.get() as instance:
        assert "batch_0005" in instance.get_dynamic_partitions("batch")


def test_other_pooling_is_another_spec_beside_the_old_one(changing):
    changing.run("embeddings")
    before = contents(changing)
    [old] = {path.parent for path in changing.batch_files().values()}
    settings = changing.config.read_text()
    changing.set("image_size = 16", 'image_size = 16\npooling = "center"')
    assert changing.run("embeddings").launched == ["embed"]
    [new] = set((changing.root / "data/embeddings").iterdir()) - {old}
    assert len(list(new.glob("batch_*_size_*.parquet"))) == len(before)
    changing.config.write_text(settings)
    assert changing.run("embeddings").launched == []
    for path in new.iterdir():
        path.unlink()
    new.rmdir()
    assert contents(changing) == before


def test_changed_checkpoint_is_another_spec_beside_the_old_one(changing, tmp_path):
    changing.run("embeddings")
    before = contents(changing)
    [old] = {path.parent for path in changing.batch_files().values()}
    weights = load_weights(ARCHITECTURES["vit_base_patch8"], None, 7, 16, "patch_embed").encoder.state_dict()
    checkpoint = tmp_path / "own.safetensors"
    safetensors.torch.save_file({name: value.contiguous() for name, value in weights.items()}, checkpoint)
    settings = changing.config.read_text()
    changing.set("image_size = 16", f'image_size = 16\ncheckpoint = "{checkpoint}"')
    assert changing.run("embeddings").launched == ["embed"]
    [new] = set((changing.root / "data/embeddings").iterdir()) - {old}
    assert materialised(changing, "batch_0001")["weights"].startswith("pretrained (sha256 ")
    assert {path.parent: path.read_bytes() for path in old.glob("batch_0001_*")} == {old: before["batch_0001"][1]}
    listed = CliRunner().invoke(main, ["clean", "--config", str(changing.config)]).stdout
    assert (old.name in listed, new.name in listed, "current" in listed) == (True, True, True)
    changing.config.write_text(settings)
    removed = CliRunner().invoke(main, ["clean", "--keep-current", "--yes", "--config", str(changing.config)])
    assert "Removed 1 specs" in removed.stdout
    assert (old.is_dir(), new.exists()) == (True, False)
    assert contents(changing) == before
