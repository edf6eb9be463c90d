"""A user with an account and nothing in it, and a look at the account: with boto3 alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.aws.bucketscene import REGION, BucketScene
from tests.fidelity.world import AL2023, SSM_POLICY, TRUST, CloudWorld, empty_and_delete, wait_until
from tests.localcloud.process import CloudProcess


class SetupScene(BucketScene):
    def __init__(self, folder: Path, cloud: CloudProcess) -> None:
        self.world = CloudWorld(cloud.session(REGION))
        super().__init__(folder, cloud, f"runctl-{self.world.account}-{REGION}")
        del self.env["RUNCTL_CONFIG_STORE_ROOT"]
        self.iam, self.ec2 = self.world.client("iam"), self.world.client("ec2")
        self.owner = str(self.told("init")["owner"])
        self.name = f"runctl-{self.owner}"
        self.tag = {"Key": "runctl:owner", "Value": self.owner}

    def told(self, *words: str) -> Any:
        done = self.type(*words, "--output", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def set_up(self, *words: str) -> Any:
        return self.told("aws", "setup", "--yes", *words)

    # -- behind the tool

    def policy(self) -> Any:
        told = self.iam.get_role_policy(RoleName=self.name, PolicyName=f"runctl-{REGION}")
        return told["PolicyDocument"]

    def group(self) -> Any:
        filters = [{"Name": "group-name", "Values": [self.name]}]
        [found] = self.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        return found

    def rules(self) -> list[Any]:
        told = self.s3.get_bucket_lifecycle_configuration(Bucket=self.bucket)
        return list(told["Rules"])

    def check_complete(self) -> None:
        """Assert that all of a set-up without any wish is there, and nothing more."""
        self._check_bucket()
        role = self.iam.get_role(RoleName=self.name)["Role"]
        assert role["AssumeRolePolicyDocument"] == TRUST
        assert role["Tags"] == [self.tag]
        attached = self.iam.list_attached_role_policies(RoleName=self.name)["AttachedPolicies"]
        assert [one["PolicyArn"] for one in attached] == [SSM_POLICY]
        named = self.iam.list_role_policies(RoleName=self.name)["PolicyNames"]
        assert named == [f"runctl-{REGION}"]
        told = self.iam.get_instance_profile(InstanceProfileName=self.name)
        assert [one["RoleName"] for one in told["InstanceProfile"]["Roles"]] == [self.name]
        group = self.group()
        assert group["Tags"] == [self.tag]
        assert group["IpPermissions"] == []
        assert [one["IpProtocol"] for one in group["IpPermissionsEgress"]] == ["-1"]

    def _check_bucket(self) -> None:
        told = self.s3.get_public_access_block(Bucket=self.bucket)
        assert set(told["PublicAccessBlockConfiguration"].values()) == {True}
        told = self.s3.get_bucket_encryption(Bucket=self.bucket)
        [rule] = told["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
        text = self.s3.get_bucket_policy(Bucket=self.bucket)["Policy"]
        denied = [one for one in json.loads(text)["Statement"] if one["Effect"] == "Deny"]
        assert [one["Condition"] for one in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]
        expired = {
            r["Filter"]["Prefix"]: r["Expiration"] for r in self.rules() if "Expiration" in r
        }
        assert expired[f"{self.owner}/transit/"] == {"Days": 1}
        aborted = [r.get("AbortIncompleteMultipartUpload") for r in self.rules()]
        assert {"DaysAfterInitiation": 7} in aborted

    # -- instances

    def launch_instance(self, tags: list[dict[str, str]], image_name: str = AL2023) -> str:
        """Launch an instance with the profile and the group of the set-up; return its id."""
        image = self.world.client("ssm").get_parameter(Name=image_name)["Parameter"]["Value"]
        tagged = [{"ResourceType": "instance", "Tags": tags}] if tags else []
        group, made = self.group()["GroupId"], list[str]()

        def launch() -> bool:
            try:
                told = self.ec2.run_instances(
                    ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1,
                    IamInstanceProfile={"Name": self.name}, TagSpecifications=tagged,
                    SecurityGroupIds=[group],
                )  # fmt: skip
            except self.ec2.exceptions.ClientError as error:
                if "Invalid IAM Instance Profile" in str(error):
                    return False
                raise
            made.append(told["Instances"][0]["InstanceId"])
            return True

        wait_until(launch, "the profile never became known to EC2")
        return made[0]

    def await_online(self, instance: str) -> None:
        ssm, asked = self.world.client("ssm"), [{"Key": "InstanceIds", "Values": [instance]}]
        wait_until(
            lambda: ssm.describe_instance_information(Filters=asked)["InstanceInformationList"],
            "the instance never came Online",
        )

    def end(self, *instances: str) -> None:
        self.ec2.terminate_instances(InstanceIds=list(instances))
        waiter = self.ec2.get_waiter("instance_terminated")
        waiter.wait(InstanceIds=list(instances), WaiterConfig={"Delay": 1, "MaxAttempts": 60})

    # -- afterwards

    def clear(self) -> None:
        """Take away whatever there is, in whatever state it was left."""
        self._clear_identity()
        filters = [{"Name": "group-name", "Values": [self.name]}]
        for group in self.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]:
            self.ec2.delete_security_group(GroupId=group["GroupId"])
        if self.bucket in [one["Name"] for one in self.s3.list_buckets()["Buckets"]]:
            empty_and_delete(self.s3, self.bucket)

    def _clear_identity(self) -> None:
        profiles = self.iam.list_instance_profiles()["InstanceProfiles"]
        for profile in (one for one in profiles if one["InstanceProfileName"] == self.name):
            for role in profile["Roles"]:
                self.iam.remove_role_from_instance_profile(
                    InstanceProfileName=self.name, RoleName=role["RoleName"]
                )
            self.iam.delete_instance_profile(InstanceProfileName=self.name)
        roles = [one["RoleName"] for one in self.iam.list_roles()["Roles"]]
        for name in (one for one in roles if one == self.name):
            for policy in self.iam.list_role_policies(RoleName=name)["PolicyNames"]:
                self.iam.delete_role_policy(RoleName=name, PolicyName=policy)
            for one in self.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]:
                self.iam.detach_role_policy(RoleName=name, PolicyArn=one["PolicyArn"])
            self.iam.delete_role(RoleName=name)
