"""Batches on object storage: two hosts that write one, a writer that is late, and a network that fails meanwhile."""

import boto3
import numpy as np
import pytest
import s3fs
from rasterio.transform import from_origin

from soc_assets.embedding.batch import read_facts, write
from soc_assets.embedding.check import check_batch
from soc_assets.embedding.embed import Embedder
from soc_assets.embedding.encoder.encoder import load_encoder
from soc_assets.embedding.listing import Listing
from soc_assets.errors import ConflictError, StorageError
from soc_assets.storage import access, files
from soc_assets_tests import storage_server
from soc_assets_tests.embedding.world import World
from soc_assets_tests.small_world import ORIGIN, write_raster
from soc_assets_tests.storage import faulty_proxy


@pytest.fixture(scope="module")
def proxy():
    with storage_server.serving() as url, faulty_proxy.in_front_of(url) as proxy:
        yield proxy


@pytest.fixture
def stored(proxy, tmp_path, monkeypatch):
    """A world whose spec's folder is on storage."""
    for name, value in storage_server.environment(proxy.url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # s3fs itself tries five times, for two seconds
    proxy.set()
    boto3.client("s3", endpoint_url=proxy.url).create_bucket(Bucket="soil")
    world = World(tmp_path)
    home = access.folder_at(f"s3://soil/{tmp_path.name}/{world.spec.digest}")
    for name in ("spec.json", "spec.copy.json"):
        files.write_text(home / name, (world.home / name).read_text())
    world.home = world.folder_on_storage = home
    yield world
    proxy.set()


def host(world, listing=None):
    """Writes the batch as a host does that has listed the folder before."""
    embedder = Embedder(world.spec, world.raster_index, load_encoder(world.spec, None, 0.1, "cpu"), 64)
    batch, listing = world.batch(), listing or Listing(world.home)
    return lambda: write(batch, world.home, world.spec, lambda: embedder, listing)


def test_two_hosts_that_write_one_batch_leave_one_file_and_no_error(stored):
    first, second = host(stored), host(stored)
    assert (first().outcome, second().outcome) == ("computed", "cached")
    batch = stored.batch()
    files.remove(batch.path(stored.home))
    late = Listing(stored.home)  # both find it missing
    assert host(stored, late)().outcome == "computed"
    files.remove(batch.path(stored.home))
    with pytest.MonkeyPatch.context() as patch:  # the other host writes between our look and our writing
        real = files.replacing
        calls = []

        def replacing(path, *given, **named):
            if not calls:
                calls.append(path)
                host(stored)()
            return real(path, *given, **named)

        patch.setattr(files, "replacing", replacing)
        assert host(stored, late)().outcome == "computed"
    assert [path.name for path in stored.home.glob("batch_*")] == ["batch_0001_size_4.parquet"]
    assert check_batch(batch, stored.home, stored.spec) == []


def test_writer_of_older_rasters_does_not_replace_a_newer_batch(stored):
    late = host(stored)
    values = np.random.default_rng(1).normal(9, 2, (32, 32)).astype(np.float32)
    write_raster(stored.folder / "rasters/yearly/LAI/LAI_2019.tif", values, from_origin(*ORIGIN, 500, 500))
    stored.refresh()
    stored.home = stored.folder_on_storage
    newer = host(stored)()
    with pytest.raises(ConflictError, match="written by another host meanwhile, from other settings, rasters or"):
        late()
    assert read_facts(newer.path)["soc.inputs"] == newer.inputs


def test_writer_of_an_older_ledger_does_not_take_a_newer_file_for_its_own(stored):
    every = stored.samples
    stored.samples = every.iloc[:3]
    host(stored)()
    late = host(stored)
    stored.samples = every
    newer = host(stored)()
    assert [path.name for path in stored.home.glob("batch_*")] == ["batch_0001_size_4.parquet"]
    with pytest.raises(ConflictError):
        late()
    assert read_facts(newer.path)["soc.inputs"] == newer.inputs


def test_late_relabelling_does_not_undo_a_newer_one(stored):
    host(stored)()
    stored.samples.loc[1, "organic_carbon"] = 50.0
    late = host(stored)
    stored.samples.loc[1, "organic_carbon"] = 99.0
    assert host(stored)().outcome == "relabelled"
    with pytest.raises(ConflictError):
        late()
    assert host(stored)().outcome == "cached"


def test_network_that_fails_while_a_batch_is_checked_is_no_damage(stored, proxy):
    written = host(stored)()
    for fault in ({"down": 60.0}, {"denied": (f"soil/{stored.folder.name}/",)}):
        proxy.set(**fault)
        for look in (lambda: check_batch(stored.batch(), stored.home, stored.spec), host(stored, Empty())):
            with pytest.raises(StorageError):
                look()
        proxy.set()
    assert written.path.is_file()
    assert check_batch(stored.batch(), stored.home, stored.spec) == []


class Empty(Listing):
    """What a host knows that listed the folder before there was anything."""

    def __init__(self):
        self._files, self._aside, self._versions, self._absent = {}, {}, {}, None


@pytest.mark.parametrize("faults", [{"busy": 0.2}, {"cut_get": 1, "at_most": 1}, {"cut_put": 1, "at_most": 1}])
def test_requests_that_fail_now_and_then_are_made_again(stored, proxy, faults, monkeypatch):
    monkeypatch.delenv("AWS_MAX_ATTEMPTS")
    s3fs.S3FileSystem.clear_instance_cache()  # one that was made before goes on as it was
    proxy.set(**faults, seed=3)
    assert host(stored)().outcome == "computed"
    assert host(stored)().outcome == "cached"
    assert check_batch(stored.batch(), stored.home, stored.spec) == []


def test_upload_that_is_cut_leaves_nothing_visible(stored, proxy):
    proxy.set(cut_put=1)
    with pytest.raises(StorageError, match="cannot be written"):
        host(stored)()
    proxy.set()
    assert list(stored.home.glob("batch_*")) == []
    assert host(stored)().outcome == "computed"


def test_listing_that_is_late_costs_a_look_and_no_computing(stored, proxy):
    host(stored)()
    proxy.set(lists_late=60)
    other = Listing(stored.home)
    proxy.set()
    assert host(stored, other)().images == 0
