"""A folder on object storage and its copies: each host sees what the others wrote, and nothing is lost on the way."""

import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from soc_assets.embedding.clean import remove_leftover
from soc_assets.errors import CheckpointError, SettingsError, StorageError
from soc_assets.project import open_project
from soc_assets.storage import files
from soc_assets.storage.mirror import Remote, remote_of
from soc_assets_tests import storage_server

NOWHERE = "http://127.0.0.1:9"  # nobody listens there


@pytest.fixture(scope="module")
def server():
    with storage_server.serving() as url:
        yield url


@pytest.fixture
def stored(server, monkeypatch):
    """A client of the server with an empty bucket `soil`."""
    for name, value in storage_server.environment(server).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    client = boto3.client("s3", endpoint_url=server)
    client.create_bucket(Bucket="soil")
    yield client
    for name in names(client):
        client.delete_object(Bucket="soil", Key=name)


@pytest.fixture
def one(stored, tmp_path) -> Remote:
    return opened(tmp_path / "one")


@pytest.fixture
def other(stored, tmp_path) -> Remote:
    return opened(tmp_path / "other")


def opened(copy: Path) -> Remote:
    remote = Remote("s3://soil/p", copy)
    remote.fetch()
    return remote


def names(client) -> list[str]:
    return [item["Key"] for item in client.list_objects_v2(Bucket="soil").get("Contents", [])]


def text(remote: Remote, name: str) -> str | None:
    path = remote.copy / name
    return path.read_text() if path.exists() else None


def visible(remote: Remote) -> set[str]:
    found = (path.relative_to(remote.copy) for path in remote.copy.rglob("*") if path.is_file())
    return {str(path) for path in found if path.parts[0] != ".remote"}


def test_what_one_host_writes_changes_and_removes_is_so_on_the_other(one, other, stored):
    path = one.copy / "samples/a.txt"
    files.write_text(path, "first")
    assert names(stored) == ["p/samples/a.txt"]
    assert (other.fetch(), text(other, "samples/a.txt")) == (1, "first")
    files.write_text(path, "other")  # of the same size, in the same second
    assert (other.fetch(), text(other, "samples/a.txt")) == (1, "other")
    assert (one.fetch(), other.fetch()) == (0, 0)
    files.remove(path)
    assert (names(stored), other.fetch(), visible(other)) == ([], 1, set())


def test_renaming_a_file_and_removing_a_folder_is_done_there_too(one, other, stored):
    for name in ("a", "b"):
        files.write_text(one.copy / f"embeddings/spec/{name}", name)
    other.fetch()
    files.rename(one.copy / "embeddings/spec/a", one.copy / "embeddings/spec/c")
    files.rename(one.copy / "embeddings/spec/b", one.copy / "embeddings/spec/b.wrong")
    other.fetch()
    assert (names(stored), visible(other)) == (["p/embeddings/spec/c"], {"embeddings/spec/c"})
    going = one.copy / "embeddings/.removing-spec"
    files.rename(one.copy / "embeddings/spec", going)
    remove_leftover(going)
    other.fetch()
    assert (names(stored), visible(other), one.fetch()) == ([], set(), 0)


def test_each_hosts_own_files_stay_on_it(one, stored):
    own = ("soc.duckdb", "catalog/previews/x.npz", "results/inputs/x.npy", "results/hyperparameters.db", ".schemas/x")
    for name in own:
        files.write_text(one.copy / name, "own")
    assert (one.fetch(), names(stored), visible(one)) == (0, [], set(own))


def test_stored_things_that_are_not_ours_are_left_alone(one, stored):
    for name in ("rasters/static/Elevation.tif", "samples/.hidden", "samples/../../outside", "notes.txt"):
        stored.put_object(Bucket="soil", Key=f"p/{name}", Body=b"x")
    assert (one.fetch(), visible(one)) == (0, set())


def test_upload_that_fails_is_told_and_the_file_is_sent_later(one, other, monkeypatch, server):
    path = one.copy / "samples/a.txt"
    files.write_text(path, "first")
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    with pytest.raises(StorageError, match=r"s3://soil/p/samples/a.txt cannot be written.*is kept in .*a\.txt"):
        files.write_text(path, "second")
    with pytest.raises(StorageError, match="cannot be read: Could not connect"):
        opened(one.copy)
    assert path.read_text() == "second"
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    assert (opened(one.copy).copy, other.fetch(), text(other, "samples/a.txt")) == (one.copy, 1, "second")


def test_removal_that_fails_is_made_up_for(one, other, monkeypatch, server):
    files.write_text(one.copy / "samples/a.txt", "first")
    other.fetch()
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    with pytest.raises(StorageError, match="cannot be removed"):
        files.remove(one.copy / "samples/a.txt")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    assert (one.fetch(), visible(one), other.fetch(), visible(other)) == (1, set(), 1, set())


def test_what_was_never_sent_is_sent_not_removed(one, other):
    (one.copy / "samples").mkdir()
    (one.copy / "samples/a.txt").write_text("made before the folder was shared")
    one.fetch()
    other.fetch()
    assert text(other, "samples/a.txt") == "made before the folder was shared"


