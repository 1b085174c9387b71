"""A full, read-only or forbidden disk: the failure names the path and the cure, and what was there is still good."""

import errno
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from soc_assets.cli import runner
from soc_assets.errors import SocWarning, StorageError
from soc_assets.storage import write_errors
from soc_assets_tests.command_line import soc
from soc_assets_tests.faults import disks, processes
from soc_assets_tests.small_project import BATCHES, SmallProject, clean_environment

pytestmark = pytest.mark.usefixtures("undrawn", "unserved")

KEPT = "What was finished before is kept"


@pytest.fixture(scope="module")
def built(templates, tmp_path_factory) -> Iterator[SmallProject]:
    """A project with features, on a disk of its own; each test leaves it as it was."""
    root = tmp_path_factory.mktemp("disk")
    with disks.disk(root, 64), clean_environment():
        yield templates.copy("with features", root)


def files(folder: Path) -> dict[str, bytes]:
    """What a reader finds under a folder, and temporary files."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def failed(made: SmallProject, to: str, path: Path | str, found: str, setting: str = "[paths] in soc.toml") -> None:
    """`soc run` fails, names the path and the cure, and shows no traceback."""
    told = soc("run", "--to", to, at=made)
    assert told.exit_code == 1
    words = told.output
    [line] = [line for line in words.splitlines() if KEPT in line]
    assert f"Cannot write {path}" in line and found in line and setting in line
    assert "Traceback" not in words and "Errno" not in words


def run_elsewhere(made: SmallProject, to: str) -> list[str]:
    """Failures of a run whose Dagster instance lies on a disk with space."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(made.root.parent / "instance"))
        return made.run(to).failures


def test_embedding_stops_where_the_disk_is_full_and_goes_on_where_there_is_space(prepared):
    made = prepared
    made.set("[embedding]", '[embedding]\npooling = "none"')  # 5 MB per batch
    data = made.root / "data"
    data.rename(made.root / "kept")
    with disks.disk(data, 13):
        shutil.copytree(made.root / "kept", data, dirs_exist_ok=True)
        failed(made, "embeddings", data / "embeddings", "no space is left")
        before = {key: path.stat().st_mtime_ns for key, path in made.batch_files().items()}
        assert 0 < len(before) < 4
        for key, path in made.batch_files().items():
            assert len(pq.read_table(path)) == BATCHES[key]
        assert list(data.rglob("*.tmp")) == []

        disks.resize(data, 64)
        assert made.run("embeddings").failures == []
        after = {key: path.stat().st_mtime_ns for key, path in made.batch_files().items()}
        assert {key: after[key] for key in before} == before
        assert {key: pq.read_metadata(path).num_rows for key, path in made.batch_files().items()} == BATCHES


def test_old_database_stays_where_there_is_no_space_for_the_new(built, monkeypatch):
    monkeypatch.setenv("SOC_FEATURES__MISSING", "null")
    data, before = built.root / "data", files(built.root / "data")
    with disks.full(data):
        [words] = run_elsewhere(built, "features")
        assert words.startswith(f"features: Cannot write {data / 'soc.duckdb'}: no space is left on its disk. Free")
    assert files(data) == before
    assert built.query("SELECT count(*) n FROM features")["n"].item() == 60


def test_full_disk_under_the_instance_is_told_without_a_traceback(built, monkeypatch):
    monkeypatch.setenv("SOC_FEATURES__MISSING", "null")
    before = files(built.root / "data")
    with disks.full(built.root):
        failed(built, "features", built.root / ".dagster", "its disk", "DAGSTER_HOME")
    assert files(built.root / "data") == before
    monkeypatch.delenv("SOC_FEATURES__MISSING")
    assert {item.state for item in runner.assess(built.use(), "features")} == {"fresh"}


def test_read_only_disk_can_be_looked_at_and_is_named_where_it_must_be_written(built):
    with disks.read_only(built.root):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SocWarning)  # that failed runs, where there were some, are not shown
            said = soc("status", at=built)
        assert said.exit_code == 0 and said.output.count("fresh") == 5
        assert built.query("SELECT count(*) n FROM features")["n"].item() == 60
        failed(built, "mlp_model", built.root / ".dagster", "read-only", "DAGSTER_HOME")
        [words] = run_elsewhere(built, "mlp_model")
        assert words.startswith(f"mlp_model: Cannot write {built.root / 'mlruns'}: its disk is read-only. Make it")


def test_full_disk_of_temporary_files_is_told_with_its_cure(tmp_path, monkeypatch):
    target, temporary_files = tmp_path / "mlruns", tmp_path / "temporary"
    with disks.disk(temporary_files, 1), disks.full(temporary_files):
        os.truncate(temporary_files / "filler", 2**20 - 8192)  # a probe finds space
        monkeypatch.setattr(tempfile, "tempdir", str(temporary_files))
        with (
            pytest.raises(StorageError) as told,
            write_errors.translate_write_errors(target),
            tempfile.TemporaryFile() as file,
        ):
            file.write(bytes(2**16))
        found = str(told.value)
        assert f"no space is left on the disk of {temporary_files}. Free some, or set the environment variable" in found
        assert "TMPDIR" in found and "mlruns" not in found
        step = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        assert write_errors.temporary(step) == found, "also where it is not known what was written"
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        assert write_errors.temporary(step) is None
        assert "Cannot write" in str(write_errors.cannot_write(step, temporary_files / "a"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc/nowhere"])
    nowhere = pytest.raises(StorageError, match=r"no folder that temporary files can be written to .*TMPDIR")
    with nowhere, write_errors.translate_write_errors(target):
        tempfile.gettempdir()


def test_forbidden_folder_is_named_with_its_cure(with_a_catalog):
    fresh = with_a_catalog
    samples = fresh.root / "data/samples"
    samples.mkdir(mode=0o555)
    running = processes.soc(fresh, "run", "--to", "features", preexec_fn=disks.without_privileges)
    code, words = processes.ended(running)
    assert code == 1
    assert f"soil_samples: Cannot write {samples}" in words and "this user may not write there" in words
    assert "Change the permissions" in words and "Traceback" not in words
    samples.chmod(0o755)
    assert fresh.run("soil_samples").failures == []
