"""Who pays, who asks, and how to encrypt: seen at the store's door."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.scene import Scene

LISTED = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult><Name>b</Name><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated>
<Contents><Key>k/old</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>
<ETag>&quot;5d41402abc4b2a76b9719d911017c592&quot;</ETag><Size>5</Size></Contents></ListBucketResult>"""
BEGUN = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
DONE = b"<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"


@dataclass
class Door:
    """A store that has one object, and notes how it was asked."""

    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def told(self, header: str) -> set[str | None]:
        return {headers.get(header) for _, _, headers in self.asked}


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            if self.headers.get("Expect"):
                self.send_response_only(100)
                self.end_headers()
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.asked.append((self.command, self.path, headers))
            body = b""
            if self.command == "GET":
                body = LISTED if "list-type" in self.path else b"hello"
            if self.command == "POST":
                body = BEGUN if "uploads" in self.path else DONE
            self.send_response_only(206 if headers.get("range") else 200)
            self.send_header("ETag", '"5d41402abc4b2a76b9719d911017c592"')
            self.send_header("Content-Length", str(len(body)))
            if headers.get("range"):
                self.send_header("Content-Range", "bytes 0-4/5")
            self.send_header("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
            self.end_headers()
            self.wfile.write(body)

    for verb in ("GET", "PUT", "HEAD", "POST"):
        setattr(Handler, f"do_{verb}", Handler.answer)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def user(tmp_path: Path, door: Door) -> Scene:
    made = Scene(tmp_path)
    made.env |= {
        "AWS_ENDPOINT_URL": door.url,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return made


def sign_in(user: Scene) -> None:
    user.env |= {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}


def test_who_pays_says_so_each_time(user: Scene, door: Door) -> None:
    sign_in(user)
    done = user.type("s3", "download", "s3://b/k", "here", "--requester-pays")
    assert done.returncode == 0, done.stderr.decode()
    assert door.told("x-amz-request-payer") == {"requester"}
    assert (user.project / "here/old").read_bytes() == b"hello"
    door.asked.clear()
    assert user.type("s3", "list", "-r", "s3://b/k").returncode == 0
    assert door.told("x-amz-request-payer") == {None}


def test_who_has_no_keys_signs_nothing(user: Scene, door: Door) -> None:
    assert user.type("s3", "download", "s3://b/k", "here").returncode == 6
    done = user.type("s3", "download", "s3://b/k", "here", "--anonymous")
    assert done.returncode == 0, done.stderr.decode()
    assert door.told("authorization") == {None}
    assert (user.project / "here/old").read_bytes() == b"hello"


def test_what_is_stored_is_encrypted_as_was_asked(user: Scene, door: Door) -> None:
    sign_in(user)
    user.write("data/small", "x")
    user.write("data/large", "x" * (17 * 1024**2))
    words = ("s3", "upload", "data", "s3://b/new", "--kms-key", "alias/mine")
    done = user.type(*words)
    assert done.returncode == 0, done.stderr.decode()
    begun = [headers for method, path, headers in door.asked
             if (method == "PUT" and "small" in path) or "uploads" in path]  # fmt: skip
    assert len(begun) == 2
    for headers in begun:
        assert headers["x-amz-server-side-encryption"] == "aws:kms"
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/mine"


def test_what_contradicts_itself_is_refused(user: Scene) -> None:
    words = ("s3", "upload", "x", "s3://b/new", "--kms-key", "k", "--sse", "AES256")
    assert user.type(*words).returncode == 2
