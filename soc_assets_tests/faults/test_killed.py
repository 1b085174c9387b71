"""kill -9 at any moment: nobody sees half a file, and the next run gives what an undisturbed one gives."""

import random
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from soc_assets.cli import runner
from soc_assets_tests.faults import processes
from soc_assets_tests.small_project import BATCHES, SmallProject

pytestmark = pytest.mark.slow

KILLS = 20
TABLES = ("samples", "rejected", "balanced", "excluded", "folds", "batches", "splits")


@pytest.fixture
def with_tokens(prepared) -> SmallProject:
    """A project whose batches are still to be written, with all tokens: files of megabytes."""
    prepared.set("[embedding]", '[embedding]\npooling = "none"')
    return prepared


def visible(folder: Path) -> list[Path]:
    """Batches that a reader finds; each must be whole."""
    found = sorted(folder.glob("batch_*.parquet"))
    for path in found:
        metadata = pq.read_metadata(path)
        assert metadata.num_rows == BATCHES[path.name[:10]]
        assert b"soc.missing_images" in metadata.metadata  # written last
    return found


def contents(folder: Path) -> dict[str, pa.Table]:
    """The rows of every visible batch."""
    return {path.name: pq.read_table(path).replace_schema_metadata(None) for path in visible(folder)}


def being_written(folder: Path, process: int | None) -> list[Path]:
    return list(folder.glob(f".batch_*-{process}-*.tmp"))


def written(folder: Path, process: int | None) -> int:
    """Bytes of the batches that a process has written or is writing."""
    total = 0
    for path in [*visible(folder), *being_written(folder, process)]:
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # renamed meanwhile
            continue
    return total


def test_writer_killed_twenty_times_leaves_only_whole_files_and_the_rerun_completes_them(with_tokens):
    folder, moments = processes.inputs_of(with_tokens.config).folder, random.Random(20)
    clean = processes.start_writing(with_tokens.config)
    clean.join(processes.SECONDS)
    assert clean.exitcode == 0
    expected, everything = contents(folder), written(folder, clean.pid)
    assert len(expected) == 4

    shares: list[float] = []
    for _ in range(3 * KILLS):
        for path in folder.glob("batch_*.parquet"):
            path.unlink()
        share = moments.random()
        writer = processes.start_writing(with_tokens.config)
        processes.wait_for(lambda at=share * everything, by=writer.pid: written(folder, by) > at, writer)
        writer.kill()
        writer.join()
        left = contents(folder)
        assert left == {name: expected[name] for name in left}
        if being_written(folder, writer.pid):
            shares.append(written(folder, writer.pid) / everything)
        if len(shares) == KILLS:
            break
    assert len(shares) == KILLS, "killed in the middle of a file"
    assert min(shares) < 0.25 and max(shares) > 0.75

    rerun = processes.start_writing(with_tokens.config)
    rerun.join(processes.SECONDS)
    assert rerun.exitcode == 0
    assert contents(folder) == expected
    assert [path.name for path in folder.glob(".*")] == [], "what the killed ones left is gone"


def test_run_killed_in_each_job_is_taken_up_by_the_next_and_gives_the_same(fresh, finished):
    moments, codes = random.Random(7), []
    for place in ("samples/*", "embeddings/*/*batch_*", "*soc.duckdb*"):
        running = processes.soc(fresh, "run", "--to", "features")
        processes.wait_for(lambda place=place: any((fresh.root / "data").glob(place)), running)
        time.sleep(moments.uniform(0, 0.1))
        processes.kill(running)
        codes.append(running.returncode)
        for path in (fresh.root / "data").glob("[a-z]*/**/[!.]*.parquet"):
            pq.read_table(path)
    assert codes.count(-9) >= 2, "at most the last one was quicker"
    code, words = processes.ended(processes.soc(fresh, "run", "--to", "features"))
    assert code == 0, words
    for name in TABLES:
        pd.testing.assert_frame_equal(fresh.table(name), finished.table(name))
    everything = "SELECT * FROM features ORDER BY sample_id"
    pd.testing.assert_frame_equal(fresh.query(everything), finished.query(everything))
    assert [item.state for item in runner.assess(fresh.use(), "features")] == ["fresh"] * 5
