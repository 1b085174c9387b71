"""Files on object storage where they lie: they behave as those of a folder, and what storage cannot do is said."""

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import boto3
import pandas as pd
import pyarrow.parquet as pq
import pytest

from soc_assets.embedding import clean
from soc_assets.errors import CheckpointError, ConflictError, SettingsError, SocWarning, StorageError
from soc_assets.project import open_project
from soc_assets.storage import access, digest, download, files, folders, former_copy, second_copy
from soc_assets.storage.object_path import of_url
from soc_assets.storage.one_look import one_look
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


@pytest.fixture(params=["local", "s3", "memory"])
def folder(request, tmp_path) -> Path:
    """A folder, on this machine, on S3, and on storage that knows neither buckets nor conditions."""
    if request.param == "s3":
        request.getfixturevalue("stored")
    urls = {"s3": "s3://soil/p", "memory": f"memory://{tmp_path.name}/p"}
    return access.folder_at(urls[request.param]) if request.param in urls else tmp_path


def names(client) -> list[str]:
    return [item["Key"] for item in client.list_objects_v2(Bucket="soil").get("Contents", [])]


def texts(folder: Path) -> dict[str, str]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_files_are_written_read_listed_renamed_and_removed_alike(folder):
    path = folder / "samples" / "a.txt"
    assert (path.exists(), path.is_file(), (folder / "samples").is_dir()) == (False, False, False)
    files.write_text(path, "first")
    before = files.stamp(path)
    files.write_text(path, "other")  # of the same size, in the same second
    assert (path.read_text(), path.stat().st_size, files.stamp(path) != before) == ("other", 5, True)
    assert (path.is_file(), path.is_dir(), (folder / "samples").is_dir()) == (True, False, True)
    assert digest.of_file(path, 64) == "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"
    files.write_text(folder / "samples" / "deep" / "b.json", "{}")
    assert sorted(each.name for each in folder.glob("*/*.txt")) == ["a.txt"]
    assert sorted(each.name for each in folder.glob("[!.]*/deep/*")) == ["b.json"]
    assert sorted(each.name for each in (folder / "samples").iterdir()) == ["a.txt", "deep"]
    assert set(access.versions_in(folder / "samples")) >= {"a.txt"}
    assert folders.sizes_below(folder) == 7
    files.rename(path, folder / "samples" / "c.txt")
    assert texts(folder) == {"samples/c.txt": "other", "samples/deep/b.json": "{}"}
    files.remove(folder / "samples" / "c.txt")
    files.remove(folder / "samples" / "c.txt")  # is gone
    folders.remove_all(folder / "samples")
    assert texts(folder) == {}


def test_missing_files_are_missing_alike(folder):
    path = folder / "no"
    for read in (path.read_bytes, path.read_text, path.stat, path.open, lambda: path.open("rb")):
        with pytest.raises(FileNotFoundError):
            read()
    assert (list(folder.glob("*/x")), access.versions_in(path), folders.sizes_below(path)) == ([], {}, 0)
    with pytest.raises(FileNotFoundError), access.local_copy(folder / "no") as copy:
        copy.read_bytes()


def test_tables_with_seal_metadata_and_second_copy_are_alike(folder):
    path = folder / "samples" / "batches.parquet"
    table = pd.DataFrame({"sample_id": ["a", "b"], "batch": ["batch_0001"] * 2})
    second_copy.write(path, lambda to: files.write_table(to, table, {"soc.inputs": "x"}))
    assert files.read_table(path).equals(table)
    assert files.read_footer(path) == (2, files.read_metadata(path))
    assert files.read_metadata(path)["soc.inputs"] == "x"
    assert second_copy.copy_of(path).read_bytes() == path.read_bytes()
    content = path.read_bytes()
    with files.replacing(path) as temporary:
        temporary.write_bytes(content[:-20] + b"x" + content[-19:])
    assert not files.is_whole(path)
    assert second_copy.choose(path, files.is_whole) == second_copy.copy_of(path)
    for repair in second_copy.repairs(path, files.is_whole):
        repair.act()
    assert files.is_whole(path)


def test_parts_of_a_table_are_read_by_ranges(folder):
    path = folder / "x.parquet"
    files.write_table(path, pd.DataFrame({name: range(1000) for name in "abc"}))
    with pq.ParquetFile(access.source(path), page_checksum_verification=True) as file:
        assert file.read(columns=["b"]).column("b").to_pylist() == list(range(1000))
    with access.opened(path) as file:
        assert file.read(4) == b"PAR1"


