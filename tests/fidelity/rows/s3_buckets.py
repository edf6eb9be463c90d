"""Buckets of S3: their names, regions and settings, and who may not use them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tests.fidelity.iam_things import make_key, make_user, policy
from tests.fidelity.s3_things import (
    NO_BUCKET,
    anonymous,
    bare,
    client_with,
    fetch,
    make_bucket,
    put,
    row,
    ten,
    version_4,
)
from tests.fidelity.table import Answered, Parameters, Refused, Row, Story, World
from tests.fidelity.world import code_of, wait_until

RULE = {"ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 3}}
CORS = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def nowhere(**more: Any) -> Parameters:
    return {"Bucket": NO_BUCKET, **more}


def of_bare(**more: Any) -> Parameters:
    return lambda world: {"Bucket": bare(world), **more}


def of_bucket(**more: Any) -> Parameters:
    return lambda world: {"Bucket": world.bucket, **more}


def named(says: str, name: str) -> Row:
    return row(says, "create_bucket", {"Bucket": name}, Refused("InvalidBucketName", "", 400))


NAMES = [
    named("a bucket's name has three characters at least", "ab"),
    named("a bucket's name has 63 characters at most", "a" * 64),
    named("a bucket's name has no capitals", "Fidelity-Capitals"),
    named("a bucket's name has no underscores", "fidelity_underscore"),
    named("a bucket's name does not begin with a hyphen", "-fidelity"),
    named("a bucket's name does not end with a hyphen", "fidelity-"),
    named("a bucket's name has no two dots in a row", "fidelity..dots"),
    named("a bucket's name is no IP address", "192.168.5.4"),
    named("a bucket's name does not begin with xn--", "xn--fidelity"),
    named("a bucket's name does not end with -s3alias", "fidelity-s3alias"),
]
MISSING = [
    row(f"{call} of a bucket that is not there is NoSuchBucket", call, nowhere(**more),
        Refused("NoSuchBucket", "The specified bucket does not exist", 404))
    for call, more in (
        ("delete_bucket", {}), ("list_objects", {}), ("list_objects_v2", {}),
        ("list_object_versions", {}), ("list_multipart_uploads", {}),
        ("get_object", {"Key": "k"}), ("put_object", {"Key": "k", "Body": b"x"}),
        ("delete_object", {"Key": "k"}), ("create_multipart_upload", {"Key": "k"}),
        ("get_bucket_location", {}), ("get_bucket_versioning", {}), ("get_bucket_policy", {}),
        ("delete_objects", {"Delete": {"Objects": [{"Key": "k"}]}}),
    )
]  # fmt: skip
HEADS = [
    row("a bucket that is not there is a bare 404 to HEAD", "head_bucket", nowhere(),
        Refused("404", "", 404)),
    row("HEAD of a bucket tells its region", "head_bucket", of_bucket(),
        Answered(lambda a: a["BucketRegion"])),
    row("a bucket's location is its region, nothing for us-east-1", "get_bucket_location",
        of_bucket(), Answered(lambda a: a["LocationConstraint"] != "us-east-1")),
    row("us-east-1 is no location constraint", "create_bucket",
        lambda w: {"Bucket": w.name("fidelity"),
                   "CreateBucketConfiguration": {"LocationConstraint": "us-east-1"}},
        Refused("InvalidLocationConstraint", "", 400)),
    row("a region that does not exist is no location constraint", "create_bucket",
        lambda w: {"Bucket": w.name("fidelity"),
                   "CreateBucketConfiguration": {"LocationConstraint": "xx-nowhere-1"}},
        Refused("InvalidLocationConstraint", "", 400)),
]  # fmt: skip


def unset(call: str, code: str) -> Row:
    return row(f"{call} of a bucket without it is {code}", call, of_bare(), Refused(code, "", 404))


UNSET = [
    unset("get_bucket_policy", "NoSuchBucketPolicy"),
    unset("get_bucket_policy_status", "NoSuchBucketPolicy"),
    unset("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
    unset("get_bucket_tagging", "NoSuchTagSet"),
    unset("get_bucket_cors", "NoSuchCORSConfiguration"),
    unset("get_bucket_website", "NoSuchWebsiteConfiguration"),
    unset("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
    unset("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
    row("a new bucket encrypts with AES256", "get_bucket_encryption", of_bare(),
        Answered(lambda a: a["ServerSideEncryptionConfiguration"]["Rules"][0]
                 ["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256")),
    row("a new bucket blocks all public access", "get_public_access_block", of_bare(),
        Answered(lambda a: a["PublicAccessBlockConfiguration"] == dict.fromkeys(BLOCK, True))),
    row("a new bucket's objects are its owner's", "get_bucket_ownership_controls", of_bare(),
        Answered(lambda a: a["OwnershipControls"]["Rules"]
                 == [{"ObjectOwnership": "BucketOwnerEnforced"}])),
    row("a new bucket keeps no versions", "get_bucket_versioning", of_bare(),
        Answered(lambda a: "Status" not in a)),
    row("a new bucket logs nothing", "get_bucket_logging", of_bare(),
        Answered(lambda a: "LoggingEnabled" not in a)),
    row("a new bucket notifies nobody", "get_bucket_notification_configuration", of_bare(),
        Answered(lambda a: not [key for key in a if key.endswith("Configurations")])),
    row("a new bucket is paid for by its owner", "get_bucket_request_payment", of_bare(),
        Answered(lambda a: a["Payer"] == "BucketOwner")),
    row("a new bucket is its owner's alone", "get_bucket_acl", of_bare(),
        Answered(lambda a: [g["Permission"] for g in a["Grants"]] == ["FULL_CONTROL"]
                 and a["Grants"][0]["Grantee"]["ID"] == a["Owner"]["ID"])),
    row("a bucket allows no ACLs unless its ownership says so", "put_bucket_acl",
        of_bare(ACL="public-read"), Refused("AccessControlListNotSupported", "", 400)),
    row("nor do its objects", "put_object",
        of_bare(Key="acl", Body=b"x", ACL="public-read"),
        Refused("AccessControlListNotSupported", "", 400)),
    *(row(f"{call} is no error where nothing is set", call, of_bare(),
          Answered(lambda a: a["ResponseMetadata"]["HTTPStatusCode"] == 204))
      for call in ("delete_bucket_policy", "delete_bucket_lifecycle", "delete_bucket_tagging",
                   "delete_bucket_cors")),
]  # fmt: skip


def policed(says: str, words: str, **members: Any) -> Row:
    """A policy that S3 does not take."""

    def parameters(world: World) -> dict[str, Any]:
        usual = {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{world.account}:root"},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bare(world)}/*",
        }
        statement = {**usual, **members}
        kept = {key: value for key, value in statement.items() if value is not None}
        return {"Bucket": bare(world), "Policy": json.dumps({"Statement": [kept]})}

    return row(says, "put_bucket_policy", parameters, Refused("MalformedPolicy", words, 400))


POLICIES = [
    row("a bucket's policy is JSON", "put_bucket_policy", of_bare(Policy="nonsense"),
        Refused("MalformedPolicy", "", 400)),
    row("a bucket's policy has statements", "put_bucket_policy",
        of_bare(Policy='{"Version": "2012-10-17"}'), Refused("MalformedPolicy", "", 400)),
    row("a bucket's policy has a version of the language", "put_bucket_policy",
        of_bare(Policy='{"Version": "2013-01-01", "Statement": []}'),
        Refused("MalformedPolicy", "", 400)),
    policed("a statement of a bucket's policy has a principal", "Principal", Principal=None),
    policed("a statement of a bucket's policy has an action", "", Action=None),
    policed("a statement of a bucket's policy has a resource", "", Resource=None),
    policed("a statement of a bucket's policy has an effect", "", Effect="Perhaps"),
    policed("a bucket's policy is about the bucket", "Policy has invalid resource",
            Resource="arn:aws:s3:::another-bucket-than-this/*"),
    policed("a bucket's policy has actions of S3", "Policy has invalid action",
            Action="ec2:RunInstances"),
    row("a new bucket takes no public policy", "put_bucket_policy",
        lambda w: {"Bucket": bare(w), "Policy": _public(bare(w))},
        Refused("AccessDenied", "BlockPublicPolicy", 403)),
]  # fmt: skip
TAGS = [
    row("a bucket has no tag twice", "put_bucket_tagging",
        of_bare(Tagging={"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}),
        Refused("InvalidTag", "", 400)),
    row("a rule of a lifecycle expires after at least a day",
        "put_bucket_lifecycle_configuration",
        of_bare(LifecycleConfiguration={"Rules": [{**RULE, "Expiration": {"Days": 0}}]}),
        Refused("InvalidArgument", "", 400)),
]  # fmt: skip
OWNERS = [
    row("a bucket is its owner's, as expected", "get_bucket_location",
        lambda w: {"Bucket": bare(w), "ExpectedBucketOwner": w.account}, Answered()),
    row("a bucket is not somebody else's", "get_bucket_location",
        of_bare(ExpectedBucketOwner="111122223333"), Refused("AccessDenied", "", 403)),
    row("owners are told by their canonical ids", "get_bucket_acl", of_bare(),
        Answered(lambda a: len(a["Owner"]["ID"]) == 64 and int(a["Owner"]["ID"], 16))),
]  # fmt: skip
LISTS = [
    row("all buckets are listed by name", "list_buckets", {},
        Answered(lambda a: [one["Name"] for one in a["Buckets"]]
                 == sorted(one["Name"] for one in a["Buckets"]))),
    row("buckets are listed by prefix", "list_buckets",
        lambda w: {"Prefix": bare(w)},
        Answered(lambda a: len(a["Buckets"]) == 1 and a["Prefix"] == a["Buckets"][0]["Name"])),
]  # fmt: skip
ROWS = [*NAMES, *MISSING, *HEADS, *UNSET, *POLICIES, *TAGS, *OWNERS, *LISTS]


def _public(bucket: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


# ---------------------------------------------------------------- stories


def _a_bucket_is_made_and_deleted(world: World) -> None:
    s3, name = world.client("s3"), make_bucket(world)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    assert code_of(s3.delete_bucket, Bucket=name) == "BucketNotEmpty"
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    assert code_of(s3.head_bucket, Bucket=name) == "404"
    s3.create_bucket(Bucket=name, **_where(world))


def _where(world: World) -> dict[str, Any]:
    if world.region == "us-east-1":
        return {}
    return {"CreateBucketConfiguration": {"LocationConstraint": world.region}}


def _a_bucket_is_made_twice(world: World) -> None:
    """In us-east-1 that is no error, for reasons of history; anywhere else it is one."""
    home, west = world.client("s3", "us-east-1"), world.client("s3", "us-west-2")
    name, other = world.name("fidelity"), world.name("fidelity")
    home.create_bucket(Bucket=name)
    world.later(lambda: home.delete_bucket(Bucket=name))
    home.create_bucket(Bucket=name)
    where = {"LocationConstraint": "us-west-2"}
    west.create_bucket(Bucket=other, CreateBucketConfiguration=where)
    world.later(lambda: west.delete_bucket(Bucket=other))
    again = code_of(west.create_bucket, Bucket=other, CreateBucketConfiguration=where)
    assert again == "BucketAlreadyOwnedByYou"
    assert west.get_bucket_location(Bucket=other)["LocationConstraint"] == "us-west-2"
    assert home.get_bucket_location(Bucket=name)["LocationConstraint"] is None


def _a_region_makes_buckets_of_its_own(world: World) -> None:
    west = world.client("s3", "us-west-2")
    name = world.name("fidelity")
    assert code_of(west.create_bucket, Bucket=name) == "IllegalLocationConstraintException"
    other = {"LocationConstraint": "eu-west-1"}
    code = code_of(west.create_bucket, Bucket=name, CreateBucketConfiguration=other)
    assert code == "IllegalLocationConstraintException"


def _settings_are_kept(world: World) -> None:
    s3, name = world.client("s3"), make_bucket(world)
    tags = [{"Key": "kind", "Value": "row"}]
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": [RULE]})
    assert s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"] == [RULE]
    s3.put_bucket_cors(Bucket=name, CORSConfiguration=CORS)
    assert s3.get_bucket_cors(Bucket=name)["CORSRules"] == CORS["CORSRules"]
    s3.delete_bucket_tagging(Bucket=name)
    assert code_of(s3.get_bucket_tagging, Bucket=name) == "NoSuchTagSet"
    s3.delete_public_access_block(Bucket=name)
    code = code_of(s3.get_public_access_block, Bucket=name)
    assert code == "NoSuchPublicAccessBlockConfiguration"
    s3.delete_bucket_ownership_controls(Bucket=name)
    code = code_of(s3.get_bucket_ownership_controls, Bucket=name)
    assert code == "OwnershipControlsNotFoundError"


def _a_public_policy_is_for_everybody(world: World) -> None:
    s3, name = world.client("s3"), make_bucket(world)
    s3.put_object(Bucket=name, Key="k", Body=b"x")
    nobody = anonymous(world)
    assert code_of(nobody.get_object, Bucket=name, Key="k") == "AccessDenied"
    s3.delete_public_access_block(Bucket=name)
    s3.put_bucket_policy(Bucket=name, Policy=_public(name))
    assert s3.get_bucket_policy_status(Bucket=name)["PolicyStatus"]["IsPublic"] is True
    assert json.loads(s3.get_bucket_policy(Bucket=name)["Policy"]) == json.loads(_public(name))
    assert nobody.get_object(Bucket=name, Key="k")["Body"].read() == b"x"
    assert code_of(nobody.put_object, Bucket=name, Key="k", Body=b"y") == "AccessDenied"


def _a_wrong_signature_is_refused(world: World) -> None:
    known = {"Bucket": world.bucket, "Key": ten(world)}
    wrong = client_with(world, aws_secret_access_key="wrong" * 8)
    assert code_of(wrong.get_object, **known) == "SignatureDoesNotMatch"
    unknown = client_with(world, aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_session_token=None)
    assert code_of(unknown.get_object, **known) == "InvalidAccessKeyId"


def _a_presigned_url_is_for_everybody_for_a_while(world: World) -> None:
    s3, known = version_4(world), {"Bucket": world.bucket, "Key": ten(world)}
    url = s3.generate_presigned_url("get_object", Params=known, ExpiresIn=60)
    assert fetch(url)[::2] == (200, b"0123456789")
    status, _, body = fetch(url, "DELETE")
    assert (status, b"<Code>SignatureDoesNotMatch</Code>" in body) == (403, True)
    status, _, body = fetch(url.replace("ten", "ten2"))
    assert (status, b"<Code>SignatureDoesNotMatch</Code>" in body) == (403, True)
    short = s3.generate_presigned_url("get_object", Params=known, ExpiresIn=1)
    time.sleep(3)
    status, _, body = fetch(short)
    assert status == 403
    assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in body


def _a_presigned_put_stores(world: World) -> None:
    s3, key = version_4(world), world.name("presigned")
    known = {"Bucket": world.bucket, "Key": key}
    url = s3.generate_presigned_url("put_object", Params=known, ExpiresIn=60)
    assert fetch(url, "PUT", b"put by nobody")[0] == 200
    assert s3.get_object(**known)["Body"].read() == b"put by nobody"


def _every_answer_has_an_id(world: World) -> None:
    s3, known = world.client("s3"), {"Bucket": world.bucket, "Key": put(world, "id")}
    headers = s3.get_object(**known)["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-request-id"]
    assert headers["x-amz-id-2"]
    assert headers["server"] == "AmazonS3"


def _user_who_may(world: World, *actions: str) -> Any:
    """Return a client of a user who may do this to the bucket of all."""
    arn = f"arn:aws:s3:::{world.bucket}"
    return _user_with(world, {"Action": [*actions], "Resource": [arn, f"{arn}/*"]})


def _user_with(world: World, *statements: dict[str, Any]) -> Any:
    iam, name = world.client("iam"), make_user(world)
    allowed = policy(*statements)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=allowed)
    world.later(lambda: iam.delete_user_policy(UserName=name, PolicyName="own"))
    key = make_key(world, name)
    return client_with(
        world,
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=None,
    )


def _a_bucket_is_made_with_tags(world: World) -> None:
    s3, name = world.client("s3"), world.name("tagged")
    tags = [{"Key": f"key-{number:02}", "Value": "v"} for number in range(51)]
    told = "BadRequest"
    assert code_of(s3.create_bucket, Bucket=name, **_home(world, tags)) == told
    assert _refusal(s3.head_bucket, Bucket=name) == "404"
    s3.create_bucket(Bucket=name, **_home(world, tags[:50]))
    world.later(lambda: s3.delete_bucket(Bucket=name))
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == tags[:50]


def _home(world: World, tags: list[dict[str, str]]) -> dict[str, Any]:
    where = {} if world.region == "us-east-1" else {"LocationConstraint": world.region}
    return {"CreateBucketConfiguration": {**where, "Tags": tags}}


def _refusal(call: Callable[..., Any], **parameters: Any) -> str:
    try:
        call(**parameters)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def _who_may_not_list_does_not_know_what_is_missing(world: World) -> None:
    there = {"Bucket": world.bucket, "Key": ten(world)}
    missing = {"Bucket": world.bucket, "Key": "no/such/key"}
    reader = _user_who_may(world, "s3:GetObject")
    wait_until(lambda: not _refusal(reader.head_object, **there), "the policy never held")
    assert _refusal(reader.get_object, **missing) == "AccessDenied"
    assert _refusal(reader.head_object, **missing) == "403"
    assert _refusal(reader.put_object, **there, Body=b"x") == "AccessDenied"
    lister = _user_who_may(world, "s3:GetObject", "s3:ListBucket")
    wait_until(lambda: not _refusal(lister.head_object, **there), "the policy never held")
    assert _refusal(lister.get_object, **missing) == "NoSuchKey"
    assert _refusal(lister.head_object, **missing) == "404"


def _one_who_may_list_a_prefix_only_is_told_no_more(world: World) -> None:
    """A request for an object has no prefix, so that what allows one does not hold for it."""
    only = {"StringLike": {"s3:prefix": ["no/*"]}}
    there = {"Bucket": world.bucket, "Key": ten(world)}
    arn = f"arn:aws:s3:::{world.bucket}"
    lister = _user_with(
        world,
        {"Action": "s3:GetObject", "Resource": f"{arn}/*"},
        {"Action": "s3:ListBucket", "Resource": arn, "Condition": only},
    )
    wait_until(lambda: not _refusal(lister.head_object, **there), "the policy never held")
    assert lister.list_objects_v2(Bucket=world.bucket, Prefix="no/such")["KeyCount"] == 0
    assert _refusal(lister.get_object, Bucket=world.bucket, Key="no/such/key") == "AccessDenied"


def _each_of_many_is_judged(world: World) -> None:
    """Whether many may be deleted is asked of each; and tags need a right of their own."""
    writer = _user_who_may(world, "s3:PutObject")
    known = {"Bucket": world.bucket, "Key": world.name("judged")}
    wait_until(lambda: not _refusal(writer.put_object, **known, Body=b"x"), "it never held")
    wanted = {"Objects": [{"Key": known["Key"]}]}
    answer = writer.delete_objects(Bucket=world.bucket, Delete=wanted)
    assert [one["Code"] for one in answer["Errors"]] == ["AccessDenied"]
    assert "Deleted" not in answer
    assert _refusal(writer.put_object, **known, Body=b"x", Tagging="a=b") == "AccessDenied"
    assert world.client("s3").get_object(**known)["Body"].read() == b"x"


API = "Amazon S3 API Reference, "
STORIES = [
    Story("S3: a bucket that is not empty is not deleted", _a_bucket_is_made_and_deleted,
          f"{API}DeleteBucket"),
    Story("S3: a bucket is made twice in us-east-1 only", _a_bucket_is_made_twice,
          f"{API}CreateBucket"),
    Story("S3: a region makes buckets of its own", _a_region_makes_buckets_of_its_own,
          f"{API}Error responses"),
    Story("S3: settings of a bucket are kept", _settings_are_kept, f"{API}PutBucketTagging"),
    Story("S3: a public policy lets everybody read", _a_public_policy_is_for_everybody,
          f"{API}PutBucketPolicy"),
    Story("S3: a wrong signature is refused, and an unknown key", _a_wrong_signature_is_refused,
          f"{API}Error responses"),
    Story("S3: a presigned URL is for everybody for a while",
          _a_presigned_url_is_for_everybody_for_a_while, "Amazon S3 User Guide, Presigned URLs"),
    Story("S3: a presigned PUT stores", _a_presigned_put_stores,
          "Amazon S3 User Guide, Presigned URLs"),
    Story("S3: who may not list does not know what is missing",
          _who_may_not_list_does_not_know_what_is_missing, f"{API}GetObject"),
    Story("S3: who may list a prefix only is told nothing of what is missing below it",
          _one_who_may_list_a_prefix_only_is_told_no_more,
          "Amazon S3 User Guide, Bucket policy examples using condition keys"),
    Story("S3: a bucket is made with its tags, 50 of them at most", _a_bucket_is_made_with_tags,
          f"{API}CreateBucketConfiguration"),
    Story("S3: each of many that are to be deleted is judged", _each_of_many_is_judged,
          f"{API}DeleteObjects"),
    Story("S3: every answer of S3 has an id", _every_answer_has_an_id,
          f"{API}Common response headers"),
]  # fmt: skip
