"""Lists of S3, and the versions of its objects."""

from __future__ import annotations

from typing import Any

from tests.fidelity.iam_things import once
from tests.fidelity.s3_things import make_bucket, row, version, versioned
from tests.fidelity.table import Answered, Parameters, Refused, Row, Story, World
from tests.fidelity.world import code_of

KEYS = ["a", "a b+c", "b/1", "b/2", "b/c/3", "d/4", "e", "\u00e9", "\uffee", "\U0001f600"]
NO_VERSION = "3sL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH"


@once
def listed(world: World) -> str:
    """Return the name of a bucket with some keys."""
    bucket = make_bucket(world)
    for key in reversed(KEYS):
        world.client("s3").put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


def of_listed(**more: Any) -> Parameters:
    return lambda world: {"Bucket": listed(world), **more}


def keys(*expected: str, prefixes: tuple[str, ...] = (), **members: Any) -> Answered:
    """A list of these keys and common prefixes."""

    def check(answer: Any) -> bool:
        found = tuple(one["Key"] for one in answer.get("Contents", []))
        common = tuple(one["Prefix"] for one in answer.get("CommonPrefixes", []))
        told = {name: answer.get(name) for name in members}
        return (found, common, told) == (expected, prefixes, members)

    return Answered(check)


def both(says: str, outcome: Answered, **more: Any) -> list[Row]:
    """What is true of both forms of the list."""
    return [
        row(f"{says} ({form})", call, of_listed(**more), outcome)
        for form, call in (("V1", "list_objects"), ("V2", "list_objects_v2"))
    ]


TOP = ("a", "a b+c", "e", "\u00e9", "\uffee", "\U0001f600")
LISTS = [
    *both("keys are in the order of their UTF-8", keys(*KEYS, IsTruncated=False, MaxKeys=1000)),
    *both("keys are listed by prefix", keys("b/1", "b/2", "b/c/3"), Prefix="b/"),
    *both("a prefix that no key has lists nothing", keys(IsTruncated=False), Prefix="nothing"),
    *both("keys with a common prefix are told as one", keys(*TOP, prefixes=("b/", "d/")),
          Delimiter="/"),
    *both("common prefixes begin after the prefix", keys("b/1", "b/2", prefixes=("b/c/",)),
          Prefix="b/", Delimiter="/"),
    *both("a delimiter is any text",
          keys(*(key for key in KEYS if key != "b/c/3"), prefixes=("b/c",)), Delimiter="/c"),
    *both("no keys at all are a list too", keys(IsTruncated=False, MaxKeys=0), MaxKeys=0),
    *both("a page is as large as asked", keys("a", "a b+c", IsTruncated=True, MaxKeys=2),
          MaxKeys=2),
    *both("common prefixes count", keys("a", "a b+c", prefixes=("b/",), IsTruncated=True),
          MaxKeys=3, Delimiter="/"),
    row("a list begins after a key (V2)", "list_objects_v2", of_listed(StartAfter="e"),
        keys("\u00e9", "\uffee", "\U0001f600", StartAfter="e", KeyCount=3)),
    row("a list begins after a key that is not there (V2)", "list_objects_v2",
        of_listed(StartAfter="dd"), keys("e", "\u00e9", "\uffee", "\U0001f600")),
    row("a list begins after a marker (V1)", "list_objects", of_listed(Marker="e"),
        keys("\u00e9", "\uffee", "\U0001f600", Marker="e")),
    row("the count is of keys and common prefixes (V2)", "list_objects_v2",
        of_listed(Delimiter="/"), keys(*TOP, prefixes=("b/", "d/"), KeyCount=8)),
    row("owners are told to who asks (V2)", "list_objects_v2", of_listed(FetchOwner=True),
        Answered(lambda a: a["Contents"][0]["Owner"]["ID"])),
    row("owners are not told to others (V2)", "list_objects_v2", of_listed(),
        Answered(lambda a: "Owner" not in a["Contents"][0])),
    row("owners are told (V1)", "list_objects", of_listed(),
        Answered(lambda a: a["Contents"][0]["Owner"]["ID"])),
    row("a list tells sizes, ETags and classes", "list_objects_v2", of_listed(MaxKeys=1),
        Answered(lambda a: {name: a["Contents"][0][name]
                            for name in ("Size", "ETag", "StorageClass")}
                 == {"Size": 1, "ETag": '"0cc175b9c0f1b6a831c399e269772661"',
                     "StorageClass": "STANDARD"})),
    row("keys are told in URL coding to who asks", "list_objects_v2",
        of_listed(EncodingType="url", Prefix="a "),
        Answered(lambda a: a["Contents"][0]["Key"] in ("a+b%2Bc", "a%20b%2Bc"))),
    row("a continuation token that is none is refused", "list_objects_v2",
        of_listed(ContinuationToken="nonsense"),
        Refused("InvalidArgument", "The continuation token provided is incorrect", 400)),
    row("a page of fewer than no keys is refused", "list_objects_v2", of_listed(MaxKeys=-1),
        Refused("InvalidArgument", "", 400)),
    row("an unknown coding is refused", "list_objects_v2", of_listed(EncodingType="nonsense"),
        Refused("InvalidArgument", "Invalid Encoding Method", 400)),
    row("a marker of versions needs one of keys", "list_object_versions",
        of_listed(VersionIdMarker=NO_VERSION), Refused("InvalidArgument", "", 400)),
    row("versions of a bucket that keeps none are null", "list_object_versions", of_listed(),
        Answered(lambda a: {one["VersionId"] for one in a["Versions"]} == {"null"}
                 and all(one["IsLatest"] for one in a["Versions"]))),
    row("versions with a common prefix are told as one", "list_object_versions",
        of_listed(Delimiter="/"),
        Answered(lambda a: [one["Prefix"] for one in a["CommonPrefixes"]] == ["b/", "d/"]
                 and [one["Key"] for one in a["Versions"]] == [*TOP])),
]  # fmt: skip


