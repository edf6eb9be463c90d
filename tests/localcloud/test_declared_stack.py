"""Create, read and destroy a stack in the order, and with the calls, of a declarative tool.

After each creation everything is read back that such a tool reads to know whether anything has
drifted; at the end nothing is left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.fidelity.world import SSM_POLICY, TRUST, CloudWorld, empty_and_delete, wait_until
from tests.localcloud.process import CloudProcess

TAG = [{"Key": "stack", "Value": "declared"}]


class Stack:
    """The resources, each made and read back by one method; ``end`` destroys them in reverse."""

    def __init__(self, world: CloudWorld) -> None:
        self.world = world
        self.ec2, self.iam, self.s3 = (world.client(name) for name in ("ec2", "iam", "s3"))
        self.name = world.name("stack")

    def vpc(self) -> str:
        made = self.ec2.create_vpc(CidrBlock="10.200.0.0/16", TagSpecifications=self._tags("vpc"))
        ident = str(made["Vpc"]["VpcId"])
        self.world.later(lambda: self.ec2.delete_vpc(VpcId=ident))
        self.ec2.get_waiter("vpc_available").wait(VpcIds=[ident])
        self.ec2.modify_vpc_attribute(VpcId=ident, EnableDnsHostnames={"Value": True})
        for attribute in ("enableDnsHostnames", "enableDnsSupport"):
            read = self.ec2.describe_vpc_attribute(VpcId=ident, Attribute=attribute)
            assert read[attribute[:1].upper() + attribute[1:]]["Value"] is True
        [found] = self.ec2.describe_vpcs(VpcIds=[ident])["Vpcs"]
        assert (found["CidrBlock"], found["IsDefault"]) == ("10.200.0.0/16", False)
        assert found["Tags"] == TAG
        for what, member in (
            ("security_groups", "SecurityGroups"),
            ("network_acls", "NetworkAcls"),
            ("route_tables", "RouteTables"),
        ):
            wanted = [{"Name": "vpc-id", "Values": [ident]}]
            assert getattr(self.ec2, f"describe_{what}")(Filters=wanted)[member]
        return ident

    def subnet(self, vpc: str) -> str:
        made = self.ec2.create_subnet(
            VpcId=vpc,
            CidrBlock="10.200.1.0/24",
            AvailabilityZone=f"{self.world.region}a",
            TagSpecifications=self._tags("subnet"),
        )
        ident = str(made["Subnet"]["SubnetId"])
        self.world.later(lambda: self.ec2.delete_subnet(SubnetId=ident))
        self.ec2.get_waiter("subnet_available").wait(SubnetIds=[ident])
        self.ec2.modify_subnet_attribute(SubnetId=ident, MapPublicIpOnLaunch={"Value": True})
        [found] = self.ec2.describe_subnets(SubnetIds=[ident])["Subnets"]
        assert found["MapPublicIpOnLaunch"] is True
        assert found["AvailableIpAddressCount"] == 251
        return ident

    def gateway(self, vpc: str) -> str:
        made = self.ec2.create_internet_gateway(TagSpecifications=self._tags("internet-gateway"))
        ident = str(made["InternetGateway"]["InternetGatewayId"])
        self.world.later(lambda: self.ec2.delete_internet_gateway(InternetGatewayId=ident))
        self.ec2.attach_internet_gateway(InternetGatewayId=ident, VpcId=vpc)
        self.world.later(
            lambda: self.ec2.detach_internet_gateway(InternetGatewayId=ident, VpcId=vpc)
        )
        found = self.ec2.describe_internet_gateways(InternetGatewayIds=[ident])
        [gateway] = found["InternetGateways"]
        assert gateway["Attachments"][0]["VpcId"] == vpc
        return ident

    def routes(self, vpc: str, subnet: str, gateway: str) -> None:
        made = self.ec2.create_route_table(VpcId=vpc, TagSpecifications=self._tags("route-table"))
        ident = made["RouteTable"]["RouteTableId"]
        self.world.later(lambda: self.ec2.delete_route_table(RouteTableId=ident))
        self.ec2.create_route(
            RouteTableId=ident, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway
        )
        linked = self.ec2.associate_route_table(RouteTableId=ident, SubnetId=subnet)
        self.world.later(
            lambda: self.ec2.disassociate_route_table(AssociationId=linked["AssociationId"])
        )
        [found] = self.ec2.describe_route_tables(RouteTableIds=[ident])["RouteTables"]
        assert {route.get("GatewayId") for route in found["Routes"]} == {"local", gateway}
        assert found["Associations"][0]["SubnetId"] == subnet

    def group(self, vpc: str) -> str:
        ident = str(
            self.ec2.create_security_group(
                GroupName=self.name,
                Description="declared",
                VpcId=vpc,
                TagSpecifications=self._tags("security-group"),
            )["GroupId"]
        )
        self.world.later(lambda: self.ec2.delete_security_group(GroupId=ident))
        [made] = self.ec2.describe_security_groups(GroupIds=[ident])["SecurityGroups"]
        self.ec2.revoke_security_group_egress(
            GroupId=ident, IpPermissions=made["IpPermissionsEgress"]
        )
        ssh = {
            "IpProtocol": "tcp",
            "FromPort": 22,
            "ToPort": 22,
            "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "ssh"}],
        }
        self.ec2.authorize_security_group_ingress(GroupId=ident, IpPermissions=[ssh])
        [found] = self.ec2.describe_security_groups(GroupIds=[ident])["SecurityGroups"]
        assert found["IpPermissionsEgress"] == []
        assert found["IpPermissions"][0]["IpRanges"] == ssh["IpRanges"]
        return ident

    def profile(self) -> str:
        self.iam.create_role(
            RoleName=self.name, AssumeRolePolicyDocument=json.dumps(TRUST), Tags=TAG
        )
        self.world.later(lambda: self.iam.delete_role(RoleName=self.name))
        role = self.iam.get_role(RoleName=self.name)["Role"]
        assert role["AssumeRolePolicyDocument"] == TRUST
        self.iam.attach_role_policy(RoleName=self.name, PolicyArn=SSM_POLICY)
        self.world.later(
            lambda: self.iam.detach_role_policy(RoleName=self.name, PolicyArn=SSM_POLICY)
        )
        attached = self.iam.list_attached_role_policies(RoleName=self.name)
        assert [one["PolicyArn"] for one in attached["AttachedPolicies"]] == [SSM_POLICY]
        self.iam.create_instance_profile(InstanceProfileName=self.name)
        self.world.later(lambda: self.iam.delete_instance_profile(InstanceProfileName=self.name))
        self.iam.add_role_to_instance_profile(InstanceProfileName=self.name, RoleName=self.name)
        self.world.later(self._take_role_out)
        found = self.iam.get_instance_profile(InstanceProfileName=self.name)["InstanceProfile"]
        assert [one["RoleName"] for one in found["Roles"]] == [self.name]
        return self.name

    def _take_role_out(self) -> None:
        self.iam.remove_role_from_instance_profile(
            InstanceProfileName=self.name, RoleName=self.name
        )

    def bucket(self) -> str:
        self.s3.create_bucket(Bucket=self.name)
        self.world.later(lambda: empty_and_delete(self.s3, self.name))
        self.s3.put_bucket_tagging(Bucket=self.name, Tagging={"TagSet": TAG})
        self.s3.put_public_access_block(
            Bucket=self.name,
            PublicAccessBlockConfiguration=dict.fromkeys(
                (
                    "BlockPublicAcls",
                    "IgnorePublicAcls",
                    "BlockPublicPolicy",
                    "RestrictPublicBuckets",
                ),
                True,
            ),
        )
        for call, code in _READ_OF_A_BUCKET.items():
            self._read_bucket(call, code)
        return self.name

    def _read_bucket(self, call: str, code: str | None) -> None:
        read = getattr(self.s3, call)
        if code is None:
            read(Bucket=self.name)
            return
        with pytest.raises(ClientError) as error:
            read(Bucket=self.name)
        assert error.value.response["Error"]["Code"] == code, call

    def instance(self, subnet: str, group: str, profile: str) -> str:
        made: dict[str, Any] = {}

        def launch() -> bool:
            try:
                made.update(
                    self.ec2.run_instances(
                        ImageId=self.world.image,
                        InstanceType="t3.micro",
                        MinCount=1,
                        MaxCount=1,
                        SubnetId=subnet,
                        SecurityGroupIds=[group],
                        IamInstanceProfile={"Name": profile},
                        TagSpecifications=self._tags("instance"),
                    )
                )
            except ClientError as error:
                if "Invalid IAM Instance Profile" not in str(error):
                    raise
            return bool(made)

        wait_until(launch, "the profile never became known")
        ident = str(made["Instances"][0]["InstanceId"])
        self.world.later(lambda: self._terminate(ident))
        self.ec2.get_waiter("instance_running").wait(InstanceIds=[ident], WaiterConfig={"Delay": 1})
        self._read_instance(ident, subnet, group)
        return ident

    def _read_instance(self, ident: str, subnet: str, group: str) -> None:
        [reservation] = self.ec2.describe_instances(InstanceIds=[ident])["Reservations"]
        [found] = reservation["Instances"]
        assert found["SubnetId"] == subnet
        assert [one["GroupId"] for one in found["SecurityGroups"]] == [group]
        for attribute in ("disableApiTermination", "instanceInitiatedShutdownBehavior", "userData"):
            self.ec2.describe_instance_attribute(InstanceId=ident, Attribute=attribute)
        self.ec2.describe_instance_credit_specifications(InstanceIds=[ident])
        volumes = [one["Ebs"]["VolumeId"] for one in found["BlockDeviceMappings"]]
        [root] = self.ec2.describe_volumes(VolumeIds=volumes)["Volumes"]
        assert root["Attachments"][0]["DeleteOnTermination"] is True
        self.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [ident]}])
        [kind] = self.ec2.describe_instance_types(InstanceTypes=["t3.micro"])["InstanceTypes"]
        assert kind["VCpuInfo"]["DefaultVCpus"] == 2

    def _terminate(self, ident: str) -> None:
        self.ec2.terminate_instances(InstanceIds=[ident])
        self.ec2.get_waiter("instance_terminated").wait(
            InstanceIds=[ident], WaiterConfig={"Delay": 1}
        )

    def volume(self, instance: str) -> None:
        [reservation] = self.ec2.describe_instances(InstanceIds=[instance])["Reservations"]
        zone = reservation["Instances"][0]["Placement"]["AvailabilityZone"]
        ident = self.ec2.create_volume(
            AvailabilityZone=zone,
            Size=1,
            VolumeType="gp3",
            TagSpecifications=self._tags("volume"),
        )["VolumeId"]
        self.world.later(lambda: self.ec2.delete_volume(VolumeId=ident))
        waiter = self.ec2.get_waiter
        waiter("volume_available").wait(VolumeIds=[ident], WaiterConfig={"Delay": 1})
        self.ec2.attach_volume(VolumeId=ident, InstanceId=instance, Device="/dev/sdf")
        waiter("volume_in_use").wait(VolumeIds=[ident], WaiterConfig={"Delay": 1})
        self.world.later(
            lambda: waiter("volume_available").wait(VolumeIds=[ident], WaiterConfig={"Delay": 1})
        )
        self.world.later(
            lambda: self.ec2.detach_volume(VolumeId=ident, InstanceId=instance, Device="/dev/sdf")
        )

    def _tags(self, kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": TAG}]


_READ_OF_A_BUCKET = {
    "head_bucket": None,
    "get_bucket_location": None,
    "get_bucket_versioning": None,
    "get_bucket_acl": None,
    "get_bucket_logging": None,
    "get_bucket_request_payment": None,
    "get_bucket_accelerate_configuration": None,
    "get_bucket_encryption": None,
    "get_bucket_ownership_controls": None,
    "get_public_access_block": None,
    "get_bucket_tagging": None,
    "get_bucket_policy": "NoSuchBucketPolicy",
    "get_bucket_cors": "NoSuchCORSConfiguration",
    "get_bucket_website": "NoSuchWebsiteConfiguration",
    "get_bucket_lifecycle_configuration": "NoSuchLifecycleConfiguration",
    "get_bucket_replication": "ReplicationConfigurationNotFoundError",
    "get_object_lock_configuration": "ObjectLockConfigurationNotFoundError",
}


@pytest.fixture
def stack(local_cloud: CloudProcess) -> Iterator[Stack]:
    world = CloudWorld(local_cloud.session())
    yield Stack(world)
    assert world.end() == []


def test_a_stack_is_made_read_and_destroyed(stack: Stack) -> None:
    vpc = stack.vpc()
    subnet = stack.subnet(vpc)
    stack.routes(vpc, subnet, stack.gateway(vpc))
    group, profile = stack.group(vpc), stack.profile()
    stack.bucket()
    stack.volume(stack.instance(subnet, group, profile))

    assert stack.world.end() == []

    wanted = [{"Name": "tag:stack", "Values": ["declared"]}]
    for what, member in (
        ("vpcs", "Vpcs"),
        ("subnets", "Subnets"),
        ("internet_gateways", "InternetGateways"),
        ("route_tables", "RouteTables"),
        ("security_groups", "SecurityGroups"),
        ("volumes", "Volumes"),
    ):
        assert getattr(stack.ec2, f"describe_{what}")(Filters=wanted)[member] == []
    with pytest.raises(stack.iam.exceptions.NoSuchEntityException):
        stack.iam.get_role(RoleName=stack.name)
    with pytest.raises(ClientError):
        stack.s3.head_bucket(Bucket=stack.name)
