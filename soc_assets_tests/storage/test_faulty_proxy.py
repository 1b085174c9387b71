"""The proxy in front of the S3 server: what it counts, and each of its faults, as clients see them."""

import functools
import time

import boto3
import botocore.exceptions
import pytest
from botocore.config import Config

from soc_assets_tests import storage_server
from soc_assets_tests.storage import faulty_proxy

MEGABYTE = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def server():
    with storage_server.serving() as url, faulty_proxy.in_front_of(url) as proxy:
        yield url, proxy


@pytest.fixture
def proxy(server, monkeypatch):
    """Without faults, and nothing counted."""
    for name, value in storage_server.environment(server[1].url).items():
        monkeypatch.setenv(name, value)
    server[1].set()
    behind(server).create_bucket(Bucket="soil")
    server[1].forget()
    yield server[1]
    server[1].set()
    for item in behind(server).list_objects_v2(Bucket="soil").get("Contents", []):
        behind(server).delete_object(Bucket="soil", Key=item["Key"])


@functools.cache  # making one takes a tenth of a second
def client(url: str, attempts: int = 1):
    given = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
    return boto3.client("s3", endpoint_url=url, config=config, **given)


def behind(server):
    """A client of the server itself, which no fault reaches."""
    return client(server[0])


def fresh_filesystem(**config):
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    return s3fs.S3FileSystem(
        skip_instance_cache=True, use_listings_cache=False, config_kwargs={"retries": {"max_attempts": 0}, **config}
    )


def put(proxy, key: str, body: bytes = b"x" * 1000, **options):
    return client(proxy.url).put_object(Bucket="soil", Key=key, Body=body, **options)


def listed(proxy, **query) -> list[str]:
    return [item["Key"] for item in client(proxy.url).list_objects_v2(Bucket="soil", **query).get("Contents", [])]


def test_everything_passes_and_is_counted_by_key(server, proxy):
    put(proxy, "p/a b/ü.bin", MEGABYTE)
    assert client(proxy.url).get_object(Bucket="soil", Key="p/a b/ü.bin")["Body"].read() == MEGABYTE
    part = client(proxy.url).get_object(Bucket="soil", Key="p/a b/ü.bin", Range="bytes=10-19")
    assert (part["Body"].read(), part["ContentRange"]) == (MEGABYTE[10:20], f"bytes 10-19/{len(MEGABYTE)}")
    assert client(proxy.url).head_object(Bucket="soil", Key="p/a b/ü.bin")["ContentLength"] == len(MEGABYTE)
    assert listed(proxy) == ["p/a b/ü.bin"]
    assert [item.operation for item in proxy.requests()] == ["put", "get", "get", "head", "list"]
    assert [item.range for item in proxy.requests("soil/p/a b/", "get")] == [None, "bytes=10-19"]
    assert (proxy.downloaded("soil/p/"), proxy.downloaded("soil/q/")) == (len(MEGABYTE) + 10, 0)
    assert len(MEGABYTE) <= proxy.uploaded("soil/p/") < len(MEGABYTE) + 2000
    proxy.forget()
    assert (proxy.requests(), proxy.downloaded(), proxy.uploaded()) == ([], 0, 0)


def test_fsspec_reads_ranges_writes_parts_conditions_and_removes_through_it(server, proxy):
    fs = fresh_filesystem()
    fs.pipe_file("soil/f/one", b"1" * 100)
    assert (fs.cat_file("soil/f/one", start=10, end=30), proxy.downloaded("soil/f/one")) == (b"1" * 20, 20)
    with fs.open("soil/f/parts", "wb", block_size=5 << 20) as file:
        file.write(bytes(11 << 20))
    assert (fs.info("soil/f/parts")["size"], proxy.uploaded("soil/f/parts") // (11 << 20)) == (11 << 20, 1)
    with pytest.raises(FileExistsError):
        fs.pipe_file("soil/f/one", b"2", mode="create")
    assert sorted(fs.find("soil/f")) == ["soil/f/one", "soil/f/parts"]
    fs.rm("soil/f", recursive=True)
    assert fs.find("soil/f") == []
    with pytest.raises(FileNotFoundError):
        fs.cat_file("soil/f/one")


def test_share_of_requests_is_busy_and_the_same_ones_every_time(server, proxy):
    def statuses() -> list[int]:
        proxy.set(busy=0.3, seed=7, only="soil/b/")
        proxy.forget()
        for number in range(40):
            try:
                put(proxy, f"b/{number}")
            except botocore.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] == "SlowDown"
        return [item.status for item in proxy.requests("soil/b/")]

    once = statuses()
    assert 5 <= once.count(503) <= 22
    assert (statuses(), set(once)) == (once, {200, 503})
    assert len(listed(proxy)) == once.count(200), "an upload that was refused has not happened"
    assert {item.fault for item in proxy.requests() if item.status == 503} == {"busy"}


def test_client_that_tries_again_gets_through(server, proxy):
    proxy.set(busy=1, at_most=2)
    client(proxy.url, attempts=3).put_object(Bucket="soil", Key="again", Body=b"x")
    assert [item.status for item in proxy.requests("soil/again")] == [503, 503, 200]


