"""The world of the rows: clients, and things that are made once and ended with the suite."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
SSM_POLICY = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
OWNER = {"Key": "runctl:owner", "Value": "fidelity-suite"}


class CloudWorld:
    """A cloud that is reached with boto3, and nothing else."""

    def __init__(self, session: boto3.Session) -> None:
        self._session = session
        self.region = str(session.region_name)
        self._undo: list[Callable[[], object]] = []
        self.client = cache(self._make_client)

    def _make_client(self, service: str, region: str | None = None) -> Any:
        make: Any = self._session.client
        return make(service, region_name=region or self.region)

    @cached_property
    def account(self) -> str:
        return str(self.client("sts").get_caller_identity()["Account"])

    def name(self, stem: str) -> str:
        return f"{stem}-{secrets.token_hex(4)}"

    def tags(self, kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": [OWNER]}]

    def later(self, undo: Callable[[], object]) -> None:
        self._undo.append(undo)

    def end(self) -> list[Exception]:
        """Undo everything, the last first; return what went wrong."""
        problems = []
        while self._undo:
            try:
                self._undo.pop()()
            except Exception as error:  # noqa: BLE001 - the rest has to be undone all the same
                problems.append(error)
        return problems

    @cached_property
    def image(self) -> str:
        answer = self.client("ssm").get_parameter(Name=AL2023)
        return str(answer["Parameter"]["Value"])

    @cached_property
    def profile(self) -> str:
        iam, name = self.client("iam"), self.name("fidelity")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        self.later(lambda: iam.delete_role(RoleName=name))
        iam.attach_role_policy(RoleName=name, PolicyArn=SSM_POLICY)
        self.later(lambda: iam.detach_role_policy(RoleName=name, PolicyArn=SSM_POLICY))
        iam.create_instance_profile(InstanceProfileName=name)
        self.later(lambda: iam.delete_instance_profile(InstanceProfileName=name))
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        self.later(
            lambda: iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
        )
        return name

    @cached_property
    def instance(self) -> str:
        ident = self._launch()
        self.client("ec2").get_waiter("instance_running").wait(
            InstanceIds=[ident], WaiterConfig={"Delay": 2, "MaxAttempts": 150}
        )
        wait_until(lambda: self._is_online(ident), "the instance never came Online")
        return ident

    def _launch(self) -> str:
        ec2, profile = self.client("ec2"), self.profile
        made: dict[str, Any] = {}

        def launch() -> bool:
            try:
                made.update(
                    ec2.run_instances(
                        ImageId=self.image,
                        InstanceType="t3.micro",
                        MinCount=1,
                        MaxCount=1,
                        IamInstanceProfile={"Name": profile},
                        MetadataOptions={"HttpTokens": "required"},
                        TagSpecifications=self.tags("instance") + self.tags("volume"),
                    )
                )
            except ec2.exceptions.ClientError as error:
                if "Invalid IAM Instance Profile" in str(error):
                    return False  # IAM is eventually consistent, and says so
                raise
            return True

        wait_until(launch, "the instance profile never became known to EC2")
        ident = str(made["Instances"][0]["InstanceId"])
        self.later(
            lambda: ec2.get_waiter("instance_terminated").wait(
                InstanceIds=[ident], WaiterConfig={"Delay": 2, "MaxAttempts": 150}
            )
        )
        self.later(lambda: ec2.terminate_instances(InstanceIds=[ident]))
        return ident

    def _is_online(self, ident: str) -> bool:
        wanted = [{"Key": "InstanceIds", "Values": [ident]}]
        found = self.client("ssm").describe_instance_information(Filters=wanted)
        return any(one["PingStatus"] == "Online" for one in found["InstanceInformationList"])

    @cached_property
    def volume(self) -> str:
        ec2 = self.client("ec2")
        described = ec2.describe_instances(InstanceIds=[self.instance])
        zone = described["Reservations"][0]["Instances"][0]["Placement"]["AvailabilityZone"]
        ident = ec2.create_volume(
            AvailabilityZone=zone,
            Size=1,
            VolumeType="gp3",
            TagSpecifications=self.tags("volume"),
        )["VolumeId"]
        self.later(lambda: ec2.delete_volume(VolumeId=ident))
        ec2.get_waiter("volume_available").wait(VolumeIds=[ident])
        return str(ident)

    @cached_property
    def bucket(self) -> str:
        s3, name = self.client("s3"), self.name("fidelity")
        where = {"LocationConstraint": self.region}
        extra = {} if self.region == "us-east-1" else {"CreateBucketConfiguration": where}
        s3.create_bucket(Bucket=name, **extra)
        self.later(lambda: empty_and_delete(s3, name))
        return name


def empty_and_delete(s3: Any, bucket: str) -> None:
    """Delete a bucket with all that is in it, versions and unfinished uploads too."""
    for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    for found in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for one in found.get("Versions", []) + found.get("DeleteMarkers", []):
            s3.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
    s3.delete_bucket(Bucket=bucket)


def code_of(call: Callable[..., object], **parameters: Any) -> str:
    """Return the code of the error that a call has to end in."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return str(error.value.response["Error"]["Code"])


def wait_until(holds: Callable[[], bool], problem: str, patience_s: float = 300.0) -> None:
    """Ask again every half second until it holds."""
    from time import monotonic, sleep  # noqa: PLC0415

    end = monotonic() + patience_s
    while not holds():
        assert monotonic() < end, problem
        sleep(0.5)