def test_writing_that_fails_leaves_what_was_there(folder):
    path = folder / "a.txt"
    files.write_text(path, "first")

    def fail(temporary):
        temporary.write_text("half")
        raise KeyError

    with pytest.raises(KeyError), files.replacing(path) as temporary:
        fail(temporary)
    assert texts(folder) == {"a.txt": "first"}


def test_folder_that_is_replaced_loses_what_is_not_in_the_new_one(folder):
    for number in range(2):
        with folders.replacing_folder(folder / "map", last="map.json") as temporary:
            for name in ("map.json", f"{number}.tif"):
                (temporary / name).write_text(str(number))
            (temporary / "deep").mkdir()
            (temporary / "deep/x").write_text("x")
    assert texts(folder / "map") == {"map.json": "1", "1.tif": "1", "deep/x": "x"}
    folders.remove_renamed(folder / "map", ".going-")
    assert texts(folder) == {}


def test_last_file_of_a_folder_is_away_while_the_others_change(stored, monkeypatch):
    folder, seen = of_url("s3://soil/p/map"), []
    for _ in range(2):
        with folders.replacing_folder(folder, last="map.json") as temporary:
            for name in ("map.json", "a.tif", "z.tif"):
                (temporary / name).write_text(name)
        put = type(folder).put

        def watched(path, *given, put=put):
            seen.append((path.name, (folder / "map.json").is_file()))
            return put(path, *given)

        monkeypatch.setattr(type(folder), "put", watched)
    assert seen == [("a.tif", False), ("z.tif", False), ("map.json", False)]


def test_paths_are_compared_sorted_and_sent_to_other_processes(stored):
    one = access.folder_at("s3://soil/p/")
    assert one / "a" / "b.txt" == access.folder_at("s3://soil/p/a/b.txt")
    assert hash(one) == hash(access.folder_at("s3://soil/p"))
    assert sorted([one / "b", one / "a"]) == [one / "a", one / "b"]
    assert (str(one / "a"), (one / "a.x.txt").stem, (one / "a").parent) == ("s3://soil/p/a", "a.x", one)
    again = pickle.loads(pickle.dumps(one / "a"))
    assert (again, type(again), access.is_stored(again)) == (one / "a", type(one), True)
    assert access.gdal_name(one / "map.tif") == "/vsis3/soil/p/map.tif"


def test_stale_writer_cannot_replace_what_came_since(folder):
    path = folder / "a.txt"
    known = access.version(path)
    files.write_text(path, "theirs")
    local = not access.is_stored(path)
    for since in (known, access.version(folder / "b"), '"0123"' if not local else ""):
        if local:  # no version is known there, and the last one stays
            continue
        with (
            pytest.raises(ConflictError, match=r"a\.txt was written by another host meanwhile: theirs stays"),
            files.replacing(path, since=since) as temporary,
        ):
            temporary.write_text("ours")
    assert path.read_text() == "theirs"
    with files.replacing(path, since=access.version(path)) as temporary:
        temporary.write_text("newer")
    assert path.read_text() == "newer"


def test_reader_of_a_file_that_is_replaced_gets_no_mixture(stored):
    path = of_url("s3://soil/p/a")
    stored.put_object(Bucket="soil", Key="p/a", Body=b"a" * 1000)
    with path.open("rb") as file:
        assert file.read(10) == b"a" * 10
        stored.put_object(Bucket="soil", Key="p/a", Body=b"b" * 1000)
        with pytest.raises(StorageError, match="Another host may have replaced it: run the same command once more"):
            file.read(10)
    text = path.open()
    assert isinstance(text, io.StringIO)
    assert text.read(3) == "bbb"


def test_what_was_just_written_is_read_from_memory_unless_it_was_replaced(stored, monkeypatch):
    path = of_url("s3://soil/p/a")
    files.write_text(path, "ours")
    read = []
    real = type(path.fs).cat_file
    monkeypatch.setattr(type(path.fs), "cat_file", lambda *given, **named: read.append(given) or real(*given, **named))
    with path.open("rb") as file:
        assert (file.read(), path.read_bytes(), read) == (b"ours", b"ours", [])
    stored.put_object(Bucket="soil", Key="p/a", Body=b"they")
    assert (path.read_bytes(), path.open("rb").read()) == (b"they", b"they")


