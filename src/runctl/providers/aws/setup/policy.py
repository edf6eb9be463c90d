"""The policies of a set-up: what the role of an owner's instances may do, and nothing more.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from runctl.aws.tags import OWNER_TAG
from runctl.model.setup import Document, SetupWish
from runctl.providers.aws.setup.place import Place
from runctl.providers.aws.setup.wishes import split_place

_VERSION = "2012-10-17"
_OBJECT_ACTIONS = [
    "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
]  # fmt: skip
_WRITE_ACTIONS = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
_PULL_ACTIONS = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage",
                 "ecr:GetDownloadUrlForLayer"]  # fmt: skip
TLS_SID = "RunctlTlsOnly"


def trust_policy(place: Place) -> Document:
    """Return who may take the role: EC2, for instances."""
    return _document([{
        "Effect": "Allow",
        "Principal": {"Service": f"ec2.{place.domain}"},
        "Action": "sts:AssumeRole",
    }])  # fmt: skip


def tls_statement(place: Place, bucket: str) -> Document:
    """Return the statement of a bucket's policy that refuses what is not encrypted on its way."""
    return {
        "Sid": TLS_SID,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [place.s3_arn(bucket), place.s3_arn(f"{bucket}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def instance_policy(place: Place, bucket: str, wish: SetupWish) -> Document:
    """Return the one policy within the role."""
    own = ledger_statements(place, bucket, place.owner)
    return _document([*own, *instance_statements(place), *_widened(place, wish)])


def ledger_statements(place: Place, bucket: str, prefix: str) -> list[Document]:
    """Return what the ledger under a prefix needs; an empty prefix is all of the bucket."""
    objects = _allow("LedgerObjects", _OBJECT_ACTIONS, place.s3_arn(_below(bucket, prefix)))
    return [objects, _listing("LedgerListing", place, bucket, prefix)]


def instance_statements(place: Place) -> list[Document]:
    """Look at instances, end those of the owner, write tags on them: but for whose they are."""
    own = {f"ec2:ResourceTag/{OWNER_TAG}": place.owner}
    instances, volumes = place.arn("ec2", "instance/*"), place.arn("ec2", "volume/*")
    # Tags differ by case and keys of conditions do not: RUNCTL:OWNER must not be written either.
    others = {"aws:TagKeys": OWNER_TAG}
    tagging = {"StringEquals": own, "ForAllValues:StringNotEqualsIgnoreCase": others}
    looking = ["ec2:DescribeInstances", "ec2:DescribeTags", "ec2:DescribeVolumes"]
    ending = ["ec2:StopInstances", "ec2:TerminateInstances"]
    return [
        _allow("LookAtInstances", looking, "*"),
        _allow("EndOwnInstances", ending, instances, {"StringEquals": own}),
        _allow("TagOwnThings", ["ec2:CreateTags"], [instances, volumes], tagging),
    ]


def _widened(place: Place, wish: SetupWish) -> Iterator[Document]:
    for number, url in enumerate(wish.reads, 1):
        bucket, prefix = split_place(url)
        paths = [_below(bucket, prefix), *([f"{bucket}/{prefix}"] if prefix else [])]
        yield _allow(f"Read{number}", ["s3:GetObject"], [place.s3_arn(path) for path in paths])
        yield _listing(f"ReadListing{number}", place, bucket, prefix)
    for number, url in enumerate(wish.writes, 1):
        bucket, prefix = split_place(url)
        yield _allow(f"Write{number}", _WRITE_ACTIONS, place.s3_arn(_below(bucket, prefix)))
    if wish.kms_key is not None:
        via = {"StringEquals": {"kms:ViaService": f"s3.{place.region}.{place.domain}"}}
        yield _allow("UseKey", ["kms:Decrypt", "kms:GenerateDataKey"], wish.kms_key, via)
    if wish.repositories:
        arns = [_repository(place, name) for name in wish.repositories]
        yield _allow("SignInToRegistry", ["ecr:GetAuthorizationToken"], "*")
        yield _allow("PullImages", _PULL_ACTIONS, arns)


def _repository(place: Place, name: str) -> str:
    return name if name.startswith("arn:") else place.arn("ecr", f"repository/{name}")


def _listing(sid: str, place: Place, bucket: str, prefix: str) -> Document:
    under = {"StringLike": {"s3:prefix": [prefix, f"{prefix}/*"]}} if prefix else None
    return _allow(sid, ["s3:ListBucket"], place.s3_arn(bucket), under)


def _below(bucket: str, prefix: str) -> str:
    return f"{bucket}/{prefix}/*" if prefix else f"{bucket}/*"


def _allow(
    sid: str,
    actions: Sequence[str],
    resource: str | list[str],
    condition: dict[str, Any] | None = None,
) -> Document:
    statement = {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def _document(statements: Sequence[Document]) -> Document:
    return {"Version": _VERSION, "Statement": list(statements)}


def is_same(left: object, right: object) -> bool:
    """Tell whether documents say the same: AWS writes a list of one as its entry, in any order."""
    return _plain(left) == _plain(right)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        entries = sorted((_plain(entry) for entry in value), key=repr)
        return entries[0] if len(entries) == 1 else entries
    return value
