"""Three Ray nodes that share only servers (S3, PostgreSQL, MLflow): one is lost in the middle of a backfill.

Each node is a host with a folder of its own under the path that the others call theirs (`separate_hosts`). Their Ray
was started without a key and without a setting: what a step knows of these came with the step.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from soc_assets.cli import map_runner
from soc_assets.mapping.engine.engines import engine_for
from soc_assets.mapping.tiles import write_tiles
from soc_assets_tests import separate_hosts, storage_server
from soc_assets_tests.dagster_dev import BACKFILL
from soc_assets_tests.defs.test_postgres import postgres_server
from soc_assets_tests.lost_host import (
    BATCHES,
    LOST,
    NAMES,
    OF_ALL,
    OVERRIDE,
    Backfilled,
    after_a_backfill,
    wide_project,
)
from soc_assets_tests.ray_hosts import FOLDER, steps_of
from soc_assets_tests.separate_hosts import Hosts
from soc_assets_tests.tracking.test_mlflow_server import serving

pytestmark = pytest.mark.slow
REGISTER = """
import dagster as dg
from soc_assets.defs.assets.mapping import maps_of
from soc_assets.defs.partitions import add_maps
from soc_assets.project import open_project
inputs = maps_of(open_project(None))
with dg.DagsterInstance.get() as instance:
    add_maps(instance, inputs.keys, [str(period) for period in inputs.periods])
print(*inputs.keys)
"""


@pytest.fixture(autouse=True)
def override(monkeypatch):
    """The single host has it as well; the environment of every test begins without."""
    for name, value in OVERRIDE.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def backfilled(tmp_path_factory) -> Iterator[Backfilled]:
    if not separate_hosts.are_possible():
        pytest.skip("this machine lets nobody make namespaces (unshare --mount --pid)")
    single, hosts = wide_project(tmp_path_factory.mktemp("single") / "project"), Hosts()
    with (
        storage_server.serving() as url,
        postgres_server() as database,
        serving(tmp_path_factory.mktemp("mlflow") / "server") as server,
    ):
        more = OF_ALL.format(server=server)
        single.config.write_text(single.config.read_text() + more)
        try:
            yield after_a_backfill(hosts, single, storage_server.environment(url), database, more)
        finally:
            hosts.stop()


def test_every_batch_is_there_once_and_as_on_a_single_host(backfilled):
    found = {Path(key).name[:10]: key for key in backfilled.objects("project/embeddings/") if key.endswith(".parquet")}
    made = [key for key in backfilled.objects("project/embeddings/") if "/batch_" in key and key.endswith(".parquet")]
    assert sorted(Path(key).name[:10] for key in made) == BATCHES
    single = backfilled.single
    assert single.run("embeddings").failures == []
    for name in BATCHES:
        made_there, made_here = backfilled.download(found[name]), single.batch_files()[name]
        pd.testing.assert_frame_equal(pd.read_parquet(made_there), pd.read_parquet(made_here))


def test_a_host_was_lost_at_work_and_the_others_did_what_it_left(backfilled):
    hosts = backfilled.hosts.all
    assert backfilled.lost, "the host had begun a step"
    assert all(steps_of(host) for host in hosts.values()), "every host had steps"
    assert steps_of(hosts[LOST]) == backfilled.lost, "it did nothing after its end"
    assert all(run["status"] == "SUCCESS" for run in backfilled.dev.runs())


def test_no_host_sees_the_folder_of_another(backfilled):
    hosts = backfilled.hosts
    for name in set(NAMES) - {LOST}:
        log = hosts.base / "seen"
        log.unlink(missing_ok=True)
        hosts.all[name].run(["find", hosts.kept, hosts.here, "-maxdepth", "1"], {}, log).wait(60)
        seen = log.read_text().splitlines()
        assert [line for line in seen if line.startswith(str(hosts.kept))] == [str(hosts.kept)]
        assert f"{hosts.here}/soc.toml" in seen
        assert (hosts.all[name].folder / "ray.log").exists() and f"{hosts.here}/ray.log" in seen


def test_overrides_of_settings_and_keys_came_with_the_steps(backfilled):
    """The nodes have neither; without the keys nothing could be read, without the override there were another spec."""
    for name in set(NAMES) - {LOST}:
        for process in backfilled.hosts.all[name].processes("raylet"):
            given = Path(f"/proc/{process}/environ").read_text()
            assert "AWS_" not in given and "SOC_" not in given and "DAGSTER_" not in given
    [key] = [key for key in backfilled.objects("project/embeddings/") if key.endswith("/spec.json")]
    spec = json.loads(backfilled.s3.get_object(Bucket="soil", Key=key)["Body"].read())
    assert "token" in json.dumps(spec)


def test_other_host_finds_everything_fresh(backfilled):
    said = backfilled.soc("two", "status")
    assert "fresh" in said and "40 of 60" in said


def test_twenty_tiles_of_maps_are_made_by_the_hosts_that_are_left_and_as_on_a_single_one(backfilled):
    backfilled.soc("one", "run")  # the batches that are missing, features and model
    keys = sorted(backfilled.python("one", "-c", REGISTER).split()[-20:])
    before = {name: steps_of(host) for name, host in backfilled.hosts.all.items()}
    asked = {"partitionNames": keys, "assetSelection": [{"path": ["map_tiles"]}], "title": "all tiles"}
    backfill = backfilled.dev.ask(BACKFILL, {"p": asked})["launchPartitionBackfill"]["backfillId"]
    backfilled.dev.wait(lambda: backfilled.dev.status_of(backfill) not in ("REQUESTED", "IN_PROGRESS"))
    assert backfilled.dev.status_of(backfill) == "COMPLETED_SUCCESS"
    made = {name: len(steps_of(host) - before[name]) for name, host in backfilled.hosts.all.items()}
    assert sum(made.values()) >= 4 and made[LOST] == 0, "a step for five tiles, none on the host that is gone"
    stored = [key for key in backfilled.objects("project/maps/") if key.endswith(".npz")]
    found = {Path(key).stem: key for key in stored}
    assert (sorted(found), len(stored)) == (keys, 20)
    inputs = map_runner.with_model(map_runner.maps_of(backfilled.single.project))
    assert {tile.outcome for tile in write_tiles(inputs, inputs.keys, engine_for(inputs))} == {"computed"}
    for key in keys:
        with np.load(backfilled.download(found[key])) as there, np.load(inputs.tile_path(key)) as here:
            assert str(there["inputs"]) == str(here["inputs"])
            for layer in ("numbers", "quality"):
                np.testing.assert_array_equal(there[layer], here[layer])


def test_no_host_holds_more_than_a_quarter_of_the_data(backfilled):
    data = sum(backfilled.objects("project/").values()) + sum(backfilled.objects("rasters/").values())
    for host in backfilled.hosts.all.values():
        assert host.size(besides=(FOLDER, ".dagster", "ray.log", "dev.log")) < data / 4