def test_within_one_look_nothing_is_asked_twice_and_own_writing_is_seen(stored):
    folder = of_url("s3://soil/p")
    stored.put_object(Bucket="soil", Key="p/a", Body=b"first")
    with one_look():
        before = (folder / "a").read_text(), (folder / "a").is_file(), (folder / "b").exists(), folder.names()
        stored.put_object(Bucket="soil", Key="p/a", Body=b"other")
        assert ((folder / "a").read_text(), (folder / "a").open("rb").read()) == ("first", b"first")
        assert before == ("first", True, False, {"a"})
        files.write_text(folder / "b", "b")
        assert ((folder / "b").exists(), sorted(folder.stats())) == (True, ["a", "b"])
        files.write_text(folder / "a", "ours")
        assert (folder / "a").read_text() == "ours"
        files.remove(folder / "a")
        assert not (folder / "a").is_file()
    stored.put_object(Bucket="soil", Key="p/a", Body=b"again")
    assert (folder / "a").read_text() == "again"


def test_storage_that_does_not_answer_is_no_missing_file(stored, monkeypatch):
    path = of_url("s3://soil/p/a.txt")
    files.write_text(path, "first")
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    gone = of_url("s3://soil/p/a.txt")
    for read in (gone.is_file, gone.is_dir, gone.exists, gone.stat, gone.read_bytes, gone.parent.stats, gone.unlink):
        with pytest.raises(StorageError, match=r"s3://soil/p.* cannot be (read|removed): Could not connect"):
            read()
    with pytest.raises(StorageError, match=r"s3://soil/p/a.txt cannot be written: Could not.*What was there stays"):
        files.write_text(gone, "second")
    for listed in (gone.parent.iterdir, lambda: gone.parent.glob("*"), gone.parent.names):
        with pytest.raises(StorageError, match="Could not connect"):
            list(listed())
    assert path.read_text() == "first"


def test_bucket_kind_of_storage_and_package_that_are_missing_are_told(stored, tmp_path, monkeypatch):
    config = tmp_path / "soc.toml"
    for url, words in {"s3://nobody/p": "cannot be read", "none://x": "cannot be read: Unsupported"}.items():
        config.write_text(f'[paths]\ndata = "{url}"\n')
        with pytest.raises(StorageError, match=f"{url} {words}"):
            open_project(config)
    config.write_text('[paths]\ndata = "s3://soil/p"\n')
    assert open_project(config).data == of_url("s3://soil/p")  # an empty bucket is no missing one
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(StorageError, match=r'pip install "soc-assets\[s3\]"'):
        open_project(config)


def test_spec_folder_that_is_removed_is_gone(stored):
    embeddings = access.folder_at("s3://soil/p/embeddings")
    for name in ("spec.json", "batch_0001_size_2.parquet"):
        files.write_text(embeddings / "0123456789" / name, name)
    found = clean.SpecFolder(None, embeddings / "0123456789", 1, 9, "")  # type: ignore[arg-type]
    clean.remove(found)
    assert (names(stored), clean.leftovers(embeddings)) == ([], [])


def test_folder_that_is_only_read_is_as_stored(stored, tmp_path):
    for name in ("lucas/a.csv", ".hidden", "../../outside"):
        stored.put_object(Bucket="soil", Key=f"p/{name}", Body=b"OC")
    own = tmp_path / "soil"
    download.folder("s3://soil/p", own)
    first = (own / "lucas/a.csv").stat().st_ino
    (own / "b.csv").write_text("new by hand")
    download.folder("s3://soil/p", own)
    assert ((own / "lucas/a.csv").read_text(), (own / "lucas/a.csv").stat().st_ino) == ("OC", first)
    assert [path.name for path in own.rglob("*.csv")] == ["a.csv"]
    assert not (tmp_path.parent / "outside").exists()
    stored.put_object(Bucket="soil", Key="p/lucas/a.csv", Body=b"CO")
    download.folder("s3://soil/p", own)
    assert (own / "lucas/a.csv").read_text() == "CO"
    stored.put_object(Bucket="soil", Key="p/b.csv", Body=b"OC")
    stored.delete_object(Bucket="soil", Key="p/lucas/a.csv")
    download.folder("s3://soil/p", own)
    assert not (own / "lucas/a.csv").exists()


def test_checkpoint_on_storage_is_downloaded_alone_and_a_missing_one_is_named(stored, tmp_path):
    config = tmp_path / "soc.toml"
    config.write_text('[embedding]\ncheckpoint = "s3://soil/models/SpectralGPT+.pth"\n')
    with pytest.raises(CheckpointError, match=r"s3://soil/models/SpectralGPT\+\.pth does not exist"):
        open_project(config)
    for name in ("SpectralGPT+.pth", "SpectralGPT+.pth.old"):
        stored.put_object(Bucket="soil", Key=f"models/{name}", Body=b"weights")
    checkpoint = open_project(config).checkpoint
    assert checkpoint and checkpoint.read_bytes() == b"weights"
    assert checkpoint.relative_to(tmp_path).parts[0] == ".soc"
    assert [path.name for path in checkpoint.parent.iterdir() if path.name[0] != "."] == ["SpectralGPT+.pth"]
    stored.put_object(Bucket="soil", Key="models/SpectralGPT+.pth", Body=b"newer")
    assert open_project(config).checkpoint.read_bytes() == b"newer"  # type: ignore[union-attr]


