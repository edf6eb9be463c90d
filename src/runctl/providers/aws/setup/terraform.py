"""A set-up as Terraform's JSON: to be kept in a file ``runctl.tf.json``."""

from __future__ import annotations

import json
from typing import Any

from runctl.model.setup import Document
from runctl.providers.aws.setup.blueprint import SSH_PORT, Blueprint

_BUCKET = "${aws_s3_bucket.runctl.id}"
_ROLE = "${aws_iam_role.runctl.name}"


def to_terraform(plan: Blueprint) -> Document:
    """Return the document, for the provider ``hashicorp/aws``."""
    needed = {"required_providers": {"aws": {"source": "hashicorp/aws", "version": ">= 5.0"}}}
    resources = {kind: {"runctl": told} for kind, told in _resources(plan).items()}
    return {
        "terraform": needed,
        "provider": {"aws": {"region": plan.place.region}},
        "data": {"aws_vpc": {"runctl": {"default": True}}},
        "resource": resources,
    }


def _resources(plan: Blueprint) -> dict[str, Any]:
    return {**_bucket(plan), **_role(plan), "aws_security_group": _group(plan)}


def _bucket(plan: Blueprint) -> dict[str, Any]:
    policy = {"Version": "2012-10-17", "Statement": [plan.tls_statement]}
    return {
        # The ledger is in it: destroying the rest must not take it along.
        "aws_s3_bucket": {"bucket": plan.bucket, "lifecycle": {"prevent_destroy": True}},
        "aws_s3_bucket_public_access_block": {
            "bucket": _BUCKET,
            "block_public_acls": True,
            "ignore_public_acls": True,
            "block_public_policy": True,
            "restrict_public_buckets": True,
        },
        "aws_s3_bucket_server_side_encryption_configuration": {
            "bucket": _BUCKET,
            "rule": _encryption(plan),
        },
        "aws_s3_bucket_policy": {"bucket": _BUCKET, "policy": _text(policy)},
        "aws_s3_bucket_lifecycle_configuration": {
            "bucket": _BUCKET,
            "rule": [_rule(rule) for rule in plan.lifecycle],
        },
    }


def _encryption(plan: Blueprint) -> dict[str, Any]:
    by = plan.encryption["ApplyServerSideEncryptionByDefault"]
    told = {"sse_algorithm": by["SSEAlgorithm"]}
    if "KMSMasterKeyID" in by:
        told["kms_master_key_id"] = by["KMSMasterKeyID"]
    return {
        "apply_server_side_encryption_by_default": told,
        "bucket_key_enabled": plan.encryption.get("BucketKeyEnabled", False),
    }


def _rule(rule: dict[str, Any]) -> dict[str, Any]:
    told = {
        "id": rule["ID"],
        "status": rule["Status"],
        "filter": {"prefix": rule["Filter"]["Prefix"]},
    }
    if "Expiration" in rule:
        told["expiration"] = {"days": rule["Expiration"]["Days"]}
    if "AbortIncompleteMultipartUpload" in rule:
        days = rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        told["abort_incomplete_multipart_upload"] = {"days_after_initiation": days}
    return told


def _role(plan: Blueprint) -> dict[str, Any]:
    tags = {tag["Key"]: tag["Value"] for tag in plan.tags}
    return {
        "aws_iam_role": {
            "name": plan.role,
            "description": plan.group_description,
            "assume_role_policy": _text(plan.trust),
            "tags": tags,
        },
        "aws_iam_role_policy_attachment": {"role": _ROLE, "policy_arn": plan.managed_policy},
        "aws_iam_role_policy": {
            "name": plan.policy_name,
            "role": _ROLE,
            "policy": _text(plan.policy),
        },
        "aws_iam_instance_profile": {"name": plan.profile, "role": _ROLE, "tags": tags},
    }


def _group(plan: Blueprint) -> dict[str, Any]:
    # In this syntax a block of attributes has to name all of them.
    rest = {"description": "", "prefix_list_ids": [], "security_groups": [], "self": False}
    outward = {"from_port": 0, "to_port": 0, "protocol": "-1", "cidr_blocks": ["0.0.0.0/0"]}
    return {
        "name": plan.group,
        "description": plan.group_description,
        "vpc_id": "${data.aws_vpc.runctl.id}",
        "tags": {tag["Key"]: tag["Value"] for tag in plan.tags},
        "ingress": [
            {
                **rest,
                "from_port": SSH_PORT,
                "to_port": SSH_PORT,
                "protocol": "tcp",
                "cidr_blocks": [] if one.is_ipv6 else [one.block],
                "ipv6_cidr_blocks": [one.block] if one.is_ipv6 else [],
            }
            for one in plan.openings
        ],
        "egress": [{**rest, **outward, "ipv6_cidr_blocks": []}],
    }


def _text(document: Document) -> str:
    """Return a policy as text; Terraform must not take anything in it for its own."""
    return json.dumps(document).replace("${", "$${").replace("%{", "%%{")
