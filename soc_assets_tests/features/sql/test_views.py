"""Views stand whatever is there, say what they are, and follow the files without being rebuilt."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from soc_assets.features.sql.database import build_database, open_database
from soc_assets.features.sql.listing import list_database
from soc_assets.features.sql.views import Contents
from soc_assets.integrity.schemas import TABLES
from soc_assets.settings import Features
from soc_assets.storage import files
from soc_assets_tests.features.sql.test_database import STUDY, Built

VIEWS = {
    *("samples", "rejected", "excluded", "rasters", "gaps", "folds", "batches", "embeddings", "embedding_long"),
    *("features", "features_long", "predictions", "evaluation", "out_of_fold", "runs"),
    *("learning_curve", "source_offsets", "highest_values", "network_choices"),
    *("maps", "map_at_samples", "map_zones", "map_changes"),
}
TABLES_MADE = {"feature_index", "feature_groups", "slots", "neighbour_index", "pca_scores", "pca_variance"}
MACROS = {
    *("vec", "similar", "similar_to", "band_distance", "drift", "within_km", "pca", "feature_group", "feature"),
}


@pytest.fixture
def built(tmp_path):
    world = Built(tmp_path)
    world.write()
    world.build()
    return world


def test_every_view_table_column_and_macro_is_explained(finished):
    with open_database(finished.project.database) as connection:
        items = list_database(connection)
    names = {kind: {item.name for item in items if item.kind == kind} for kind in ("view", "table", "macro")}
    assert names["view"] == VIEWS
    assert names["table"] == TABLES_MADE | {"batch_inputs", "build_info"}
    assert names["macro"] == MACROS
    assert [item.name for item in items if not item.comment] == []
    components = {f"pc{number}" for number in range(1, 33)}
    unexplained = [
        f"{item.name}.{column}"
        for item in items
        for column, _, comment in item.columns
        if not comment and column not in components
    ]
    assert unexplained == []
    assert [item for item in items if item.kind != "macro" and not item.columns] == []


def test_views_are_typed_and_empty_where_nothing_was_made_yet(tmp_path):
    world = Built(tmp_path)
    data = tmp_path / "a [new] * place"
    build_database(data / "soc.duckdb", Contents(data, world.spec, Features(), STUDY), {})
    with open_database(data / "soc.duckdb") as connection:
        for view in VIEWS:
            assert connection.execute(f"SELECT count(*) FROM {view}").fetchall() == [(0,)], view
        for macro in (
            "similar('a', 3)",
            "similar_to(10, 48, 3)",
            "drift('LAI', 0, 1)",
            "within_km(10, 48, 5)",
            "pca(2)",
        ):
            assert connection.execute(f"FROM {macro}").fetchall() == [], macro
        assert connection.execute("SELECT vec('a', 'LAI', 0), band_distance('a', 'b', 'LAI')").fetchall() == [
            (None, None)
        ]
        kinds = dict(connection.execute("SELECT column_name, column_type FROM (DESCRIBE embedding_long)").fetchall())
    assert kinds["vector"] == "FLOAT[768]"


def test_tables_that_come_later_show_at_once(tmp_path):
    world = Built(tmp_path)
    world.build()
    assert world.query("FROM evaluation").empty
    row = {"scheme": "block", "model": "ridge", "features": "point", "scope": "pooled", "metric": "r2", "value": 0.25}
    files.write_table(tmp_path / TABLES["evaluation"].path, pd.DataFrame([{**row, "further": 7}]))  # no low, no high
    found = world.query("FROM evaluation")
    assert found.iloc[0][list(row)].to_dict() == row
    assert found[["low", "high"]].isna().all(axis=None)
    world.build()
    assert world.query("FROM evaluation")["further"].tolist() == [7]


def test_batches_show_as_they_come_go_and_change_size(built):
    [path] = built.home.glob("batch_*")
    assert built.query("SELECT count(*) n FROM embeddings")["n"].item() == 3
    path.rename(built.home / "batch_0001_size_9.parquet")
    assert built.query("SELECT count(*) n FROM embeddings")["n"].item() == 3
    second = built.home / "batch_0002_size_4.parquet"
    orphan = pq.read_table(built.home / "batch_0001_size_9.parquet")
    names = pa.array(["batch_0002"] * orphan.num_rows)
    position = orphan.schema.get_field_index("batch")
    pq.write_table(orphan.set_column(position, "batch", names), second)  # of a ledger that is gone
    assert built.query("SELECT count(*) n FROM features")["n"].item() == 3
    second.unlink()
    (built.home / "batch_0001_size_9.parquet").unlink()
    for view in ("embeddings", "features", "embedding_long"):
        assert built.query(f"SELECT count(*) n FROM {view}")["n"].item() == 0


def test_batch_of_another_size_replaces_the_file_under_its_name(built):
    [before] = built.home.glob("batch_*")
    assert before.name == "batch_0001_size_3.parquet"
    built.samples = pd.concat([built.samples, built.samples.iloc[:2].assign(sample_id=["s010", "s011"])])
    [after] = [built.write()[0].path]
    assert [path.name for path in built.home.glob("batch_*")] == [after.name] == ["batch_0001_size_5.parquet"]
    assert built.query("SELECT count(*) n FROM embeddings")["n"].item() == 5


def test_batches_tell_their_state_by_the_inputs_of_the_build(built, tmp_path):
    batch = built.batch()
    contents = Contents(tmp_path, built.spec, Features(), STUDY)
    pd.DataFrame({"sample_id": ["s000", "x"], "batch": ["batch_0001", "batch_0002"]}).to_parquet(
        tmp_path / TABLES["ledger"].path
    )
    build_database(built.database, contents, {}, {"batch_0001": (batch.inputs, batch.labels), "batch_0002": ("", "")})
    states = "SELECT batch, state, rows, digest FROM batches ORDER BY batch"
    assert built.query(states)["state"].tolist() == ["fresh", "missing"]
    assert built.query("SELECT digest d FROM batches WHERE batch = 'batch_0001'")["d"].item() == batch.inputs
    build_database(built.database, contents, {}, {"batch_0001": ("others", batch.labels)})
    assert built.query(states)["state"].tolist() == ["stale", "missing"]


def test_embedding_long_names_band_step_and_lag_of_every_image(built):
    found = built.query("SELECT * FROM embedding_long WHERE sample_id = 's000' ORDER BY lag NULLS FIRST")
    assert found["band"].tolist() == ["Elevation", "LAI", "LAI", "LAI"]
    assert found["step"].isna().tolist() == [True, False, False, False]
    assert found["step"].tolist()[1:] == ["2020", "2019", "2018"]
    [path] = built.home.glob("batch_*")
    row = pq.read_table(path).to_pandas().set_index("sample_id").loc["s000"]
    images = dict(row["channel_time_embeddings"])
    assert found["vector"][2] is None  # LAI_2019 has no raster
    np.testing.assert_array_equal(found["vector"][1], np.vstack(images["LAI_2020"])[0])


def test_predictions_and_runs_are_those_of_mlflow(finished):
    runs = finished.query(
        "SELECT * EXCLUDE (metrics, params), metrics['test_rmse'] m, params['training.epochs'] e FROM runs"
    )
    assert runs["name"].tolist() == ["mlp_model"]
    run = runs.iloc[0]
    assert (run["status"], run["model"], run["weights"], run["e"]) == (
        *("FINISHED", "models:/soc_mlp/1", "random (seed 42)"),
        "2",
    )
    assert run["m"] == run["test_rmse"]
    found = finished.query("SELECT * FROM predictions WHERE split = 'test'")
    assert set(found["run_id"]) == {run["run_id"]}
    assert np.sqrt((found["residual"] ** 2).mean()) == pytest.approx(run["test_rmse"], rel=1e-6)
    assert len(finished.query("FROM predictions")) == 60
