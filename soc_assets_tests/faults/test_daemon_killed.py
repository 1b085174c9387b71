"""The daemon is killed in the middle of a backfill: started again, it goes on and finishes."""

from collections.abc import Iterator

import pandas as pd
import pytest
import yaml

from soc_assets_tests.dagster_dev import REPOSITORY, DagsterDev
from soc_assets_tests.small_project import BATCHES

ONE_BY_ONE = "\n[automation]\nactive = false\nbatches_per_run = 1\n"


@pytest.fixture
def dev(fresh) -> Iterator[DagsterDev]:
    """Every batch is a run of its own, and the daemon looks after its runs every second."""
    fresh.config.write_text(fresh.config.read_text() + ONE_BY_ONE)
    assert fresh.run("balanced_samples").failures == []
    instance = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text())
    instance["run_monitoring"] |= {"poll_interval_seconds": 1, "free_slots_after_run_end_seconds": 1}
    running = DagsterDev(fresh.root, yaml.safe_dump(instance))
    try:
        running.wait_until_up()
        yield running
    finally:
        running.stop()


@pytest.mark.parametrize("killed", ["daemon", "everything"])
def test_backfill_goes_on_after_a_kill(dev, fresh, finished, killed):
    backfill = dev.start_backfill(list(BATCHES))
    dev.wait(lambda: any(run["status"] == "STARTED" for run in dev.runs()) and len(fresh.batch_files()) >= 1)
    assert len(fresh.batch_files()) < 4
    if killed == "daemon":
        dev.kill_daemon()
    else:
        dev.kill()
    dev.start()
    dev.wait_until_up()
    dev.wait(lambda: dev.status_of(backfill) not in ("REQUESTED", "IN_PROGRESS", "UNKNOWN"))
    assert dev.status_of(backfill) == "COMPLETED_SUCCESS"
    assert dev.partitions() == (list(BATCHES), 4)
    assert dev.device_held_by() == []
    pd.testing.assert_frame_equal(fresh.embeddings().map(str), finished.embeddings().map(str))