def test_of_two_that_differ_the_newer_stays(one, other):
    files.write_text(one.copy / "samples/a.txt", "old")
    other.fetch()
    path = one.copy / "samples/a.txt"
    path.write_text("not sent, and older")
    os.utime(path, (1, 1))
    files.write_text(other.copy / "samples/a.txt", "newer")
    one.fetch()
    assert text(one, "samples/a.txt") == "newer"


def test_lost_index_costs_no_transfer_of_what_was_fetched(one, other, stored):
    files.write_text(one.copy / "samples/a.txt", "first")
    other.fetch()
    before = (other.copy / "samples/a.txt").stat()
    (other.copy / ".remote/index.sqlite").unlink()
    other.fetch()
    after = (other.copy / "samples/a.txt").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    stored.delete_object(Bucket="soil", Key="p/samples/a.txt")
    assert (other.fetch(), visible(other)) == (1, set())


def test_file_removed_by_hand_comes_back(one):
    files.write_text(one.copy / "samples/a.txt", "first")
    (one.copy / "samples/a.txt").unlink()
    assert (one.fetch(), text(one, "samples/a.txt")) == (1, "first")


def test_another_process_sends_too(one, stored):
    code = "import sys, pathlib; from soc_assets.storage import files; files.write_text(pathlib.Path(sys.argv[1]), 'x')"
    subprocess.run([sys.executable, "-c", code, str(one.copy / "results/fits/a.parquet")], check=True)
    assert names(stored) == ["p/results/fits/a.parquet"]
    assert one.fetch() == 0


def test_folder_that_is_only_read_is_as_stored(stored, tmp_path):
    stored.put_object(Bucket="soil", Key="p/lucas/a.csv", Body=b"OC")
    remote = Remote("s3://soil/p", tmp_path / "soil", None)
    assert (remote.fetch(), text(remote, "lucas/a.csv")) == (1, "OC")
    (remote.copy / "lucas/a.csv").write_text("changed by hand")
    (remote.copy / "b.csv").write_text("new by hand")
    remote.fetch()
    assert (text(remote, "lucas/a.csv"), visible(remote), names(stored)) == ("OC", {"lucas/a.csv"}, ["p/lucas/a.csv"])


def test_one_file_of_a_folder_is_all_that_is_read(stored, tmp_path):
    for name in ("wanted.pth", "wanted.pth.old", "other.pth"):
        stored.put_object(Bucket="soil", Key=f"p/{name}", Body=name.encode())
    remote = Remote("s3://soil/p", tmp_path / "one", None, "wanted.pth")
    assert (remote.fetch(), remote.fetch(), visible(remote)) == (1, 0, {"wanted.pth"})
    stored.put_object(Bucket="soil", Key="p/wanted.pth", Body=b"newer")
    assert (remote.fetch(), text(remote, "wanted.pth")) == (1, "newer")


def test_checkpoint_on_storage_is_fetched_and_a_missing_one_is_named(stored, tmp_path):
    config = tmp_path / "soc.toml"
    config.write_text('[embedding]\ncheckpoint = "s3://soil/models/SpectralGPT+.pth"\n')
    with pytest.raises(CheckpointError, match=r"s3://soil/models/SpectralGPT\+\.pth does not exist"):
        open_project(config)
    stored.put_object(Bucket="soil", Key="models/SpectralGPT+.pth", Body=b"weights")
    checkpoint = open_project(config).checkpoint
    assert checkpoint.read_bytes() == b"weights"
    assert checkpoint.relative_to(tmp_path).parts[0] == ".soc"


def test_missing_bucket_kind_of_storage_and_package_are_told(stored, tmp_path, monkeypatch):
    for number, (url, words) in enumerate(
        {"s3://nobody/p": "s3://nobody/p cannot be read", "none://x": "Protocol not known: none"}.items()
    ):
        with pytest.raises(StorageError, match=words):
            Remote(url, tmp_path / str(number)).fetch()
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(StorageError, match=r'pip install "soc-assets\[s3\]"'):
        Remote("s3://soil/p", tmp_path / "package").fetch()


def test_copy_of_another_folder_is_refused(one):
    with pytest.raises(SettingsError, match=r"is the copy of s3://soil/p, and \[paths\] in soc.toml says s3://soil/q"):
        Remote("s3://soil/q", one.copy).fetch()


def test_storage_without_buckets_shows_no_half_file(tmp_path):
    one, other = (Remote(f"memory://{tmp_path.name}/p", tmp_path / name) for name in ("one", "other"))
    one.fetch()
    files.write_text(one.copy / "samples/a.txt", "first")
    assert (other.fetch(), text(other, "samples/a.txt")) == (1, "first")
    files.write_text(other.copy / "samples/a.txt", "second, longer")
    assert (one.fetch(), text(one, "samples/a.txt"), one.fetch()) == (1, "second, longer", 0)


def test_local_folders_are_no_copies_and_import_no_fsspec(tmp_path):
    files.write_text(tmp_path / "samples/a.txt", "x")
    assert remote_of(tmp_path / "samples/a.txt") is None
    code = (
        "import sys, pathlib; from soc_assets.storage import files, objects; "
        "from soc_assets.project import open_project; "
        "files.write_text(pathlib.Path(sys.argv[1]), 'x'); files.remove(pathlib.Path(sys.argv[1])); "
        "open_project(); assert not {'fsspec', 's3fs'} & set(sys.modules)"
    )
    (tmp_path / "soc.toml").write_text("")
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], cwd=tmp_path).returncode == 0
