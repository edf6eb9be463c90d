"""The policies that AWS manages: those that a user of instances, buckets and images meets.

The broad ones (ReadOnlyAccess, PowerUserAccess) name the services that this cloud has; AWS's name
every other as well.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

import msgspec

from runctl.localcloud.state.records import Record

_PREFIX = "arn:aws:iam::aws:policy"
_MADE_AT = 1_423_000_000.0

_SSM_CORE = {
    "ssm": "DescribeAssociation GetDeployablePatchSnapshotForInstance GetDocument "
            "DescribeDocument GetManifest GetParameter GetParameters ListAssociations "
            "ListInstanceAssociations PutInventory PutComplianceItems PutConfigurePackageResult "
            "UpdateAssociationStatus UpdateInstanceAssociationStatus UpdateInstanceInformation",
    "ssmmessages": "CreateControlChannel CreateDataChannel OpenControlChannel OpenDataChannel",
    "ec2messages": "AcknowledgeMessage DeleteMessage FailMessage GetEndpoint GetMessages "
                    "SendReply",
}  # fmt: skip
_ECR_READ = (
    "GetAuthorizationToken BatchCheckLayerAvailability GetDownloadUrlForLayer GetRepositoryPolicy "
    "DescribeRepositories ListImages DescribeImages BatchGetImage GetLifecyclePolicy "
    "GetLifecyclePolicyPreview ListTagsForResource DescribeImageScanFindings"
)
_ECR_WRITE = "InitiateLayerUpload UploadLayerPart CompleteLayerUpload PutImage"
_READ = (
    "ec2:Describe* ec2:Get* ec2:Search* ecr:BatchCheck* ecr:BatchGet* ecr:Describe* ecr:Get* "
    "ecr:List* iam:Generate* iam:Get* iam:List* iam:Simulate* pricing:Describe* pricing:Get* "
    "pricing:List* s3:Describe* s3:Get* s3:List* servicequotas:Get* servicequotas:List* "
    "ssm:Describe* ssm:Get* ssm:List* sts:GetAccessKeyInfo sts:GetCallerIdentity "
    "sts:GetSessionToken"
)
_SLR = "autoscaling ec2scheduled elasticloadbalancing spot spotfleet transitgateway"


def _allow(actions: str, **conditions: Any) -> dict[str, Any]:
    names = actions.split()
    listed = names[0] if len(names) == 1 else names
    condition = {"Condition": conditions} if conditions else {}
    return {"Effect": "Allow", "Action": listed, "Resource": "*", **condition}


def _of(service: str, names: str) -> dict[str, Any]:
    return _allow(" ".join(f"{service}:{name}" for name in names.split()))


def _passing_to_ec2(resource: str = "*") -> dict[str, Any]:
    services = ["ec2.amazonaws.com", "ec2.amazonaws.com.cn"]
    allowed = _allow("iam:PassRole", StringEquals={"iam:PassedToService": services})
    return {**allowed, "Resource": resource}


def _linked_roles() -> dict[str, Any]:
    services = [f"{name}.amazonaws.com" for name in _SLR.split()]
    return _allow("iam:CreateServiceLinkedRole", StringEquals={"iam:AWSServiceName": services})


def _power_user() -> list[dict[str, Any]]:
    others = ["iam:*", "organizations:*", "account:*"]
    rest = "iam:CreateServiceLinkedRole iam:DeleteServiceLinkedRole iam:ListRoles"
    return [{"Effect": "Allow", "NotAction": others, "Resource": "*"}, _allow(rest)]


_STATEMENTS: dict[str, list[dict[str, Any]]] = {
    "/AdministratorAccess": [_allow("*")],
    "/AmazonEC2ContainerRegistryFullAccess": [_allow("ecr:* cloudtrail:LookupEvents")],
    "/AmazonEC2ContainerRegistryPowerUser": [_of("ecr", f"{_ECR_READ} {_ECR_WRITE}")],
    "/AmazonEC2ContainerRegistryReadOnly": [_of("ecr", _ECR_READ)],
    "/AmazonEC2FullAccess": [
        _allow("ec2:*"),
        _allow("elasticloadbalancing:*"),
        _allow("cloudwatch:*"),
        _allow("autoscaling:*"),
        _linked_roles(),
    ],
    "/AmazonEC2ReadOnlyAccess": [
        _of("ec2", "Describe* GetSecurityGroupsForVpc"),
        _allow("elasticloadbalancing:Describe*"),
        _of("cloudwatch", "ListMetrics GetMetricStatistics Describe*"),
        _allow("autoscaling:Describe*"),
    ],
    "/AmazonS3FullAccess": [_allow("s3:* s3-object-lambda:*")],
    "/AmazonS3ReadOnlyAccess": [
        _allow("s3:Get* s3:List* s3:Describe* s3-object-lambda:Get* s3-object-lambda:List*")
    ],
    "/AmazonSSMFullAccess": [
        _allow("cloudwatch:PutMetricData ds:CreateComputer ds:DescribeDirectories "
               "ec2:DescribeInstanceStatus logs:* ssm:* ec2messages:*"),
        _allow("iam:CreateServiceLinkedRole",
               StringLike={"iam:AWSServiceName": "ssm.amazonaws.com"}),
        _of("ssmmessages", "CreateControlChannel CreateDataChannel OpenControlChannel "
                           "OpenDataChannel"),
    ],
    "/AmazonSSMManagedInstanceCore": [_of(service, names) for service, names in _SSM_CORE.items()],
    "/AmazonSSMReadOnlyAccess": [_of("ssm", "Describe* Get* List*")],
    "/IAMFullAccess": [_allow("iam:*")],
    "/IAMReadOnlyAccess": [_of("iam", "Generate* Get* List* Simulate*")],
    "/PowerUserAccess": _power_user(),
    "/ReadOnlyAccess": [_allow(_READ)],
    "/service-role/AmazonEC2SpotFleetTaggingRole": [
        _of("ec2", "DescribeImages DescribeSubnets RequestSpotInstances TerminateInstances "
                   "DescribeInstanceStatus CreateTags RunInstances"),
        _passing_to_ec2(),
        _allow("elasticloadbalancing:RegisterInstancesWithLoadBalancer"),
        _allow("elasticloadbalancing:RegisterTargets"),
    ],
    "/aws-service-role/AWSEC2SpotServiceRolePolicy": [
        _of("ec2", "DescribeInstances StartInstances StopInstances"),
        _of("ec2", "RunInstances CreateTags"),
        _passing_to_ec2(),
    ],
    "/aws-service-role/AWSEC2FleetServiceRolePolicy": [
        _of("ec2", "DescribeImages DescribeSubnets RequestSpotInstances DescribeInstanceStatus "
                   "RunInstances CreateTags TerminateInstances"),
        _passing_to_ec2(),
    ],
}  # fmt: skip


@cache
def aws_policies() -> dict[str, Record]:
    """Return AWS's policies by ARN, in the form of an account's own."""
    return {_PREFIX + path: _record(path, statements) for path, statements in _STATEMENTS.items()}


def _record(full_path: str, statements: list[dict[str, Any]]) -> Record:
    path, _, name = full_path.rpartition("/")
    digest = base64.b32encode(hashlib.sha256(full_path.encode()).digest()).decode()
    document = msgspec.json.encode({"Version": "2012-10-17", "Statement": statements}).decode()
    return {
        "PolicyName": name,
        "PolicyId": f"ANPA{digest[:17]}",
        "Arn": _PREFIX + full_path,
        "Path": f"{path}/",
        "DefaultVersionId": "v1",
        "IsAttachable": not path.startswith("/aws-service-role"),
        "CreateDate": _MADE_AT,
        "UpdateDate": _MADE_AT,
        "Tags": [],
        "_Versions": [{"VersionId": "v1", "CreateDate": _MADE_AT, "_Text": document}],
        "_Next": 2,
    }