def of_version(**more: Any) -> Parameters:
    return lambda w: {"Bucket": versioned(w), "Key": "k", "VersionId": NO_VERSION, **more}


VERSIONS = [
    row("GET of a version that is not there is NoSuchVersion", "get_object", of_version(),
        Refused("NoSuchVersion", "The specified version does not exist", 404)),
    row("HEAD of a version that is not there is a bare 404", "head_object", of_version(),
        Refused("404", "", 404)),
    row("a version that is not there is deleted without a word", "delete_object", of_version(),
        Answered(lambda a: a["ResponseMetadata"]["HTTPStatusCode"] == 204)),
    row("a copy of a version that is not there is NoSuchVersion", "copy_object",
        lambda w: {"Bucket": versioned(w), "Key": "c",
                   "CopySource": {"Bucket": versioned(w), "Key": "k", "VersionId": NO_VERSION}},
        Refused("NoSuchVersion", "", 404)),
    row("the state of versioning is told", "get_bucket_versioning",
        lambda w: {"Bucket": versioned(w)}, Answered(lambda a: a["Status"] == "Enabled")),
]  # fmt: skip
ROWS = [*LISTS, *VERSIONS]


# ---------------------------------------------------------------- stories


def _pages(client: Any, call: str, name: str, bucket: str, **more: Any) -> tuple[list[str], int]:
    """Return what all pages of a list tell, and how many there were."""
    found, count = list[str](), 0
    for page in client.get_paginator(call).paginate(Bucket=bucket, **more):
        count += 1
        found += [one["Key"] for one in page.get(name, [])]
        found += [one["Prefix"] for one in page.get("CommonPrefixes", [])]
    return found, count


