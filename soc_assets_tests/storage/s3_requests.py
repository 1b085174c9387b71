"""What a request to an S3 server asks for, read from its method, path and body."""

from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree as ET

_PLAIN = {"GET": "get", "HEAD": "head", "PUT": "put", "DELETE": "delete"}
_SUBRESOURCES = ("uploads", "uploadId", "delete", "tagging", "acl", "location", "versioning")


def query_of(path: str) -> dict[str, str]:
    """The fields of its query; a field without a value is there, and empty."""
    return dict(parse_qsl(urlsplit(path).query, keep_blank_values=True))


def described(method: str, path: str) -> tuple[str, str]:
    """The operation (as in `Request`), and `bucket/key` (of a listing `bucket/prefix`)."""
    query, key = query_of(path), unquote(urlsplit(path).path.lstrip("/"))
    sub = next((name for name in _SUBRESOURCES if name in query), "")
    bucket, _, name = key.partition("/")
    if sub:
        return f"{method} ?{sub}" if method != "PUT" else "put", key
    if method == "GET" and bucket and not name:
        return "list", f"{bucket}/{query.get('prefix', '')}"
    return _PLAIN.get(method, method), key


def bulk_deleted(operation: str, bucket: str, body: bytes) -> list[str]:
    """The objects (bucket/key) that one request removes (DeleteObjects)."""
    if operation != "POST ?delete":
        return []
    found = ET.fromstring(body).iter()
    return [f"{bucket.strip('/')}/{item.text}" for item in found if item.tag.rpartition("}")[2] == "Key"]
