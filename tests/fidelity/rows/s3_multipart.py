"""Multipart uploads of S3."""

from __future__ import annotations

import base64
import hashlib
import zlib
from typing import Any

from tests.fidelity.s3_things import NO_UPLOAD, PART, TEN, TEN_MD5, put, row
from tests.fidelity.table import Parameters, Refused, Row, Story, World
from tests.fidelity.world import code_of

FIRST = b"1" * PART
WHOLE = FIRST + TEN
WHOLE_MD5 = hashlib.md5(hashlib.md5(FIRST).digest() + bytes.fromhex(TEN_MD5)).hexdigest()
WHOLE_ETAG = f'"{WHOLE_MD5}-2"'


def unknown(**more: Any) -> Parameters:
    return lambda w: {"Bucket": w.bucket, "Key": "k", "UploadId": NO_UPLOAD, **more}


ROWS: list[Row] = [
    *(row(f"{call} of an upload that is not there is NoSuchUpload", call, unknown(**more),
          Refused("NoSuchUpload", "The specified upload does not exist", 404))
      for call, more in (
          ("upload_part", {"PartNumber": 1, "Body": b"x"}),
          ("list_parts", {}),
          ("abort_multipart_upload", {}),
          ("complete_multipart_upload",
           {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": '"x"'}]}}),
      )),
]  # fmt: skip


class Doing:
    """One upload, and calls about it."""

    def __init__(self, world: World, **more: Any) -> None:
        self.world, self.s3 = world, world.client("s3")
        self.key = world.name("multipart")
        self.known: dict[str, Any] = {"Bucket": world.bucket, "Key": self.key}
        made = self.s3.create_multipart_upload(**self.known, **more)
        self.ident = made["UploadId"]
        self.known["UploadId"] = self.ident
        self.parts: list[dict[str, Any]] = []

    def put(self, number: int, body: bytes, **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.s3.upload_part(
            **self.known, PartNumber=number, Body=body, **more
        )
        sums = {name: value for name, value in answer.items() if name.startswith("Checksum")}
        self.parts.append({"PartNumber": number, "ETag": answer["ETag"], **sums})
        return answer

    def complete(self, parts: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
        wanted = {"Parts": self.parts if parts is None else parts}
        answer: dict[str, Any] = self.s3.complete_multipart_upload(
            **self.known, MultipartUpload=wanted, **more
        )
        return answer

    def refusal(self, parts: list[dict[str, Any]], **more: Any) -> str:
        return code_of(self.complete, parts=parts, **more)

    def abort(self) -> None:
        self.s3.abort_multipart_upload(**self.known)

    @property
    def place(self) -> dict[str, str]:
        return {"Bucket": self.world.bucket, "Key": self.key}


def _parts_become_an_object(world: World) -> None:
    doing = Doing(world, Metadata={"a": "b"}, ContentType="text/plain", Tagging="kind=row")
    assert doing.put(2, TEN)["ETag"] == f'"{TEN_MD5}"'
    doing.put(1, FIRST)
    doing.parts.sort(key=lambda part: part["PartNumber"])
    assert code_of(doing.s3.head_object, **doing.place) == "404"
    answer = doing.complete()
    assert (answer["ETag"], answer["Key"]) == (WHOLE_ETAG, doing.key)
    found = doing.s3.get_object(**doing.place)
    assert found["Body"].read() == WHOLE
    assert (found["Metadata"], found["ContentType"]) == ({"a": "b"}, "text/plain")
    assert found["TagCount"] == 1
    assert doing.s3.list_objects_v2(Bucket=world.bucket, Prefix=doing.key)["Contents"][0][
        "ETag"
    ] == WHOLE_ETAG  # fmt: skip


def _parts_of_an_object_are_read(world: World) -> None:
    doing = Doing(world)
    doing.put(1, FIRST)
    doing.put(3, TEN)
    doing.complete()
    second = doing.s3.get_object(**doing.place, PartNumber=2)
    assert second["Body"].read() == TEN
    assert (second["PartsCount"], second["ContentRange"]) == (
        2, f"bytes {PART}-{PART + 9}/{PART + 10}",
    )  # fmt: skip
    head = doing.s3.head_object(**doing.place, PartNumber=1)
    assert (head["ContentLength"], head["PartsCount"]) == (PART, 2)
    assert code_of(doing.s3.head_object, **doing.place, PartNumber=3) == "416"
    across = doing.s3.get_object(**doing.place, Range=f"bytes={PART - 2}-{PART + 1}")
    assert across["Body"].read() == b"1101"


def _what_is_named_was_uploaded(world: World) -> None:
    doing = Doing(world)
    doing.put(1, FIRST)
    doing.put(2, TEN)
    one, two = doing.parts
    assert doing.refusal([one, {**two, "PartNumber": 3}]) == "InvalidPart"
    assert doing.refusal([one, {**two, "ETag": one["ETag"]}]) == "InvalidPart"
    assert doing.refusal([two, one]) == "InvalidPartOrder"
    assert doing.refusal([]) == "MalformedXML"
    assert code_of(doing.s3.head_object, **doing.place) == "404"
    doing.complete()


def _parts_are_large_but_the_last(world: World) -> None:
    doing = Doing(world)
    doing.put(1, TEN)
    doing.put(2, TEN)
    assert doing.refusal(doing.parts) == "EntityTooSmall"
    doing.abort()


def _a_part_is_replaced(world: World) -> None:
    doing = Doing(world)
    doing.put(1, b"first")
    first = doing.parts.pop()
    doing.put(1, b"second")
    assert doing.refusal([first]) == "InvalidPart"
    doing.complete()
    assert doing.s3.get_object(**doing.place)["Body"].read() == b"second"


def _an_upload_is_aborted(world: World) -> None:
    doing = Doing(world)
    doing.put(1, TEN)
    doing.abort()
    assert code_of(doing.s3.list_parts, **doing.known) == "NoSuchUpload"
    assert doing.refusal(doing.parts) == "NoSuchUpload"
    found = doing.s3.list_multipart_uploads(Bucket=world.bucket, Prefix=doing.key)
    assert "Uploads" not in found


def _an_upload_is_completed_twice(world: World) -> None:
    """As the first answer may have been lost, the second is the same."""
    doing = Doing(world)
    doing.put(1, TEN)
    first, second = doing.complete(), doing.complete()
    for answer in (first, second):
        del answer["ResponseMetadata"]
    assert first == second
    assert code_of(doing.put, number=1, body=TEN) == "NoSuchUpload"


def _an_upload_is_completed_on_condition(world: World) -> None:
    doing = Doing(world)
    doing.put(1, TEN)
    doing.s3.put_object(**doing.place, Body=b"there already")
    assert doing.refusal(doing.parts, IfNoneMatch="*") == "PreconditionFailed"
    other = f'"{"0" * 32}"'
    assert doing.refusal(doing.parts, IfMatch=other) == "PreconditionFailed"
    doing.s3.delete_object(**doing.place)
    assert doing.refusal(doing.parts, IfMatch=other) == "NoSuchKey"
    doing.complete(IfNoneMatch="*")
    assert doing.s3.get_object(**doing.place)["Body"].read() == TEN


def _parts_are_listed(world: World) -> None:
    doing = Doing(world)
    for number in (1, 5, 9):
        doing.put(number, b"x" * number)
    first = doing.s3.list_parts(**doing.known, MaxParts=2)
    assert [(part["PartNumber"], part["Size"]) for part in first["Parts"]] == [(1, 1), (5, 5)]
    assert (first["IsTruncated"], first["NextPartNumberMarker"]) == (True, 5)
    assert first["StorageClass"] == "STANDARD"
    assert first["Initiator"]["ID"]
    assert first["Owner"]["ID"]
    rest = doing.s3.list_parts(**doing.known, MaxParts=2, PartNumberMarker=5)
    assert [part["PartNumber"] for part in rest["Parts"]] == [9]
    assert rest["IsTruncated"] is False
    assert rest["Parts"][0]["ETag"] == doing.parts[2]["ETag"]
    doing.abort()


def _a_part_is_a_copy(world: World) -> None:
    source = put(world, "multipart/source", WHOLE)
    doing = Doing(world)
    copy = {"CopySource": {"Bucket": world.bucket, "Key": source}}
    made = [
        doing.s3.upload_part_copy(
            **doing.known, **copy, PartNumber=number, CopySourceRange=f"bytes={span}"
        )["CopyPartResult"]["ETag"]
        for number, span in ((1, f"0-{PART - 1}"), (2, f"{PART}-{PART + 9}"))
    ]
    for wrong in (f"bytes=0-{PART + 10}", "bytes=5-", "nonsense"):
        code = code_of(
            doing.s3.upload_part_copy, **doing.known, **copy, PartNumber=3, CopySourceRange=wrong
        )
        assert code == "InvalidArgument"
    parts = doing.s3.list_parts(**doing.known)["Parts"]
    assert [part["ETag"] for part in parts] == made
    sums = [{k: v for k, v in one.items() if k.startswith("Checksum")} for one in parts]
    doing.complete(
        [{"PartNumber": n, "ETag": e, **s} for n, e, s in zip((1, 2), made, sums, strict=True)]
    )
    assert doing.s3.get_object(**doing.place)["Body"].read() == WHOLE


def _a_copy_of_parts_is_one(world: World) -> None:
    """A copy is made in one request, so that its ETag is the MD5 of its bytes."""
    doing = Doing(world)
    doing.put(1, FIRST)
    doing.put(2, TEN)
    doing.complete()
    copy = {"Bucket": world.bucket, "Key": world.name("multipart/copy")}
    doing.s3.copy_object(**copy, CopySource=doing.place)
    found = doing.s3.get_object(**copy)
    assert found["ETag"] == f'"{hashlib.md5(WHOLE).hexdigest()}"'
    assert found["Body"].read() == WHOLE
    assert "PartsCount" not in doing.s3.head_object(**copy, PartNumber=1)


def _sum(*parts: bytes) -> str:
    return base64.b64encode(zlib.crc32(b"".join(parts)).to_bytes(4, "big")).decode()


def _a_composite_checksum_is_one_of_checksums(world: World) -> None:
    doing = Doing(world, ChecksumAlgorithm="SHA256")
    doing.put(1, FIRST, ChecksumAlgorithm="SHA256")
    doing.put(2, TEN, ChecksumAlgorithm="SHA256")
    digest = hashlib.sha256(hashlib.sha256(FIRST).digest() + hashlib.sha256(TEN).digest())
    wanted = f"{base64.b64encode(digest.digest()).decode()}-2"
    answer = doing.complete()
    assert (answer["ChecksumSHA256"], answer["ChecksumType"]) == (wanted, "COMPOSITE")
    head = doing.s3.head_object(**doing.place, ChecksumMode="ENABLED")
    assert (head["ChecksumSHA256"], head["ChecksumType"]) == (wanted, "COMPOSITE")
    names = ["ObjectParts", "Checksum", "ObjectSize"]
    told = doing.s3.get_object_attributes(**doing.place, ObjectAttributes=names, MaxParts=1)
    assert told["ObjectSize"] == len(WHOLE)
    parts = told["ObjectParts"]
    assert (parts["TotalPartsCount"], parts["IsTruncated"]) == (2, True)
    assert parts["Parts"][0]["Size"] == PART
    assert parts["Parts"][0]["ChecksumSHA256"] == doing.parts[0]["ChecksumSHA256"]


def _a_full_checksum_is_one_of_all_bytes(world: World) -> None:
    doing = Doing(world, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    doing.put(1, FIRST, ChecksumAlgorithm="CRC32")
    doing.put(2, TEN, ChecksumAlgorithm="CRC32")
    wrong = {"ChecksumCRC32": _sum(TEN), "ChecksumType": "FULL_OBJECT"}
    assert doing.refusal(doing.parts, **wrong) == "BadDigest"
    right = {"ChecksumCRC32": _sum(WHOLE), "ChecksumType": "FULL_OBJECT"}
    answer = doing.complete(doing.parts, **right)
    assert answer["ChecksumCRC32"] == right["ChecksumCRC32"]
    assert answer["ChecksumType"] == "FULL_OBJECT"
    head = doing.s3.head_object(**doing.place, ChecksumMode="ENABLED")
    assert head["ChecksumCRC32"] == right["ChecksumCRC32"]


def _checksums_of_an_upload_are_of_one_algorithm(world: World) -> None:
    doing = Doing(world, ChecksumAlgorithm="SHA256")
    wrong = {"ChecksumAlgorithm": "CRC32"}
    assert code_of(doing.put, number=1, body=TEN, **wrong) == "InvalidRequest"
    doing.abort()
    for algorithm, kind in (("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")):
        more = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind}
        assert code_of(Doing, world=world, **more) == "InvalidRequest"


def _a_wrong_part_is_refused(world: World) -> None:
    doing = Doing(world)
    wrong = base64.b64encode(b"x" * 16).decode()
    assert code_of(doing.put, number=1, body=TEN, ContentMD5=wrong) == "BadDigest"
    for number in (0, 10001):
        assert code_of(doing.put, number=number, body=TEN) == "InvalidArgument"
    assert "Parts" not in doing.s3.list_parts(**doing.known)
    doing.abort()


def _the_size_of_an_upload_is_checked(world: World) -> None:
    doing = Doing(world)
    doing.put(1, TEN)
    assert doing.refusal(doing.parts, MpuObjectSize=11) == "InvalidRequest"
    doing.complete(MpuObjectSize=10)


GUIDE = "Amazon S3 User Guide, "
API = "Amazon S3 API Reference, "
STORIES = [
    Story("S3: parts become an object", _parts_become_an_object,
          f"{API}CompleteMultipartUpload"),
    Story("S3: the parts of an object are read one by one", _parts_of_an_object_are_read,
          f"{API}GetObject"),
    Story("S3: an upload has the parts that it is completed with", _what_is_named_was_uploaded,
          f"{API}CompleteMultipartUpload"),
    Story("S3: all parts but the last are of 5 MiB", _parts_are_large_but_the_last,
          f"{API}CompleteMultipartUpload"),
    Story("S3: a part is replaced", _a_part_is_replaced, f"{API}UploadPart"),
    Story("S3: an upload is aborted", _an_upload_is_aborted, f"{API}AbortMultipartUpload"),
    Story("S3: an upload is completed twice", _an_upload_is_completed_twice,
          f"{API}CompleteMultipartUpload"),
    Story("S3: an upload is completed on a condition", _an_upload_is_completed_on_condition,
          f"{GUIDE}Conditional writes"),
    Story("S3: parts are listed in pages", _parts_are_listed, f"{API}ListParts"),
    Story("S3: a part is a copy", _a_part_is_a_copy, f"{API}UploadPartCopy"),
    Story("S3: a copy of parts is one", _a_copy_of_parts_is_one, f"{API}CopyObject"),
    Story("S3: a composite checksum is one of checksums",
          _a_composite_checksum_is_one_of_checksums, f"{GUIDE}Checking object integrity"),
    Story("S3: a full checksum is one of all bytes", _a_full_checksum_is_one_of_all_bytes,
          f"{GUIDE}Checking object integrity"),
    Story("S3: the checksums of an upload are of one algorithm",
          _checksums_of_an_upload_are_of_one_algorithm, f"{API}CreateMultipartUpload"),
    Story("S3: a part that is not as it was said is refused", _a_wrong_part_is_refused,
          f"{API}UploadPart"),
    Story("S3: the size of an upload is checked", _the_size_of_an_upload_is_checked,
          f"{API}CompleteMultipartUpload"),
]  # fmt: skip
