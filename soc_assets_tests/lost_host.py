"""A backfill on three Ray nodes that share only servers (S3, PostgreSQL, MLflow): one is lost in the middle."""

import sys
from dataclasses import dataclass
from pathlib import Path

import boto3
import numpy as np
import rasterio

from soc_assets_tests.dagster_dev import REPOSITORY, DagsterDev
from soc_assets_tests.ray_hosts import RayHosts, steps_of
from soc_assets_tests.separate_hosts import Host, Hosts
from soc_assets_tests.small_project import SETTINGS, SmallProject, write_project, write_tiff

NAMES = ("one", "two", "three")
LOST = "three"
BATCHES = [f"batch_{number:04}" for number in range(1, 41)]
OVERRIDE = {"SOC_EMBEDDING__ANCHOR": "token"}
OF_BATCHES = ("batch_size = 16", "batch_size = 1")
OF_HOSTS = """
[paths]
data = "s3://soil/project"
rasters = "s3://soil/rasters"
soil = "s3://soil/soil"

[automation]
active = false
batches_per_run = 5

[execution]
executor = "ray"
ray_address = "{address}"
devices = 3
"""
OF_ALL = """
[tracking]
server = "{server}"

[map]
years = [2012, 2013, 2014, 2015]
"""
WIDTH = 33  # times that of the small project: five tiles of 512 pixels


class DevOnHost(DagsterDev):
    """`dagster dev` on one of the hosts."""

    def __init__(self, host: Host, hosts: Hosts, instance: str, environment: dict[str, str]) -> None:
        self._host, self._here, self._environment = host, hosts.here, environment
        super().__init__(host.folder, instance)

    def start(self) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "dagster", "dev", "-m", "soc_assets.definitions"]
        address = ["-h", "127.0.0.1", "-p", str(self.port)]
        self._process = self._host.run([*command, *address], self._environment, self.log)


@dataclass(frozen=True)
class Backfilled:
    """What is left after the backfill."""

    hosts: Hosts
    dev: DagsterDev
    s3: "boto3.client"  # type: ignore[valid-type]
    single: SmallProject  # the same on one host, with a folder
    lost: set[str]  # steps that the lost host had begun
    environment: dict[str, str]

    def objects(self, prefix: str) -> dict[str, int]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket="soil", Prefix=prefix)
        return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}

    def soc(self, host: str, *arguments: str) -> str:
        """What a command says on a host."""
        return self.python(host, "-m", "soc_assets", *arguments)

    def python(self, host: str, *arguments: str) -> str:
        log = self.hosts.base / "python.log"
        log.unlink(missing_ok=True)
        there = self.hosts.all[host].run([sys.executable, "-W", "ignore", *arguments], self.environment, log)
        assert there.wait(600) == 0, log.read_text()
        return log.read_text()

    def download(self, key: str) -> Path:
        path = self.hosts.base / f"object{Path(key).suffix}"
        self.s3.download_file("soil", key, str(path))
        return path


def wide_project(root: Path) -> SmallProject:
    """The small project with rasters that go on to the east, in batches of a sample."""
    made = write_project(root)
    made.set(*OF_BATCHES)
    for path in sorted((root / "data/rasters").rglob("*.tif")):
        with rasterio.open(path) as dataset:
            values, transform, crs = dataset.read(1), dataset.transform, str(dataset.crs)
        times = (3, 20) if crs == "EPSG:4326" else (1, WIDTH)
        write_tiff(path, np.tile(values, times), transform, crs)
    return made


def after_a_backfill(
    hosts: Hosts, single: SmallProject, storage: dict[str, str], database: str, more: str
) -> Backfilled:
    s3 = filled_bucket(single, storage)
    cluster = RayHosts(hosts, NAMES)
    shipped = (REPOSITORY / "deploy/dagster.yaml").read_text()
    for host in hosts.all.values():
        settings = OF_HOSTS.format(address=cluster.address) + SETTINGS.replace(*OF_BATCHES) + more
        (host.folder / "soc.toml").write_text(settings)
        (host.folder / ".dagster").mkdir()
        (host.folder / ".dagster/dagster.yaml").write_text(shipped)
    instance = {"DAGSTER_HOME": f"{hosts.here}/.dagster", "DAGSTER_POSTGRES_URL": database}
    own = {"SOC_CONFIG": f"{hosts.here}/soc.toml", "PYTHONPATH": str(REPOSITORY), **instance, **storage, **OVERRIDE}
    left = Backfilled(hosts, DevOnHost(hosts.all["one"], hosts, shipped, own), s3, single, set(), own)
    left.soc("one", "run", "--to", "balanced_samples")
    left.dev.wait_until_up()
    left.lost.update(lose_a_host_while_it_works(left))
    left.dev.wait(lambda: left.dev.partitions()[1] == len(BATCHES), seconds=900)
    left.dev.wait(lambda: all(run["status"] in ("SUCCESS", "FAILURE") for run in left.dev.runs()))
    return left


def filled_bucket(single: SmallProject, storage: dict[str, str]):
    s3 = boto3.client(
        "s3", endpoint_url=storage["AWS_ENDPOINT_URL"], region_name="us-east-1",
        aws_access_key_id="testing", aws_secret_access_key="testing",
    )  # fmt: skip
    s3.create_bucket(Bucket="soil")
    for kind in ("rasters", "soil"):
        folder = single.root / "data" / kind
        for path in sorted(item for item in folder.rglob("*") if item.is_file()):
            s3.upload_file(str(path), "soil", f"{kind}/{path.relative_to(folder)}")
    return s3


def lose_a_host_while_it_works(left: Backfilled) -> set[str]:
    """Begin the backfill; when some batches are there and the host has a step, it goes without a word."""
    left.dev.start_backfill(BATCHES)
    host = left.hosts.all[LOST]
    left.dev.wait(lambda: left.dev.partitions()[1] >= 5 and bool(host.processes("execute_step")), seconds=600)
    host.kill()
    return steps_of(host)
