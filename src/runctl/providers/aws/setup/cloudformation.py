"""A set-up as a template of CloudFormation; the bucket outlives its stack."""

from __future__ import annotations

from typing import Any

from runctl.model.setup import Document
from runctl.providers.aws.setup.blueprint import Blueprint
from runctl.providers.aws.setup.bucket import BLOCKED
from runctl.providers.aws.setup.group import permission

_KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


def to_cloudformation(plan: Blueprint) -> Document:
    """Return the template; it needs ``CAPABILITY_NAMED_IAM``."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": plan.group_description,
        "Resources": {**_bucket(plan), **_role(plan), "Group": _group(plan)},
    }


def _bucket(plan: Blueprint) -> dict[str, Any]:
    rule = plan.encryption
    by = rule["ApplyServerSideEncryptionByDefault"]
    encryption = {**rule, "ServerSideEncryptionByDefault": by}
    del encryption["ApplyServerSideEncryptionByDefault"]
    properties = {
        "BucketName": plan.bucket,
        "PublicAccessBlockConfiguration": BLOCKED,
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [encryption]},
        "LifecycleConfiguration": {"Rules": [_lifecycle(one) for one in plan.lifecycle]},
    }
    policy = {"Version": "2012-10-17", "Statement": [plan.tls_statement]}
    attached = {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": policy}
    return {
        "Bucket": {"Type": "AWS::S3::Bucket", **_KEPT, "Properties": properties},
        "BucketPolicy": {"Type": "AWS::S3::BucketPolicy", **_KEPT, "Properties": attached},
    }


def _lifecycle(rule: dict[str, Any]) -> dict[str, Any]:
    told = {"Id": rule["ID"], "Status": rule["Status"], "Prefix": rule["Filter"]["Prefix"]}
    if "Expiration" in rule:
        told["ExpirationInDays"] = rule["Expiration"]["Days"]
    if "AbortIncompleteMultipartUpload" in rule:
        told["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    return told


def _role(plan: Blueprint) -> dict[str, Any]:
    role = {
        "RoleName": plan.role,
        "Description": plan.group_description,
        "AssumeRolePolicyDocument": plan.trust,
        "ManagedPolicyArns": [plan.managed_policy],
        "Policies": [{"PolicyName": plan.policy_name, "PolicyDocument": plan.policy}],
        "Tags": plan.tags,
    }
    profile = {"InstanceProfileName": plan.profile, "Roles": [{"Ref": "Role"}]}
    return {
        "Role": {"Type": "AWS::IAM::Role", "Properties": role},
        "InstanceProfile": {"Type": "AWS::IAM::InstanceProfile", "Properties": profile},
    }


def _group(plan: Blueprint) -> dict[str, Any]:
    ingress = []
    for one in plan.openings:
        told = permission(one)
        del told["Ipv6Ranges" if one.is_ipv6 else "IpRanges"]
        ingress.append({**told, "CidrIpv6" if one.is_ipv6 else "CidrIp": one.block})
    return {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {
            "GroupName": plan.group,
            "GroupDescription": plan.group_description,
            "SecurityGroupIngress": ingress,
            "Tags": plan.tags,
        },
    }
