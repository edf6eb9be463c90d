"""S3 of a local cloud that runs: races, memory, readers and writers at once, other clients."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any

import obstore
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

from tests.fidelity.world import code_of, empty_and_delete
from tests.localcloud.process import CloudProcess
from tests.localcloud.s3_requests import REGION, Requests

RACERS = 16
MIB = 1 << 20
LARGE = int(os.environ.get("RUNCTL_TEST_LARGE_MIB", "512")) * MIB
ROOM = 64 * MIB
BUCKET = "stored"


@pytest.fixture(scope="module")
def bucket(local_cloud: CloudProcess) -> Iterator[str]:
    s3 = local_cloud.session().client("s3")
    s3.create_bucket(Bucket=BUCKET)
    yield BUCKET
    empty_and_delete(s3, BUCKET)


@pytest.fixture
def s3(local_cloud: CloudProcess) -> Any:
    config = Config(max_pool_connections=RACERS, retries={"total_max_attempts": 1})
    return local_cloud.session().client("s3", config=config)


@pytest.fixture
def requests(local_cloud: CloudProcess) -> Requests:
    return Requests(local_cloud)


# ---------------------------------------------------------------- races


def race(work: Callable[[int], str]) -> list[str]:
    """Do it in all threads at once; return what each has to say."""
    start = Barrier(RACERS)

    def run(number: int) -> str:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(RACERS) as pool:
        return list(pool.map(run, range(RACERS)))


def attempt(call: Callable[..., Any], **parameters: Any) -> str:
    """Return the code of the error; empty where there was none."""
    try:
        call(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.mark.slow
def test_one_of_many_creates(s3: Any, bucket: str) -> None:
    for turn in range(10):
        known = {"Bucket": bucket, "Key": f"race/{turn}"}
        answers = race(partial(create, s3, known))
        assert sorted(answers) == ["", *["PreconditionFailed"] * (RACERS - 1)]
        winner = answers.index("")
        assert s3.get_object(**known)["Body"].read() == str(winner).encode()


def create(s3: Any, known: dict[str, str], number: int) -> str:
    return attempt(s3.put_object, **known, Body=str(number).encode(), IfNoneMatch="*")


@pytest.mark.slow
def test_no_update_is_lost(s3: Any, bucket: str) -> None:
    """Each adds one, again and again, on the condition that nobody else did meanwhile."""
    known = {"Bucket": bucket, "Key": "race/count"}
    s3.put_object(**known, Body=b"0")

    def add(_: int) -> str:
        for _ in range(5):
            while True:
                found = s3.get_object(**known)
                more = str(int(found["Body"].read()) + 1).encode()
                if not attempt(s3.put_object, **known, Body=more, IfMatch=found["ETag"]):
                    break
        return ""

    race(add)
    assert s3.get_object(**known)["Body"].read() == str(RACERS * 5).encode()


def test_one_of_many_completes(s3: Any, bucket: str) -> None:
    known = {"Bucket": bucket, "Key": "race/multipart"}
    made = []
    for number in range(RACERS):
        ident = s3.create_multipart_upload(**known)["UploadId"]
        part = s3.upload_part(**known, UploadId=ident, PartNumber=1, Body=str(number).encode())
        parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
        made.append({"UploadId": ident, "MultipartUpload": {"Parts": parts}})
    answers = race(
        lambda n: attempt(s3.complete_multipart_upload, **known, **made[n], IfNoneMatch="*")
    )
    assert sorted(answers) == ["", *["PreconditionFailed"] * (RACERS - 1)]
    assert s3.get_object(**known)["Body"].read() == str(answers.index("")).encode()


@pytest.mark.slow
def test_readers_see_one_whole_write(s3: Any, bucket: str) -> None:
    known = {"Bucket": bucket, "Key": "race/whole"}
    bodies = [bytes([65 + number]) * (200_000 + number) for number in range(RACERS)]
    s3.put_object(**known, Body=bodies[0])

    def work(number: int) -> str:
        for _ in range(8):
            if number % 2:
                s3.put_object(**known, Body=bodies[number])
            else:
                found = s3.get_object(**known)
                data = found["Body"].read()
                assert data in bodies
                assert found["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
        return ""

    race(work)


@pytest.mark.slow
def test_an_object_that_is_being_read_may_go(
    s3: Any, bucket: str, requests: Requests, local_cloud: CloudProcess
) -> None:
    """Who has begun to read gets the old bytes to the end; then the file is gone."""
    old, new = os.urandom(MIB) * 24, b"new"
    known = {"Bucket": bucket, "Key": "read/slowly"}
    s3.put_object(**known, Body=old)
    host, _, port = requests.place.partition(":")
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.connect((host, int(port)))
        head = requests.head("GET", f"{bucket}/read/slowly")
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        slow.sendall(f"GET /{bucket}/read/slowly HTTP/1.1\r\n{lines}\r\n".encode())
        data = slow.recv(4096)
        s3.put_object(**known, Body=new)
        assert s3.get_object(**known)["Body"].read() == new
        s3.delete_object(**known)
        body = data.partition(b"\r\n\r\n")[2]
        while len(body) < len(old) and (piece := slow.recv(MIB)):
            body += piece
    assert body == old
    folder = local_cloud.folder / "s3" / "files"
    assert len(old) not in [path.stat().st_size for path in folder.rglob("*") if path.is_file()]


# ---------------------------------------------------------------- memory


class Peak:
    """How much a process takes beyond what it had before."""

    def __init__(self, pid: int) -> None:
        self._proc = Path("/proc", str(pid))
        self._before = self._read("VmRSS")

    def begin(self) -> None:
        (self._proc / "clear_refs").write_text("5")  # the peak begins anew

    def growth(self) -> int:
        return self._read("VmHWM") - self._before

    def _read(self, name: str) -> int:
        lines = (self._proc / "status").read_text(encoding="ascii").splitlines()
        [line] = [line for line in lines if line.startswith(f"{name}:")]
        return int(line.split()[1]) * 1024


BLOCK = os.urandom(MIB)


def blocks(size: int) -> Iterator[bytes]:
    for _ in range(size // MIB):
        yield BLOCK


def digest(size: int) -> str:
    made = hashlib.md5()
    for block in blocks(size):
        made.update(block)
    return made.hexdigest()


def read_digest(s3: Any, known: dict[str, str]) -> str:
    made = hashlib.md5()
    for piece in s3.get_object(**known)["Body"].iter_chunks(MIB):
        made.update(piece)
    return made.hexdigest()


@pytest.mark.slow
def test_large_objects_are_never_in_memory(
    s3: Any, bucket: str, requests: Requests, local_cloud: CloudProcess
) -> None:
    known, wanted = {"Bucket": bucket, "Key": "large/one"}, digest(LARGE)
    peak = Peak(local_cloud.pid)
    peak.begin()
    answer = requests.send("PUT", f"{bucket}/large/one", blocks(LARGE), Content_Length=str(LARGE))
    assert answer.headers["etag"] == f'"{wanted}"'
    assert read_digest(s3, known) == wanted
    assert peak.growth() < ROOM
    s3.delete_object(**known)


@pytest.mark.slow
def test_large_parts_are_never_in_memory(
    s3: Any, bucket: str, requests: Requests, local_cloud: CloudProcess
) -> None:
    known, size = {"Bucket": bucket, "Key": "large/parts"}, LARGE // 4
    peak = Peak(local_cloud.pid)
    peak.begin()
    ident = s3.create_multipart_upload(**known)["UploadId"]

    def put(number: int) -> dict[str, Any]:
        target = f"{bucket}/large/parts?partNumber={number}&uploadId={ident}"
        answer = requests.send("PUT", target, blocks(size), Content_Length=str(size))
        return {"PartNumber": number, "ETag": answer.headers["etag"]}

    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(put, range(1, 5)))
    wanted = {"UploadId": ident, "MultipartUpload": {"Parts": parts}}
    s3.complete_multipart_upload(**known, **wanted)
    assert read_digest(s3, known) == digest(size * 4)
    copy = {"Bucket": bucket, "Key": "large/copy"}
    s3.copy_object(**copy, CopySource=known)
    assert s3.head_object(**copy)["ETag"] == f'"{digest(size * 4)}"'
    assert peak.growth() < ROOM
    for one in (known, copy):
        s3.delete_object(**one)


# ---------------------------------------------------------------- ways to speak


def test_the_host_may_name_the_bucket(s3: Any, bucket: str, requests: Requests) -> None:
    s3.put_object(Bucket=bucket, Key="a b/c", Body=b"by path")
    for host in (
        f"{bucket}.localhost",
        f"{bucket}.s3.localhost:4566",
        f"{bucket}.s3.amazonaws.com",
        f"{bucket}.s3.{REGION}.amazonaws.com",
        f"{bucket}.s3-{REGION}.amazonaws.com",
    ):
        assert requests.send("GET", "a%20b/c", host=host).body == b"by path", host
        assert b"<Key>a b/c</Key>" in requests.send("GET", "?prefix=a", host=host).body
    by_path = requests.send("GET", f"{bucket}/a%20b/c", host=f"s3.{REGION}.amazonaws.com")
    assert by_path.body == b"by path"


CRC32 = base64.b64encode(zlib.crc32(b"one two").to_bytes(4, "big")).decode()


def test_chunks_may_be_signed(s3: Any, bucket: str, requests: Requests) -> None:
    known = {"Bucket": bucket, "Key": "chunks"}
    answer = requests.chunked(f"{bucket}/chunks", [b"one", b" ", b"two"])
    assert answer.status == 200, answer
    found = s3.get_object(**known)
    assert found["Body"].read() == b"one two"
    assert "ContentEncoding" not in found
    trailer = ("x-amz-checksum-crc32", CRC32)
    assert requests.chunked(f"{bucket}/chunks", [b"one two"], trailer).status == 200
    assert s3.head_object(**known, ChecksumMode="ENABLED")["ChecksumCRC32"] == CRC32


def test_a_changed_chunk_is_refused(s3: Any, bucket: str, requests: Requests) -> None:
    known = {"Bucket": bucket, "Key": "chunks/changed"}
    told = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    body = b"3;chunk-signature=" + b"0" * 64 + b"\r\none\r\n0;chunk-signature=" + b"0" * 64
    answer = requests.send(
        "PUT", f"{bucket}/chunks/changed", body + b"\r\n\r\n", told=told,
        x_amz_decoded_content_length="3",
    )  # fmt: skip
    assert (answer.status, answer.code) == (403, "SignatureDoesNotMatch")
    wrong = ("x-amz-checksum-crc32", "AAAAAA==")
    assert requests.chunked(f"{bucket}/chunks/changed", [b"one two"], wrong).code == "BadDigest"
    assert code_of(s3.head_object, **known) == "404"


def test_trailers_need_no_signature(s3: Any, bucket: str, requests: Requests) -> None:
    body = f"7\r\none two\r\n0\r\nx-amz-checksum-crc32:{CRC32}\r\n\r\n".encode()
    answer = requests.send(
        "PUT", f"{bucket}/trailer", body, told="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        x_amz_trailer="x-amz-checksum-crc32", x_amz_decoded_content_length="7",
    )  # fmt: skip
    assert answer.headers["x-amz-checksum-crc32"] == CRC32
    assert s3.get_object(Bucket=bucket, Key="trailer")["Body"].read() == b"one two"


def test_boto3_transfers_files(s3: Any, bucket: str, tmp_path: Path) -> None:
    """In parts, with the checksums that it computes by default."""
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(os.urandom(20 * MIB + 1))
    s3.upload_file(str(source), bucket, "file")
    s3.download_file(bucket, "file", str(copy))
    assert copy.read_bytes() == source.read_bytes()
    assert s3.head_object(Bucket=bucket, Key="file")["ETag"].endswith('-3"')


def test_obstore(local_cloud: CloudProcess, bucket: str) -> None:
    keys = local_cloud.control("GET", "credentials")
    store = S3Store(
        bucket,
        endpoint=local_cloud.endpoint,
        region=REGION,
        access_key_id=keys["access_key_id"],
        secret_access_key=keys["secret_access_key"],
        client_options={"allow_http": True},
    )
    first = obstore.put(store, "obstore/a", b"first", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(store, "obstore/a", b"again", mode="create")
    obstore.put(store, "obstore/a", b"second", mode={"e_tag": first["e_tag"]})
    with pytest.raises(PreconditionError):
        obstore.put(store, "obstore/a", b"third", mode={"e_tag": first["e_tag"]})
    assert bytes(obstore.get(store, "obstore/a").bytes()) == b"second"
    large = os.urandom(12 * MIB)
    obstore.put(store, "obstore/large", large, use_multipart=True, chunk_size=5 * MIB)
    assert (
        bytes(obstore.get_range(store, "obstore/large", start=MIB, length=9))
        == large[MIB : MIB + 9]
    )
    listed = [one["path"] for one in obstore.list(store, "obstore").collect()]
    assert sorted(listed) == ["obstore/a", "obstore/large"]
    obstore.copy(store, "obstore/large", "obstore/copy")
    assert bytes(obstore.get(store, "obstore/copy").bytes()) == large
    obstore.delete(store, ["obstore/a", "obstore/large", "obstore/copy"])
    assert not obstore.list(store, "obstore").collect()