def test_read_that_is_cut_ends_in_an_error_after_half_of_it(server, proxy):
    put(proxy, "g", MEGABYTE)
    proxy.set(cut_get=1)
    with pytest.raises(botocore.exceptions.BotoCoreError):
        client(proxy.url).get_object(Bucket="soil", Key="g")["Body"].read()
    [read] = proxy.requests("soil/g", "get")
    assert (read.status, read.fault, read.sent) == (0, "cut_get", len(MEGABYTE) // 2)
    proxy.set(cut_get=1, only="soil/other")
    assert client(proxy.url).get_object(Bucket="soil", Key="g")["Body"].read() == MEGABYTE


def test_upload_that_is_cut_leaves_nothing_or_what_was_there(server, proxy):
    put(proxy, "old", b"before")
    proxy.set(cut_put=1)
    for key in ("old", "new"):
        with pytest.raises(botocore.exceptions.BotoCoreError):
            put(proxy, key, MEGABYTE)
    assert [item["Key"] for item in behind(server).list_objects_v2(Bucket="soil")["Contents"]] == ["old"]
    assert behind(server).get_object(Bucket="soil", Key="old")["Body"].read() == b"before"
    assert 0 < proxy.requests("soil/new")[0].received <= len(MEGABYTE) // 2 + 1000


def test_upload_whose_answer_is_lost_has_happened_and_a_condition_fails_when_it_is_repeated(server, proxy):
    proxy.set(cut_answer=1, at_most=1)
    with pytest.raises(botocore.exceptions.BotoCoreError):
        put(proxy, "whole", MEGABYTE, IfNoneMatch="*")
    assert behind(server).head_object(Bucket="soil", Key="whole")["ContentLength"] == len(MEGABYTE)
    with pytest.raises(botocore.exceptions.ClientError, match="PreconditionFailed"):
        put(proxy, "whole", MEGABYTE, IfNoneMatch="*")


def test_server_is_down_for_a_while_and_then_answers(server, proxy):
    put(proxy, "d")
    began = time.monotonic()
    proxy.set(down=1.5)
    with pytest.raises(botocore.exceptions.BotoCoreError):
        client(proxy.url).head_object(Bucket="soil", Key="d")
    while not any(item.status == 200 for item in proxy.requests("soil/d", "head")):
        try:
            client(proxy.url).head_object(Bucket="soil", Key="d")
        except botocore.exceptions.BotoCoreError:
            time.sleep(0.1)
    assert 1.4 < time.monotonic() - began < 15


def test_prefix_is_denied_to_every_method_or_to_those_named(server, proxy):
    put(proxy, "secret/x")
    put(proxy, "open/x")
    proxy.set(denied=["soil/secret/"])
    for ask in (lambda: put(proxy, "secret/y"), lambda: listed(proxy, Prefix="secret/")):
        with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
            ask()
    with pytest.raises(PermissionError):
        fresh_filesystem().cat_file("soil/secret/x")
    with pytest.raises(PermissionError):
        fresh_filesystem().rm(["soil/open/x", "soil/secret/x"])
    assert listed(proxy) == ["open/x", "secret/x"], "nothing was removed"
    proxy.set(denied=["soil/secret/"], denied_methods=["PUT"])
    assert fresh_filesystem().cat_file("soil/secret/x") == b"x" * 1000
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        put(proxy, "secret/x")


def test_listings_are_of_some_time_ago_and_reads_are_not(server, proxy):
    for key in ("l/a", "l/sub/b", "l/sub/c"):
        put(proxy, key, b"old")
    proxy.set(lists_late=2)
    time.sleep(0.1)
    put(proxy, "l/new", b"newer")
    put(proxy, "l/a", b"newer")
    client(proxy.url).delete_object(Bucket="soil", Key="l/sub/b")
    client(proxy.url).delete_objects(Bucket="soil", Delete={"Objects": [{"Key": "l/sub/c"}]})
    assert client(proxy.url).get_object(Bucket="soil", Key="l/new")["Body"].read() == b"newer"
    late = client(proxy.url).list_objects_v2(Bucket="soil", Prefix="l/")["Contents"]
    assert [(item["Key"], item["Size"]) for item in late] == [("l/a", 3), ("l/sub/b", 3), ("l/sub/c", 3)]
    assert sorted(fresh_filesystem().ls("soil/l", detail=False)) == ["soil/l/a", "soil/l/sub"]
    paged = (
        client(proxy.url)
        .get_paginator("list_objects_v2")
        .paginate(Bucket="soil", Prefix="l/", Delimiter="/", PaginationConfig={"PageSize": 1})
    )
    assert [len(page.get("Contents", [])) + 2 * len(page.get("CommonPrefixes", [])) for page in paged] == [1, 2]
    time.sleep(2)
    assert listed(proxy) == ["l/a", "l/new"]


def test_answers_wait(server, proxy):
    proxy.set(delay=0.3)
    began = time.monotonic()
    put(proxy, "slow")
    assert time.monotonic() - began >= 0.3