def _pages_tell_all_once(world: World) -> None:
    s3, bucket = world.client("s3"), listed(world)
    for call, name in (("list_objects", "Contents"), ("list_objects_v2", "Contents"),
                       ("list_object_versions", "Versions")):  # fmt: skip
        for size in (1, 2, 3):
            some = {"PaginationConfig": {"PageSize": size}}
            assert _pages(s3, call, name, bucket, **some) == (KEYS, -(-len(KEYS) // size))
            found, _ = _pages(s3, call, name, bucket, Delimiter="/", **some)
            assert sorted(found) == sorted((*TOP, "b/", "d/"))
            found, _ = _pages(s3, call, name, bucket, Delimiter="/", Prefix="b/", **some)
            assert found == ["b/1", "b/2", "b/c/"]


def _versions_are_kept(world: World) -> None:
    s3, bucket = world.client("s3"), make_bucket(world, is_versioned=True)
    known = {"Bucket": bucket, "Key": "k"}
    first = s3.put_object(**known, Body=b"1")["VersionId"]
    second = s3.put_object(**known, Body=b"2")["VersionId"]
    assert first != second
    assert s3.get_object(**known)["VersionId"] == second
    assert s3.get_object(**known, VersionId=first)["Body"].read() == b"1"
    marker = s3.delete_object(**known)
    assert marker["DeleteMarker"] is True
    ident = marker["VersionId"]
    assert code_of(s3.get_object, **known) == "NoSuchKey"
    assert code_of(s3.get_object, **known, VersionId=ident) == "MethodNotAllowed"
    assert code_of(s3.head_object, **known, VersionId=ident) == "405"
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    told = s3.list_object_versions(Bucket=bucket)
    assert [(one["VersionId"], one["IsLatest"]) for one in told["Versions"]] == [
        (second, False), (first, False),
    ]  # fmt: skip
    assert [(one["VersionId"], one["IsLatest"]) for one in told["DeleteMarkers"]] == [(ident, True)]
    assert code_of(s3.delete_bucket, Bucket=bucket) == "BucketNotEmpty"
    assert s3.delete_object(**known, VersionId=ident)["DeleteMarker"] is True
    assert s3.get_object(**known)["Body"].read() == b"2"
    assert s3.delete_object(**known, VersionId=second)["VersionId"] == second
    assert s3.get_object(**known)["Body"].read() == b"1"


def _a_marker_is_told(world: World) -> None:
    s3, bucket = world.client("s3"), versioned(world)
    known = {"Bucket": bucket, "Key": "marker"}
    ident = s3.delete_object(**known)["VersionId"]
    for parameters, status in ((known, 404), ({**known, "VersionId": ident}, 405)):
        try:
            s3.get_object(**parameters)
        except s3.exceptions.ClientError as error:
            told = error.response["ResponseMetadata"]
        assert told["HTTPStatusCode"] == status
        assert told["HTTPHeaders"]["x-amz-delete-marker"] == "true"
        assert told["HTTPHeaders"]["x-amz-version-id"] == ident
    source = {"Bucket": bucket, "Key": "marker"}
    copy = {"Bucket": bucket, "Key": "copy"}
    assert code_of(s3.copy_object, **copy, CopySource=source) == "NoSuchKey"
    source["VersionId"] = ident
    assert code_of(s3.copy_object, **copy, CopySource=source) == "InvalidRequest"


def _suspended_versioning_keeps_one(world: World) -> None:
    s3, bucket = world.client("s3"), make_bucket(world)
    known = {"Bucket": bucket, "Key": "k"}
    assert "VersionId" not in s3.put_object(**known, Body=b"before")
    version(world, bucket, "Enabled")
    kept = s3.put_object(**known, Body=b"kept")["VersionId"]
    assert s3.get_object(**known, VersionId="null")["Body"].read() == b"before"
    version(world, bucket, "Suspended")
    assert s3.put_object(**known, Body=b"suspended")["VersionId"] == "null"
    assert s3.get_object(**known, VersionId="null")["Body"].read() == b"suspended"
    assert s3.get_object(**known, VersionId=kept)["Body"].read() == b"kept"
    marker = s3.delete_object(**known)
    assert (marker["VersionId"], marker["DeleteMarker"]) == ("null", True)
    told = s3.list_object_versions(Bucket=bucket)
    assert [one["VersionId"] for one in told["Versions"]] == [kept]


def _a_version_is_copied(world: World) -> None:
    s3, bucket = world.client("s3"), versioned(world)
    known = {"Bucket": bucket, "Key": "source"}
    first = s3.put_object(**known, Body=b"1")["VersionId"]
    s3.put_object(**known, Body=b"2")
    answer = s3.copy_object(**known, CopySource={**known, "VersionId": first})
    assert answer["CopySourceVersionId"] == first
    assert answer["VersionId"] not in (first, "null")
    assert s3.get_object(**known)["Body"].read() == b"1"


def _many_versions_are_deleted(world: World) -> None:
    s3, bucket = world.client("s3"), versioned(world)
    made = [s3.put_object(Bucket=bucket, Key="many", Body=b"x")["VersionId"] for _ in range(2)]
    wanted = [{"Key": "many", "VersionId": made[0]}, {"Key": "many"}]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted})
    by_version = {one.get("VersionId"): one for one in answer["Deleted"]}
    assert "DeleteMarker" not in by_version[made[0]]
    assert by_version[None]["DeleteMarker"] is True
    marker = by_version[None]["DeleteMarkerVersionId"]
    found = s3.list_object_versions(Bucket=bucket, Prefix="many")
    assert [one["VersionId"] for one in found["Versions"]] == made[1:]
    assert [one["VersionId"] for one in found["DeleteMarkers"]] == [marker]


