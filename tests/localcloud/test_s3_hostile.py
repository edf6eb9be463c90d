"""What no client of good will sends to S3: it is told so in XML, and nothing else happens."""

from __future__ import annotations

import base64
import hashlib
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from tests.fidelity.s3_things import fetch
from tests.fidelity.world import empty_and_delete, wait_until
from tests.localcloud.process import CloudProcess
from tests.localcloud.s3_requests import Answer, Requests

BUCKET = "hostile"
BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE bomb [
 <!ENTITY a "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa">
 <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
 <!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
 <!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">
]>
<Delete><Object><Key>&d;</Key></Object></Delete>"""
OUTSIDE = b"""<?xml version="1.0"?>
<!DOCTYPE x [<!ENTITY file SYSTEM "file:///etc/passwd">]>
<Delete><Object><Key>&file;</Key></Object></Delete>"""
DEEP = b"<Delete>" + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</Delete>"
MANY = b"<Delete>" + b"<Object><Key>k</Key></Object>" * 1001 + b"</Delete>"
TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


@dataclass(frozen=True)
class Sent:
    """A request, and the error that it ends in; an empty code is for what is answered."""

    code: str
    method: str
    target: str
    body: bytes = b""
    told: str = "UNSIGNED-PAYLOAD"
    headers: dict[str, str] = field(default_factory=dict)


def put(code: str, body: bytes = b"xx", told: str = "UNSIGNED-PAYLOAD", **headers: str) -> Sent:
    return Sent(code, "PUT", "hostile/key", body, told, headers)


def chunks(code: str, body: bytes, length: str = "3", **headers: str) -> Sent:
    return put(code, body, TRAILER, x_amz_decoded_content_length=length, **headers)


def post(code: str, query: str, body: bytes) -> Sent:
    return Sent(code, "POST", f"hostile?{query}", body)


def get(code: str, target: str, **headers: str) -> Sent:
    return Sent(code, "GET", target, headers=headers)


DOCUMENTS = [
    *(post("MalformedXML", "delete", body) for body in
      (b"", b"x", b"<Delete>", b"\xff\xfe\x00", b"\x00" * 1000, BOMB, OUTSIDE, DEEP, MANY,
       b"<Delete><Object><Key></Key></Object></Delete>", b"<Other/>",
       b'<?xml version="1.0" encoding="nonsense"?><Delete/>',
       b'<?xml version="1.0" encoding="utf-16"?><Delete/>')),
    post("EntityTooLarge", "delete", b"<Delete>" + b" " * (3 << 20) + b"</Delete>"),
    *(Sent("MalformedXML", "PUT", f"hostile?{part}", body)
      for part in ("tagging", "versioning", "lifecycle", "cors", "publicAccessBlock",
                   "encryption", "ownershipControls")
      for body in (b"", b"nonsense", BOMB, b"<Other/>")),
    *(Sent("MalformedPolicy", "PUT", "hostile?policy", body)
      for body in (b"", b"nonsense", b"[]", b"\xff\xfe", b"{" * 100_000, b"[" * 100_000,
                   b'{"Statement": 1}', b'{"Statement": [[]]}', b'{"Statement": [{"Effect": 1}]}')),
    Sent("NoSuchUpload", "POST", "hostile/key?uploadId=x",
         b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>"
         b"</CompleteMultipartUpload>"),
    *(Sent("MalformedXML", "POST", "hostile/key?uploadId=x",
           b"<CompleteMultipartUpload><Part>" + part + b"</Part></CompleteMultipartUpload>")
      for part in (b"", b"<PartNumber>one</PartNumber><ETag>x</ETag>",
                   b"<PartNumber>-1</PartNumber><ETag>x</ETag>",
                   b"<PartNumber>" + b"9" * 5000 + b"</PartNumber><ETag>x</ETag>",
                   "<PartNumber>\u0661</PartNumber><ETag>x</ETag>".encode())),
]  # fmt: skip
BODIES = [
    chunks("InvalidRequest", b"zz\r\nabc\r\n0\r\n\r\n"),
    chunks("InvalidRequest", b"-3\r\nabc\r\n0\r\n\r\n"),
    chunks("InvalidRequest", b"0x3\r\nabc\r\n0\r\n\r\n"),
    chunks("InvalidRequest", b"3" * 20_000),
    chunks("IncompleteBody", b"3\r\nabcdef\r\n0\r\n\r\n"),
    chunks("IncompleteBody", b"9\r\nabc\r\n"),
    chunks("IncompleteBody", b"3\r\nabc\r\n"),
    chunks("IncompleteBody", b"3\r\nabc\r\n0\r\n\r\n", length="4"),
    chunks("InvalidArgument", b"3\r\nabc\r\n0\r\n\r\n", length="three"),
    chunks("EntityTooLarge", b"3\r\nabc\r\n0\r\n\r\n", length="9" * 17),
    chunks("InvalidRequest", b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:nonsense\r\n\r\n",
           x_amz_trailer="x-amz-checksum-crc32"),
    chunks("BadDigest", b"3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
           x_amz_trailer="x-amz-checksum-crc32"),
    chunks("MalformedTrailerError", b"3\r\nabc\r\n0\r\nx-amz-checksum-sha1:"
           + base64.b64encode(b"x" * 20) + b"\r\n\r\n", x_amz_trailer="x-amz-checksum-crc32"),
    chunks("InvalidRequest", b"3\r\nabc\r\n0\r\n\r\n", x_amz_trailer="x-amz-checksum-nonsense"),
    put("SignatureDoesNotMatch", b"2;chunk-signature=00\r\nxx\r\n0\r\n\r\n", SIGNED,
        x_amz_decoded_content_length="2"),
    put("SignatureDoesNotMatch", b"2\r\nxx\r\n0\r\n\r\n", SIGNED, x_amz_decoded_content_length="2"),
    put("XAmzContentSHA256Mismatch", b"xx", "0" * 64),
    put("InvalidArgument", b"xx", "nonsense"),
    put("InvalidArgument", b"xx", "STREAMING-NONSENSE"),
    put("InvalidDigest", content_md5="\u00fc"),
    put("InvalidRequest", x_amz_checksum_crc32="\u00fc"),
    put("InvalidRequest", x_amz_sdk_checksum_algorithm="MD4"),
    put("InvalidRequest", x_amz_checksum_sha1=base64.b64encode(b"x" * 20).decode(),
        x_amz_checksum_sha256=base64.b64encode(b"x" * 32).decode()),
    put("InvalidTag", x_amz_tagging="=x"),
    put("NotImplemented", x_amz_server_side_encryption_customer_algorithm="AES256"),
    put("InvalidArgument", x_amz_copy_source="nonsense"),
    put("NoSuchBucket", x_amz_copy_source="%ff%fe/x"),
    put("NoSuchBucket", x_amz_copy_source="/../../etc/passwd"),
]  # fmt: skip
QUERIES = [
    *(get("InvalidArgument", f"hostile?{query}") for query in
      ("max-keys=-1", "max-keys=x", "max-keys=%D9%A1", "max-keys=99999999999999999999",
       "list-type=2&continuation-token=x%2Fy", "list-type=2&continuation-token=",
       "versions&version-id-marker=x", "versions&key-marker=k&version-id-marker=x",
       "uploads&max-uploads=x", "encoding-type=base64")),
    *(get("", f"hostile?{query}") for query in
      ("prefix=%00", "prefix=%F4%8F%BF%BF", "delimiter=%00&prefix=%00",
       "marker=%F4%8F%BF%BF", "prefix=%EE%80%80", "list-type=2&start-after=%00", "max-keys=0",
       "versions&prefix=%00&key-marker=%01", "uploads&key-marker=%01&upload-id-marker=%00",
       "prefix=a&prefix=b", "versions&max-keys=0", "nonsense=1")),
    *(get("InvalidArgument", f"hostile/there?{query}") for query in
      ("partNumber=0", "partNumber=x", "partNumber=%D9%A1", f"partNumber={'9' * 30}",
       "versionId=", "versionId=..%2F..%2Fx")),
    get("NoSuchUpload", "hostile/there?uploadId=%00"),
    get("KeyTooLongError", "hostile/" + "k" * 1025),
    get("NoSuchKey", "hostile/%00%01"),
    get("NoSuchKey", "hostile/../../../etc/passwd"),
    get("NoSuchBucket", "%00/k"),
    get("InvalidArgument", "hostile/there?attributes"),
    *(get("", "hostile/there", Range=text) for text in
      ("bytes=-", "bytes=5-2", "bytes=a-b", "bytes=0-1,3-4", "bytes=\u0661-", "x" * 1000)),
    *(get("InvalidRange", "hostile/there", Range=text) for text in
      ("bytes=999999999999999999-", "bytes=-0")),
    *(get("", "hostile/there", If_Modified_Since=text) for text in
      ("nonsense", "Mon, 01 Jan 99999 00:00:00 GMT", "0")),
    get("", "hostile/there?response-content-type=a%0D%0AX-Injected%3A%20yes"),
    get("NotImplemented", "hostile/there?torrent"),
    Sent("NotImplemented", "PATCH", "hostile/there"),
    Sent("NotImplemented", "POST", "hostile/there"),
    Sent("InvalidBucketName", "PUT", "%00%00%00"),
]  # fmt: skip


@pytest.fixture(scope="module")
def requests(local_cloud: CloudProcess) -> Iterator[Requests]:
    s3 = local_cloud.session().client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="there", Body=b"0123456789")
    yield Requests(local_cloud)
    assert s3.get_object(Bucket=BUCKET, Key="there")["Body"].read() == b"0123456789"
    empty_and_delete(s3, BUCKET)
    assert "Traceback" not in local_cloud.log()


def told(one: Sent) -> str:
    return f"{one.method} {one.target} {one.headers} {one.body[:30]!r}"[:120]


@pytest.mark.parametrize("sent", [*DOCUMENTS, *BODIES, *QUERIES], ids=told)
def test_it_is_told_in_xml(sent: Sent, requests: Requests) -> None:
    answer = requests.send(
        sent.method, sent.target, sent.body, told=sent.told, **_latin(sent.headers)
    )
    assert answer.code == sent.code, answer
    assert answer.status < 500 or sent.code == "NotImplemented"
    assert "x-injected" not in answer.headers
    assert b"Traceback" not in answer.body
    assert b"root:" not in answer.body


def _latin(headers: dict[str, str]) -> dict[str, str]:
    """What headers cannot hold is sent in UTF-8, byte by byte."""
    return {name: value.encode().decode("latin-1") for name, value in headers.items()}


def test_a_body_that_is_cut_off_stores_nothing(
    requests: Requests, local_cloud: CloudProcess
) -> None:
    s3 = local_cloud.session().client("s3")
    known = s3.create_multipart_upload(Bucket=BUCKET, Key="cut")
    folder = local_cloud.folder / "s3" / "files"
    before = sorted(folder.rglob("*"))
    upload = f"cut?partNumber=1&uploadId={known['UploadId']}"
    for target in (f"{BUCKET}/cut", f"{BUCKET}/{upload}"):
        for sent in (0, 1, 100_000):
            _cut(requests, target, sent)
    left = "files of what was cut off are left"
    wait_until(lambda: sorted(folder.rglob("*")) == before, left, 30)
    assert "Parts" not in s3.list_parts(Bucket=BUCKET, Key="cut", UploadId=known["UploadId"])
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix="cut")


def _cut(requests: Requests, target: str, size: int) -> None:
    """Say a million bytes, send fewer, and hang up."""
    head = requests.head("PUT", target, Content_Length="1000000")
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    host, _, port = requests.place.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as stream:
        stream.sendall(f"PUT /{target} HTTP/1.1\r\n{lines}\r\n".encode() + b"x" * size)


def test_what_is_refused_early_need_not_be_sent(requests: Requests) -> None:
    """Who waits to be asked for the body is told of the error first."""
    head = requests.head("PUT", "nobody-has-this/k", Content_Length="1000000000")
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    host, _, port = requests.place.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as stream:
        request = f"PUT /nobody-has-this/k HTTP/1.1\r\n{lines}Expect: 100-continue\r\n\r\n"
        stream.sendall(request.encode())
        answer = b""
        with suppress(ConnectionError):
            while piece := stream.recv(65536):
                answer += piece
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"<Code>NoSuchBucket</Code>" in answer


def test_what_is_refused_early_is_told_to_who_goes_on_sending(requests: Requests) -> None:
    """The answer is not lost in a reset, though nobody has read the body."""
    target, body = "nobody-has-this/k", bytes(32 << 20)
    head = requests.head("PUT", target, Content_Length=str(len(body)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    host, _, port = requests.place.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as stream:
        stream.sendall(f"PUT /{target} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        assert stream.recv(65536).startswith(b"HTTP/1.1 404 ")


def test_nobody_in_particular_is_refused(requests: Requests) -> None:
    for method, target in (("GET", ""), ("GET", BUCKET), ("GET", f"{BUCKET}/there"),
                           ("PUT", f"{BUCKET}/there"), ("DELETE", f"{BUCKET}/there"),
                           ("PUT", "nobodys-bucket")):  # fmt: skip
        answer = _unsigned(requests, method, target)
        assert (answer.status, answer.code) == (403, "AccessDenied"), (method, target)
    assert _unsigned(requests, "GET", f"{BUCKET}/%ff%fe").code == "InvalidURI"
    many = _unsigned(requests, "POST", f"{BUCKET}?delete",
                     b"<Delete><Object><Key>there</Key></Object></Delete>")  # fmt: skip
    assert b"<Deleted>" not in many.body
    assert b"<Code>AccessDenied</Code>" in many.body


def _unsigned(requests: Requests, method: str, target: str, body: bytes = b"") -> Answer:
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    found = fetch(f"{requests.endpoint}/{target}", method, body, Content_MD5=digest)
    return Answer(*found)
