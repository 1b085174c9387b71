"""The production instance: PostgreSQL of the distribution is started, and a backfill runs on it through the daemon."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from soc_assets_tests.dagster_dev import REPOSITORY, DagsterDev
from soc_assets_tests.small_project import BATCHES, write_project

pytestmark = pytest.mark.slow


def programs() -> Path | None:
    """The folder of initdb: the distribution's newest PostgreSQL, or PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    named = shutil.which("initdb")
    return found[-1].parent if found else Path(named).parent if named else None


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a server of one's own, on a local socket only; it refuses to run as root."""
    where, folder = programs(), Path(f"/tmp/soc-postgres-{os.getpid()}")
    if where is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    folder.mkdir(mode=0o700)
    user: dict = {}
    if os.getuid() == 0:
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    options = ["-D", str(folder / "data"), "-U", "soc", "-A", "trust", "--no-sync"]
    subprocess.run([where / "initdb", *options], check=True, capture_output=True, cwd="/", **user)
    command = [where / "postgres", "-D", folder / "data", "-c", "listen_addresses=", "-k", folder, "-c", "fsync=off"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, cwd="/", stdout=log, stderr=subprocess.STDOUT, **user)
    try:
        url = f"postgresql+psycopg2://soc@/postgres?host={folder}"
        ready = [where / "pg_isready", "-h", str(folder), "-U", "soc"]
        end = time.monotonic() + 60
        while subprocess.run(ready, capture_output=True).returncode:
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.2)
        yield url
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres() -> Iterator[str]:
    with postgres_server() as url:
        yield url


def test_backfill_runs_on_postgres_with_the_shipped_instance(postgres, tmp_path, monkeypatch):
    made = write_project(tmp_path / "project")
    made.config.write_text(made.config.read_text() + "\n[automation]\nactive = false\nbatches_per_run = 2\n")
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", postgres)
    home = made.root / ".dagster"
    home.mkdir()
    shipped = (REPOSITORY / "deploy/dagster.yaml").read_text()
    (home / "dagster.yaml").write_text(shipped)
    assert made.run("balanced_samples").failures == []
    dev = DagsterDev(made.root, shipped)
    try:
        dev.wait_until_up()
        dev.backfill(list(BATCHES))
        assert dev.partitions() == (list(BATCHES), 4)
        assert [run["status"] for run in dev.runs()] == ["SUCCESS"] * 3
    finally:
        dev.stop()
    assert made.run("embeddings").launched == []
    assert not list(home.glob("**/*.db")), "nothing was kept in SQLite"