def _versions_are_paged(world: World) -> None:
    s3, bucket = world.client("s3"), make_bucket(world, is_versioned=True)
    made = [s3.put_object(Bucket=bucket, Key="k+1", Body=b"x")["VersionId"] for _ in range(3)]
    page = s3.list_object_versions(Bucket=bucket, MaxKeys=2)
    assert [one["VersionId"] for one in page["Versions"]] == made[:0:-1]
    assert (page["NextKeyMarker"], page["NextVersionIdMarker"]) == ("k+1", made[1])
    rest = s3.list_object_versions(Bucket=bucket, KeyMarker="k+1", VersionIdMarker=made[1])
    assert [one["VersionId"] for one in rest["Versions"]] == made[:1]
    assert "Versions" not in s3.list_object_versions(Bucket=bucket, KeyMarker="k+1")


def _uploads_are_listed(world: World) -> None:
    s3, bucket = world.client("s3"), make_bucket(world)
    made = [(key, s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"])
            for key in ("b", "a/1", "a/2", "c", "c")]  # fmt: skip
    told = s3.list_multipart_uploads(Bucket=bucket)
    found = [(one["Key"], one["UploadId"]) for one in told["Uploads"]]
    assert found == [made[1], made[2], made[0], made[3], made[4]]
    assert told["Uploads"][0]["Initiator"]["ID"]
    told = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [one["Prefix"] for one in told["CommonPrefixes"]] == ["a/"]
    assert [one["Key"] for one in told["Uploads"]] == ["b", "c", "c"]
    page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=4)
    assert page["IsTruncated"] is True
    marker = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}
    rest = s3.list_multipart_uploads(Bucket=bucket, **marker)
    assert [one["UploadId"] for one in rest["Uploads"]] == [made[4][1]]
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket, KeyMarker="c")
    one = s3.list_multipart_uploads(Bucket=bucket, Prefix="b")
    assert [upload["Key"] for upload in one["Uploads"]] == ["b"]


API = "Amazon S3 API Reference, "
GUIDE = "Amazon S3 User Guide, "
STORIES = [
    Story("S3: pages tell all keys once", _pages_tell_all_once, f"{API}ListObjectsV2"),
    Story("S3: versions are kept", _versions_are_kept, f"{GUIDE}How S3 Versioning works"),
    Story("S3: a delete marker is told", _a_marker_is_told, f"{GUIDE}Working with delete markers"),
    Story("S3: suspended versioning keeps one version", _suspended_versioning_keeps_one,
          f"{GUIDE}Working with objects in a versioning-suspended bucket"),
    Story("S3: a version is copied", _a_version_is_copied, f"{API}CopyObject"),
    Story("S3: many versions are deleted at once", _many_versions_are_deleted,
          f"{API}DeleteObjects"),
    Story("S3: versions are paged", _versions_are_paged, f"{API}ListObjectVersions"),
    Story("S3: uploads are listed", _uploads_are_listed, f"{API}ListMultipartUploads"),
]  # fmt: skip
