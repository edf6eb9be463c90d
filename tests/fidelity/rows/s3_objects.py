"""Objects of S3: put, read, read in part, on conditions, with checksums."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.fidelity.s3_things import (
    SUMS,
    TEN,
    TEN_MD5,
    client_with,
    empty,
    fetch,
    new,
    of,
    put,
    row,
    send,
    ten,
    version_4,
)
from tests.fidelity.table import Answered, Parameters, Refused, Row, Story, World
from tests.fidelity.world import code_of

ETAG = f'"{TEN_MD5}"'
OTHER_ETAG = f'"{"0" * 32}"'
EARLY, LATE = datetime(2001, 1, 1, tzinfo=UTC), datetime(2101, 1, 1, tzinfo=UTC)
NO_KEY = "no/such/key"
TEN_64 = base64.b64encode(bytes.fromhex(TEN_MD5)).decode()
OTHER_64 = base64.b64encode(b"x" * 16).decode()


def unknown(**more: Any) -> Callable[[World], dict[str, Any]]:
    return lambda world: {"Bucket": world.bucket, "Key": NO_KEY, **more}


def header(name: str, value: str) -> Answered:
    return Answered(lambda a: a["ResponseMetadata"]["HTTPHeaders"][name] == value)


def told(**members: Any) -> Answered:
    """An answer with these members."""
    return Answered(lambda a: {name: a.get(name) for name in members} == members)


def body(expected: bytes, **members: Any) -> Answered:
    """An answer with these bytes and members."""
    return Answered(
        lambda a: (a["Body"].read(), {name: a.get(name) for name in members}) == (expected, members)
    )


# ---------------------------------------------------------------- reading

MISSING = [
    *(row(f"{call} of a key that is not there is NoSuchKey", call, unknown(**more),
          Refused("NoSuchKey", "The specified key does not exist", 404))
      for call, more in (
          ("get_object", {}), ("get_object_tagging", {}), ("get_object_acl", {}),
          ("get_object_attributes", {"ObjectAttributes": ["ETag"]}),
          ("put_object_tagging", {"Tagging": {"TagSet": []}}),
      )),
    row("HEAD of a key that is not there is a bare 404", "head_object", unknown(),
        Refused("404", "", 404)),
    row("a key that is not there is deleted without a word", "delete_object", unknown(),
        Answered(lambda a: a["ResponseMetadata"]["HTTPStatusCode"] == 204)),
    row("what cannot be the id of a version is InvalidArgument", "get_object",
        of(ten, VersionId="nonsense"),
        Refused("InvalidArgument", "Invalid version id specified", 400)),
]  # fmt: skip
READS = [
    row("an object is read with its metadata", "get_object", of(ten),
        body(TEN, ETag=ETAG, ContentLength=10, ContentType="text/plain", CacheControl="no-cache",
             AcceptRanges="bytes", TagCount=1, ServerSideEncryption="AES256",
             Metadata={"owner": "fidelity", "mixed-case": "Kept As It Is"})),
    row("HEAD tells what GET tells", "head_object", of(ten),
        told(ETag=ETAG, ContentLength=10, ContentType="text/plain", CacheControl="no-cache",
             Metadata={"owner": "fidelity", "mixed-case": "Kept As It Is"})),
    row("an object without a type is binary/octet-stream", "head_object", of(empty),
        told(ContentType="binary/octet-stream", ContentLength=0,
             ETag='"d41d8cd98f00b204e9800998ecf8427e"')),
    row("headers of an answer can be chosen", "get_object",
        of(ten, ResponseContentType="image/png", ResponseCacheControl="private",
           ResponseContentDisposition="attachment", ResponseContentLanguage="de",
           ResponseContentEncoding="identity"),
        body(TEN, ContentType="image/png", CacheControl="private",
             ContentDisposition="attachment", ContentLanguage="de", ContentEncoding="identity")),
    row("the standard storage class is not told", "head_object", of(ten),
        Answered(lambda a: "StorageClass" not in a)),
]  # fmt: skip


def ranged(says: str, wanted: str, data: bytes, told_range: str | None) -> Row:
    members = {"ContentLength": len(data), "ContentRange": told_range}
    return row(says, "get_object", of(ten, Range=wanted), body(data, **members))


RANGES = [
    ranged("a range is read", "bytes=2-4", b"234", "bytes 2-4/10"),
    ranged("a range is read from a place on", "bytes=7-", b"789", "bytes 7-9/10"),
    ranged("the last bytes are read", "bytes=-3", b"789", "bytes 7-9/10"),
    ranged("a range ends with the object", "bytes=8-999", b"89", "bytes 8-9/10"),
    ranged("more last bytes than there are are all", "bytes=-999", TEN, "bytes 0-9/10"),
    ranged("what is no range is not heeded", "lines=1-2", TEN, None),
    row("a range is 206", "get_object", of(ten, Range="bytes=0-0"),
        Answered(lambda a: a["ResponseMetadata"]["HTTPStatusCode"] == 206)),
    row("a range after the end is InvalidRange", "get_object", of(ten, Range="bytes=10-"),
        Refused("InvalidRange", "The requested range is not satisfiable", 416)),
    row("no last bytes are InvalidRange", "get_object", of(ten, Range="bytes=-0"),
        Refused("InvalidRange", "", 416)),
    row("any range of nothing is InvalidRange", "get_object", of(empty, Range="bytes=0-0"),
        Refused("InvalidRange", "", 416)),
    row("HEAD tells the length of a range", "head_object", of(ten, Range="bytes=2-4"),
        told(ContentLength=3)),
    row("what came in one request is part 1", "get_object", of(ten, PartNumber=1), body(TEN)),
    row("and there is no part 2", "get_object", of(ten, PartNumber=2),
        Refused("InvalidPartNumber", "", 416)),
]  # fmt: skip
CONDITIONS = [
    row("If-Match of the ETag holds", "get_object", of(ten, IfMatch=ETAG), body(TEN)),
    row("If-Match of another ETag does not hold", "get_object", of(ten, IfMatch=OTHER_ETAG),
        Refused("PreconditionFailed", "", 412)),
    row("If-None-Match of the ETag is 304", "get_object", of(ten, IfNoneMatch=ETAG),
        Refused("304", "", 304)),
    row("If-None-Match of another ETag holds", "get_object", of(ten, IfNoneMatch=OTHER_ETAG),
        body(TEN)),
    row("If-Modified-Since of a time to come is not heeded", "get_object",
        of(ten, IfModifiedSince=EARLY), body(TEN)),
    row("If-Unmodified-Since of a time before is 412", "get_object",
        of(ten, IfUnmodifiedSince=EARLY), Refused("PreconditionFailed", "", 412)),
    row("If-Unmodified-Since of a time after holds", "get_object",
        of(ten, IfUnmodifiedSince=LATE), body(TEN)),
    row("If-Match that holds outweighs If-Unmodified-Since", "get_object",
        of(ten, IfMatch=ETAG, IfUnmodifiedSince=EARLY), body(TEN)),
    row("If-None-Match that does not hold outweighs If-Modified-Since", "get_object",
        of(ten, IfNoneMatch=ETAG, IfModifiedSince=EARLY), Refused("304", "", 304)),
    row("a condition that does not hold is a bare 412 to HEAD", "head_object",
        of(ten, IfMatch=OTHER_ETAG), Refused("412", "", 412)),
    row("what is unchanged is a bare 304 to HEAD", "head_object", of(ten, IfNoneMatch=ETAG),
        Refused("304", "", 304)),
]  # fmt: skip

# ---------------------------------------------------------------- writing

WRITES = [
    row("a key has at most 1,024 bytes", "put_object",
        lambda w: {"Bucket": w.bucket, "Key": "k" * 1025, "Body": b"x"},
        Refused("KeyTooLongError", "", 400)),
    row("metadata has at most 2 KB", "put_object", new("metadata", Metadata={"m": "v" * 2049}),
        Refused("MetadataTooLarge", "", 400)),
    row("an unknown storage class is refused", "put_object",
        new("class", StorageClass="NONSENSE"), Refused("InvalidStorageClass", "", 400)),
    row("an object has at most ten tags", "put_object",
        new("tags", Tagging="&".join(f"k{n}=v" for n in range(11))),
        Refused("BadRequest", "Object tags cannot be greater than 10", 400)),
    row("nor more afterwards", "put_object_tagging",
        of(ten, Tagging={"TagSet": [{"Key": f"k{n}", "Value": "v"} for n in range(11)]}),
        Refused("BadRequest", "Object tags cannot be greater than 10", 400)),
    row("an object has no tag twice", "put_object_tagging",
        of(ten, Tagging={"TagSet": [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]}),
        Refused("InvalidTag", "", 400)),
    row("a tag's key has at most 128 characters", "put_object_tagging",
        of(ten, Tagging={"TagSet": [{"Key": "k" * 129, "Value": "v"}]}),
        Refused("InvalidTag", "", 400)),
    row("tags are read", "get_object_tagging", of(ten),
        Answered(lambda a: a["TagSet"] == [{"Key": "kind", "Value": "row"}])),
    row("an unknown encryption is refused", "put_object",
        new("sse", ServerSideEncryption="nonsense"), Refused("InvalidArgument", "", 400)),
    row("a new object is encrypted with AES256", "put_object", new("sse", Body=TEN),
        told(ServerSideEncryption="AES256", ETag=ETAG)),
]  # fmt: skip
IF_WRITES = [
    row("If-None-Match: * does not overwrite", "put_object",
        of(ten, Body=b"x", IfNoneMatch="*"), Refused("PreconditionFailed", "", 412)),
    row("If-None-Match: * writes what is new", "put_object", new("if", Body=TEN, IfNoneMatch="*"),
        told(ETag=ETAG)),
    row("If-None-Match of a PUT takes no ETag", "put_object",
        of(ten, Body=b"x", IfNoneMatch=ETAG), Refused("NotImplemented", "", 501)),
    row("If-Match of another ETag does not overwrite", "put_object",
        of(ten, Body=b"x", IfMatch=OTHER_ETAG), Refused("PreconditionFailed", "", 412)),
    row("If-Match of the ETag overwrites", "put_object", of(ten, Body=TEN, IfMatch=ETAG,
        ContentType="text/plain", CacheControl="no-cache", Tagging="kind=row",
        Metadata={"owner": "fidelity", "Mixed-Case": "Kept As It Is"}), told(ETag=ETAG)),
    row("If-Match of what is not there is NoSuchKey", "put_object",
        new("if", Body=b"x", IfMatch=ETAG), Refused("NoSuchKey", "", 404)),
    row("If-Match of another ETag does not delete", "delete_object",
        of(ten, IfMatch=OTHER_ETAG), Refused("PreconditionFailed", "", 412)),
]  # fmt: skip


def summed(algorithm: str) -> list[Row]:
    """What each algorithm of checksums does."""
    right, member = SUMS[algorithm], f"Checksum{algorithm}"
    wrong = base64.b64encode(bytes(len(base64.b64decode(right)))).decode()
    return [
        row(f"a right {algorithm} is stored and told", "put_object",
            new(algorithm, Body=TEN, **{member: right}),
            told(**{member: right, "ChecksumType": "FULL_OBJECT"})),
        row(f"a wrong {algorithm} is BadDigest", "put_object",
            new(algorithm, Body=TEN, **{member: wrong}), Refused("BadDigest", algorithm, 400)),
        row(f"a {algorithm} that is none is InvalidRequest", "put_object",
            new(algorithm, Body=TEN, **{member: "nonsense"}),
            Refused("InvalidRequest", f"x-amz-checksum-{algorithm.lower()} header is invalid",
                    400)),
        row(f"a {algorithm} is computed on the way, and comes in a trailer", "put_object",
            new(algorithm, Body=TEN, ChecksumAlgorithm=algorithm), told(**{member: right})),
    ]  # fmt: skip


SUMMED = [one for algorithm in SUMS for one in summed(algorithm)]
DIGESTS = [
    row("a right Content-MD5 is accepted", "put_object", new("md5", Body=TEN, ContentMD5=TEN_64),
        told(ETag=ETAG)),
    row("a wrong Content-MD5 is BadDigest", "put_object",
        new("md5", Body=TEN, ContentMD5=OTHER_64), Refused("BadDigest", "", 400)),
    row("a Content-MD5 that is none is InvalidDigest", "put_object",
        new("md5", Body=TEN, ContentMD5="nonsense"), Refused("InvalidDigest", "", 400)),
    row("checksums are told to who asks", "head_object",
        lambda w: {"Bucket": w.bucket, "ChecksumMode": "ENABLED",
                   "Key": put(w, "sums/asked", ChecksumSHA256=SUMS["SHA256"])},
        told(ChecksumSHA256=SUMS["SHA256"], ChecksumType="FULL_OBJECT")),
    row("checksums are not told to others", "head_object",
        lambda w: {"Bucket": w.bucket,
                   "Key": put(w, "sums/unasked", ChecksumSHA256=SUMS["SHA256"])},
        told(ChecksumSHA256=None)),
]  # fmt: skip


def attributes(says: str, *names: str, **members: Any) -> Row:
    return row(says, "get_object_attributes", of(ten, ObjectAttributes=[*names]), told(**members))


ATTRIBUTES = [
    attributes("attributes are told that are asked for", "ETag", "ObjectSize", ETag=TEN_MD5,
               ObjectSize=10, StorageClass=None, Checksum=None),
    attributes("the storage class is an attribute", "StorageClass", StorageClass="STANDARD",
               ETag=None),
    attributes("what came in one request has no parts", "ObjectParts", "ETag", ObjectParts=None),
    row("an unknown attribute is refused", "get_object_attributes",
        of(ten, ObjectAttributes=["Nonsense"]), Refused("InvalidArgument", "", 400)),
]  # fmt: skip
ROWS = [*MISSING, *READS, *RANGES, *CONDITIONS, *WRITES, *IF_WRITES, *SUMMED, *DIGESTS,
        *ATTRIBUTES]  # fmt: skip


# ---------------------------------------------------------------- stories


def _a_checksum_comes_by_itself(world: World) -> None:
    """A client that sends none gets a CRC64NVME."""
    plain = version_4(world)
    known = {"Bucket": world.bucket, "Key": world.name("sums/own")}
    url = plain.generate_presigned_url("put_object", Params=known, ExpiresIn=60)
    assert fetch(url, "PUT", TEN)[0] == 200
    answer = plain.head_object(**known, ChecksumMode="ENABLED")
    assert answer["ChecksumCRC64NVME"] == SUMS["CRC64NVME"]
    assert answer["ChecksumType"] == "FULL_OBJECT"


def _two_checksums_are_too_many(world: World) -> None:
    s3 = world.client("s3")
    code = code_of(
        s3.put_object, Bucket=world.bucket, Key=world.name("sums/two"), Body=TEN,
        ChecksumSHA1=SUMS["SHA1"], ChecksumSHA256=SUMS["SHA256"],
    )  # fmt: skip
    assert code == "InvalidRequest"


def _a_body_is_what_was_signed(world: World) -> None:
    known = {"Bucket": world.bucket, "Key": world.name("signed")}
    s3 = client_with(world)

    def change(request: Any, **_: Any) -> None:
        request.body = b"other bytes"[: len(TEN)]

    s3.meta.events.register("before-send.s3.PutObject", change)
    digest = hashlib.sha256(TEN).hexdigest()
    s3.meta.events.register(
        "before-sign.s3.PutObject",
        lambda request, **_: request.headers.add_header("X-Amz-Content-SHA256", digest),
    )
    code = code_of(s3.put_object, **known, Body=TEN, ChecksumSHA256=SUMS["SHA256"])
    assert code in ("XAmzContentSHA256Mismatch", "BadDigest")
    assert code_of(world.client("s3").head_object, **known) == "404"


def _tags_come_and_go(world: World) -> None:
    s3, known = world.client("s3"), {"Bucket": world.bucket, "Key": put(world, "tags")}
    assert s3.get_object_tagging(**known)["TagSet"] == []
    tags = [{"Key": "a", "Value": "1 + 1"}, {"Key": "b", "Value": ""}]
    s3.put_object_tagging(**known, Tagging={"TagSet": tags})
    assert s3.get_object_tagging(**known)["TagSet"] == tags
    assert s3.head_object(**known)["TagCount"] == 2
    s3.delete_object_tagging(**known)
    assert s3.get_object_tagging(**known)["TagSet"] == []


def _keys_are_any_text(world: World) -> None:
    s3 = world.client("s3")
    for key in ("a b+c&d=e", "ünïcode/\u2603/\U0001f600", "%41%2f", "a//b", "./a/../b", "q?x#y;z"):
        known = {"Bucket": world.bucket, "Key": f"any/{key}"}
        s3.put_object(**known, Body=key.encode())
        assert s3.get_object(**known)["Body"].read() == key.encode()
        found = s3.list_objects_v2(Bucket=world.bucket, Prefix=f"any/{key}")["Contents"]
        assert [one["Key"] for one in found] == [f"any/{key}"]
        s3.delete_object(**known)


def _a_copy_keeps_or_replaces(world: World) -> None:
    s3, source = world.client("s3"), {"Bucket": world.bucket, "Key": ten(world)}
    known = {"Bucket": world.bucket, "Key": world.name("copies")}
    answer = s3.copy_object(**known, CopySource=source)
    assert answer["CopyObjectResult"]["ETag"] == ETAG
    found = s3.head_object(**known)
    assert (found["Metadata"]["owner"], found["ContentType"]) == ("fidelity", "text/plain")
    assert s3.get_object_tagging(**known)["TagSet"] == [{"Key": "kind", "Value": "row"}]
    fresh = {"MetadataDirective": "REPLACE", "Metadata": {"own": "1"}, "ContentType": "text/css"}
    s3.copy_object(**known, CopySource=source, **fresh)
    found = s3.get_object(**known)
    assert (found["Metadata"], found["ContentType"]) == ({"own": "1"}, "text/css")
    assert found["Body"].read() == TEN
    s3.copy_object(**known, CopySource=source, TaggingDirective="REPLACE", Tagging="a=b")
    assert s3.get_object_tagging(**known)["TagSet"] == [{"Key": "a", "Value": "b"}]


def _a_copy_to_itself_changes_something(world: World) -> None:
    s3, known = world.client("s3"), {"Bucket": world.bucket, "Key": put(world, "itself")}
    assert code_of(s3.copy_object, **known, CopySource=known) == "InvalidRequest"
    s3.copy_object(**known, CopySource=known, MetadataDirective="REPLACE", Metadata={"a": "b"})
    assert s3.head_object(**known)["Metadata"] == {"a": "b"}
    assert s3.get_object(**known)["Body"].read() == TEN


def copied(**more: Any) -> Parameters:
    return lambda w: {"Bucket": w.bucket, "Key": w.name("copies"),
                      "CopySource": {"Bucket": w.bucket, "Key": ten(w)}, **more}  # fmt: skip


ROWS += [
    row("a copy of what is not there is NoSuchKey", "copy_object",
        lambda w: {"Bucket": w.bucket, "Key": "c", "CopySource": f"{w.bucket}/{NO_KEY}"},
        Refused("NoSuchKey", "", 404)),
    row("a copy needs If-Match of its source to hold", "copy_object",
        copied(CopySourceIfMatch=OTHER_ETAG), Refused("PreconditionFailed", "", 412)),
    row("a copy needs If-None-Match of its source to hold", "copy_object",
        copied(CopySourceIfNoneMatch=ETAG), Refused("PreconditionFailed", "", 412)),
    row("a copy needs its source unmodified since then", "copy_object",
        copied(CopySourceIfUnmodifiedSince=EARLY), Refused("PreconditionFailed", "", 412)),
    row("a copy needs its source modified since then", "copy_object",
        copied(CopySourceIfModifiedSince=EARLY),
        Answered(lambda a: a["CopyObjectResult"]["ETag"] == ETAG)),
    row("an unknown metadata directive is refused", "copy_object",
        copied(MetadataDirective="NONSENSE"), Refused("InvalidArgument", "", 400)),
]  # fmt: skip


def _many_are_deleted(world: World) -> None:
    s3 = world.client("s3")
    keys = [put(world, f"many/{number}") for number in range(3)]
    wanted = [{"Key": key} for key in (*keys[:2], "many/never")]
    answer = s3.delete_objects(Bucket=world.bucket, Delete={"Objects": wanted})
    assert sorted(one["Key"] for one in answer["Deleted"]) == sorted(one["Key"] for one in wanted)
    quiet = {"Objects": [{"Key": keys[2]}], "Quiet": True}
    answer = s3.delete_objects(Bucket=world.bucket, Delete=quiet)
    assert "Deleted" not in answer
    assert "Errors" not in answer
    assert "Contents" not in s3.list_objects_v2(Bucket=world.bucket, Prefix="many/")


def deleted(*keys: str) -> Parameters:
    return lambda w: {"Bucket": w.bucket, "Delete": {"Objects": [{"Key": key} for key in keys]}}


ROWS += [
    row("at most a thousand are deleted at once", "delete_objects",
        deleted(*map(str, range(1001))), Refused("MalformedXML", "", 400)),
    row("and one at least", "delete_objects", deleted(), Refused("MalformedXML", "", 400)),
]  # fmt: skip


def _a_document_is_xml(world: World) -> None:
    """What is no XML, or another document, is MalformedXML."""
    for wrong in (b"nonsense", b"<Delete><Object>", b"<Other/>"):
        digest = base64.b64encode(hashlib.md5(wrong).digest()).decode()
        status, _, answer = send(world, "POST", f"{world.bucket}?delete", wrong, Content_MD5=digest)
        assert status == 400
        assert b"<Code>MalformedXML</Code>" in answer


API = "Amazon S3 API Reference, "
STORIES = [
    Story("S3: an object gets a checksum by itself", _a_checksum_comes_by_itself,
          f"{API}PutObject"),
    Story("S3: two checksums are too many", _two_checksums_are_too_many, f"{API}PutObject"),
    Story("S3: a body is what was signed", _a_body_is_what_was_signed, f"{API}Error responses"),
    Story("S3: tags come and go", _tags_come_and_go, f"{API}PutObjectTagging"),
    Story("S3: keys are any text", _keys_are_any_text, "Amazon S3 User Guide, Naming objects"),
    Story("S3: a copy keeps what its source has, or replaces it", _a_copy_keeps_or_replaces,
          f"{API}CopyObject"),
    Story("S3: a copy to itself changes something", _a_copy_to_itself_changes_something,
          f"{API}CopyObject"),
    Story("S3: many are deleted at once", _many_are_deleted, f"{API}DeleteObjects"),
    Story("S3: a document is XML", _a_document_is_xml, f"{API}Error responses"),
]  # fmt: skip
