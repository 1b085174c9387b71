"""The daemon is killed in the middle of a backfill: started again, it goes on and finishes."""

import pytest

from soc_assets_tests.same_rows import assert_same_rows
from soc_assets_tests.small_project import BATCHES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("killed", ["daemon", "everything"])
def test_backfill_goes_on_after_a_kill(dev, prepared, finished, killed):
    backfill = dev.start_backfill(list(BATCHES))
    dev.wait(lambda: any(run["status"] == "STARTED" for run in dev.runs()) and len(prepared.batch_files()) >= 1)
    assert len(prepared.batch_files()) < 4
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
    assert_same_rows(prepared.embeddings(), finished.embeddings())