def test_files_of_a_former_copy_that_were_never_stored_are_stored_once(stored, tmp_path):
    for name in ("samples/a.txt", "results/x.parquet", "results/inputs/y.npy", "soc.duckdb", "samples/.b.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("here")
    stored.put_object(Bucket="soil", Key="p/samples/a.txt", Body=b"there")
    words = r"1 of its files were not stored yet.*The folders samples, results in .* are read no more"
    with pytest.warns(SocWarning, match=words):
        former_copy.move_in(tmp_path, "s3://soil/p")
    assert texts(of_url("s3://soil/p")) == {"samples/a.txt": "there", "results/x.parquet": "here"}
    files.remove(of_url("s3://soil/p/results/x.parquet"))
    former_copy.move_in(tmp_path, "s3://soil/p")
    assert names(stored) == ["p/samples/a.txt"]


def test_downloading_one_file_leaves_its_neighbours_alone(stored, tmp_path):
    for name in ("session.pt", "inputs/m.npy"):
        files.write_text(tmp_path / name, "of this host")
    stored.put_object(Bucket="soil", Key="p/own.pth", Body=b"weights")
    copy = access.kept_copy(access.folder_at("s3://soil/p/own.pth"), tmp_path)
    assert copy.read_bytes() == b"weights"
    files.remove(of_url("s3://soil/p/own.pth"))
    assert not access.kept_copy(access.folder_at("s3://soil/p/own.pth"), tmp_path).exists()
    download.file("s3://soil/p/none", tmp_path / "none")
    assert {path.name for path in tmp_path.rglob("*.*") if path.is_file()} == {"session.pt", "m.npy"}


def test_soil_tables_stay_where_their_url_lists_nothing_any_more(stored, tmp_path):
    stored.put_object(Bucket="soil", Key="p/a.csv", Body=b"OC")
    download.folder("s3://soil/p", tmp_path)
    with pytest.raises(StorageError, match="There is nothing at s3://soil/q any more"):
        download.folder("s3://soil/q", tmp_path)
    assert (tmp_path / "a.csv").read_text() == "OC"


@pytest.mark.parametrize("size", [10, 101 * 2**20])  # from 100 MB on s3fs would store several parts, without condition
def test_condition_holds_for_files_of_any_size_and_for_one_that_is_gone(stored, tmp_path, size):
    path, source = of_url("s3://soil/p/big"), tmp_path / "big"
    with source.open("wb") as file:
        file.truncate(size)
    assert path.put(source, None)
    known = path.version()
    assert (path.put(source, None), path.put(source, '"0123"'), path.put(source, known)) == (False, False, True)
    files.remove(path)
    assert not path.put(source, known)


def test_file_on_storage_is_no_place_to_write_into(stored):
    with pytest.raises(ValueError, match="is written by"):
        of_url("s3://soil/p/a").open("wb")
    assert not of_url("s3://soil/p/a").is_relative_to(Path("/tmp"))


def test_files_of_the_host_itself_stay_its_own(stored, tmp_path):
    former_copy.move_in(tmp_path / "own", "s3://soil/p")
    files.write_text(tmp_path / "own/results/sites.csv", "a")
    former_copy.move_in(tmp_path / "own", "s3://soil/p")
    assert names(stored) == []


def test_copy_of_another_url_is_refused(stored, tmp_path):
    for name in (".remote/url", "samples/a.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("s3://soil/p\n")
    with pytest.raises(SettingsError, match=r"belongs to s3://soil/p, and \[paths\] data in soc.toml is s3://soil/q"):
        former_copy.move_in(tmp_path, "s3://soil/q")


def test_local_folders_import_no_fsspec(tmp_path):
    code = (
        "import sys, pathlib; from soc_assets.storage import files, objects; "
        "from soc_assets.project import open_project; "
        "files.write_text(pathlib.Path(sys.argv[1]), 'x'); files.remove(pathlib.Path(sys.argv[1])); "
        "open_project(); assert not {'fsspec', 's3fs', 'upath'} & set(sys.modules)"
    )
    (tmp_path / "soc.toml").write_text("")
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], cwd=tmp_path).returncode == 0
    assert os.environ.get("AWS_ENDPOINT_URL") != NOWHERE
