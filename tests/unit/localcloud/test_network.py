"""The network: what every region has, what users make of it, and where instances go."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localcloud.conftest import Rehearsal

AMI = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


def refusal(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return str(error.value.response["Error"]["Code"])


def by_vpc(ident: str) -> list[dict[str, Any]]:
    return [{"Name": "vpc-id", "Values": [ident]}]


def run(rehearsal: Rehearsal, region: str = "us-east-1", **more: Any) -> Any:
    image = rehearsal.client("ssm", region).get_parameter(Name=AMI)["Parameter"]["Value"]
    answer = rehearsal.client("ec2", region).run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, **more
    )
    return answer["Instances"][0]


def up(rehearsal: Rehearsal, made: Any, region: str = "us-east-1") -> Any:
    """Wait until an instance runs, and has all its names."""
    rehearsal.advance(1)
    found = rehearsal.client("ec2", region).describe_instances(InstanceIds=[made["InstanceId"]])
    return found["Reservations"][0]["Instances"][0]


@pytest.fixture
def ec2(rehearsal: Rehearsal) -> Any:
    return rehearsal.client("ec2")


def default_vpc(ec2: Any) -> str:
    [vpc] = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    return str(vpc["VpcId"])


# ---------------------------------------------------------------- what every region has


def test_every_region_has_a_network(rehearsal: Rehearsal) -> None:
    first = rehearsal.client("ec2")
    vpc = default_vpc(first)
    rehearsal.restart()
    ec2 = rehearsal.client("ec2")
    assert default_vpc(ec2) == vpc
    other = default_vpc(rehearsal.client("ec2", "eu-west-1"))
    assert other != vpc
    subnets = ec2.describe_subnets(Filters=by_vpc(vpc))["Subnets"]
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert {one["AvailabilityZone"] for one in subnets} == {one["ZoneName"] for one in zones}
    assert all(one["DefaultForAz"] and one["MapPublicIpOnLaunch"] for one in subnets)
    assert {one["AvailableIpAddressCount"] for one in subnets} == {4091}
    blocks = [IPv4Network(one["CidrBlock"]) for one in subnets]
    assert all(block.subnet_of(rehearsal.tier.network) for block in blocks)


def test_the_default_vpc_has_its_belongings(ec2: Any) -> None:
    vpc = default_vpc(ec2)
    [group] = ec2.describe_security_groups(Filters=by_vpc(vpc))["SecurityGroups"]
    assert group["GroupName"] == "default"
    assert group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"] == group["GroupId"]
    [table] = ec2.describe_route_tables(Filters=by_vpc(vpc))["RouteTables"]
    assert table["Associations"][0]["Main"] is True
    assert [one["GatewayId"][:4] for one in table["Routes"]] == ["loca", "igw-"]
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc]}]
    [gateway] = ec2.describe_internet_gateways(Filters=attached)["InternetGateways"]
    assert gateway["InternetGatewayId"] == table["Routes"][1]["GatewayId"]
    [acl] = ec2.describe_network_acls(Filters=by_vpc(vpc))["NetworkAcls"]
    subnets = ec2.describe_subnets(Filters=by_vpc(vpc))["Subnets"]
    assert {one["SubnetId"] for one in acl["Associations"]} == {s["SubnetId"] for s in subnets}
    [options] = ec2.describe_dhcp_options()["DhcpOptions"]
    assert options["DhcpConfigurations"][0]["Values"] == [{"Value": "ec2.internal"}]
    found = ec2.describe_account_attributes(AttributeNames=["default-vpc"])["AccountAttributes"]
    assert found[0]["AttributeValues"] == [{"AttributeValue": vpc}]


def test_a_default_vpc_that_was_deleted_stays_away(ec2: Any) -> None:
    vpc = default_vpc(ec2)
    assert refusal(ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    for subnet in ec2.describe_subnets(Filters=by_vpc(vpc))["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    [gateway] = ec2.describe_internet_gateways()["InternetGateways"]
    ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    ec2.delete_vpc(VpcId=vpc)
    assert ec2.describe_vpcs()["Vpcs"] == []
    assert ec2.describe_security_group_rules()["SecurityGroupRules"] == []
    code = refusal(ec2.create_security_group, GroupName="g", Description="d")
    assert code == "VPCIdNotSpecified"
    made = ec2.create_default_vpc()["Vpc"]
    assert default_vpc(ec2) == made["VpcId"]
    assert refusal(ec2.create_default_vpc) == "DefaultVpcAlreadyExists"


# ---------------------------------------------------------------- what users make


def test_a_vpc_is_made_read_and_deleted(ec2: Any) -> None:
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": "mine"}]}]
    vpc = ec2.create_vpc(CidrBlock="10.1.2.3/16", TagSpecifications=tags)["Vpc"]
    assert (vpc["CidrBlock"], vpc["State"], vpc["IsDefault"]) == ("10.1.0.0/16", "pending", False)
    ident = vpc["VpcId"]
    [found] = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["mine"]}])["Vpcs"]
    assert (found["VpcId"], found["State"]) == (ident, "available")
    ec2.modify_vpc_attribute(VpcId=ident, EnableDnsHostnames={"Value": True})
    read = ec2.describe_vpc_attribute(VpcId=ident, Attribute="enableDnsHostnames")
    assert read["EnableDnsHostnames"] == {"Value": True}
    assert ec2.describe_route_tables(Filters=by_vpc(ident))["RouteTables"][0]["Routes"] == [
        {
            "DestinationCidrBlock": "10.1.0.0/16",
            "GatewayId": "local",
            "Origin": "CreateRouteTable",
            "State": "active",
        }
    ]
    ec2.delete_vpc(VpcId=ident)
    assert refusal(ec2.describe_vpcs, VpcIds=[ident]) == "InvalidVpcID.NotFound"
    for call, member in (
        (ec2.describe_security_groups, "SecurityGroups"),
        (ec2.describe_network_acls, "NetworkAcls"),
        (ec2.describe_route_tables, "RouteTables"),
    ):
        assert call(Filters=by_vpc(ident))[member] == []


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ("10.0.0.0/8", "InvalidVpc.Range"),
        ("10.0.0.0/29", "InvalidVpc.Range"),
        ("10.0.0.0/33", "InvalidParameterValue"),
        ("nonsense", "InvalidParameterValue"),
    ],
)
def test_bad_blocks_of_vpcs(ec2: Any, block: str, code: str) -> None:
    assert refusal(ec2.create_vpc, CidrBlock=block) == code


def test_subnets_lie_in_their_vpc_and_apart(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    zone = {"AvailabilityZoneId": "use1-az2"}
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24", **zone)["Subnet"]
    assert (subnet["AvailableIpAddressCount"], subnet["AvailabilityZoneId"]) == (251, "use1-az2")
    assert subnet["MapPublicIpOnLaunch"] is False
    make = ec2.create_subnet
    assert refusal(make, VpcId=vpc, CidrBlock="10.1.1.128/25") == "InvalidSubnet.Conflict"
    assert refusal(make, VpcId=vpc, CidrBlock="10.2.0.0/24") == "InvalidSubnet.Range"
    assert refusal(make, VpcId=vpc, CidrBlock="10.1.2.0/29") == "InvalidSubnet.Range"
    assert refusal(make, VpcId=vpc) == "MissingParameter"
    zone = {"AvailabilityZone": "us-east-1q"}
    code = refusal(make, VpcId=vpc, CidrBlock="10.1.2.0/24", **zone)
    assert code == "InvalidParameterValue"
    code = refusal(make, VpcId="vpc-0123456789abcdef0", CidrBlock="10.1.2.0/24")
    assert code == "InvalidVpcID.NotFound"
    assert refusal(ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    ident = subnet["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=ident, MapPublicIpOnLaunch={"Value": True})
    [found] = ec2.describe_subnets(SubnetIds=[ident])["Subnets"]
    assert found["MapPublicIpOnLaunch"] is True
    ec2.delete_subnet(SubnetId=ident)
    [acl] = ec2.describe_network_acls(Filters=by_vpc(vpc))["NetworkAcls"]
    assert acl["Associations"] == []
    ec2.delete_vpc(VpcId=vpc)


def test_a_vpc_has_one_gateway_and_a_gateway_one_vpc(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    one, two = (
        ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"] for _ in range(2)
    )
    ec2.attach_internet_gateway(InternetGatewayId=one, VpcId=vpc)
    attach, detach = ec2.attach_internet_gateway, ec2.detach_internet_gateway
    code = refusal(attach, InternetGatewayId=one, VpcId=default_vpc(ec2))
    assert code == "Resource.AlreadyAssociated"
    assert refusal(attach, InternetGatewayId=two, VpcId=vpc) == "InvalidParameterValue"
    assert refusal(detach, InternetGatewayId=two, VpcId=vpc) == "Gateway.NotAttached"
    assert refusal(ec2.delete_internet_gateway, InternetGatewayId=one) == "DependencyViolation"
    detach(InternetGatewayId=one, VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=one)
    code = refusal(ec2.delete_internet_gateway, InternetGatewayId=one)
    assert code == "InvalidInternetGatewayID.NotFound"


def test_a_gateway_is_not_taken_from_under_public_addresses(rehearsal: Rehearsal, ec2: Any) -> None:
    run(rehearsal)
    [gateway] = ec2.describe_internet_gateways()["InternetGateways"]
    vpc, ident = default_vpc(ec2), gateway["InternetGatewayId"]
    code = refusal(ec2.detach_internet_gateway, InternetGatewayId=ident, VpcId=vpc)
    assert code == "DependencyViolation"


def test_routes(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    route = {"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway}
    assert refusal(ec2.create_route, **route) == "InvalidParameterValue"  # not attached
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    assert refusal(ec2.replace_route, **route) == "InvalidRoute.NotFound"
    ec2.create_route(**route)
    assert refusal(ec2.create_route, **route) == "RouteAlreadyExists"
    ec2.replace_route(**route)
    unknown = {**route, "GatewayId": "igw-0123456789abcdef0", "DestinationCidrBlock": "8.0.0.0/8"}
    assert refusal(ec2.create_route, **unknown) == "InvalidGatewayID.NotFound"
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    [found] = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
    assert [one["State"] for one in found["Routes"]] == ["active", "blackhole"]
    remove = ec2.delete_route
    remove(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    code = refusal(remove, RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    assert code == "InvalidRoute.NotFound"
    code = refusal(remove, RouteTableId=table, DestinationCidrBlock="10.1.0.0/16")
    assert code == "InvalidParameterValue"


def test_a_subnet_uses_one_route_table(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    one, two = (ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in range(2))
    made = ec2.associate_route_table(RouteTableId=one, SubnetId=subnet)["AssociationId"]
    code = refusal(ec2.associate_route_table, RouteTableId=two, SubnetId=subnet)
    assert code == "Resource.AlreadyAssociated"
    assert refusal(ec2.delete_route_table, RouteTableId=one) == "DependencyViolation"
    replace = ec2.replace_route_table_association
    made = replace(AssociationId=made, RouteTableId=two)["NewAssociationId"]
    wanted = [{"Name": "association.subnet-id", "Values": [subnet]}]
    [found] = ec2.describe_route_tables(Filters=wanted)["RouteTables"]
    assert found["RouteTableId"] == two
    ec2.disassociate_route_table(AssociationId=made)
    code = refusal(ec2.disassociate_route_table, AssociationId=made)
    assert code == "InvalidAssociationID.NotFound"
    for table in (one, two):
        ec2.delete_route_table(RouteTableId=table)


def test_the_main_route_table_stays_associated(ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    [table] = ec2.describe_route_tables(Filters=by_vpc(vpc))["RouteTables"]
    association = table["Associations"][0]["RouteTableAssociationId"]
    code = refusal(ec2.disassociate_route_table, AssociationId=association)
    assert code == "InvalidParameterValue"
    other = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.replace_route_table_association(AssociationId=association, RouteTableId=other)
    main = [*by_vpc(vpc), {"Name": "association.main", "Values": ["true"]}]
    [found] = ec2.describe_route_tables(Filters=main)["RouteTables"]
    assert found["RouteTableId"] == other


@pytest.mark.parametrize(
    ("call", "parameter", "ident", "code"),
    [
        ("describe_vpcs", "VpcIds", "vpc-0123456789abcdef0", "InvalidVpcID.NotFound"),
        ("describe_subnets", "SubnetIds", "subnet-0123456789abcdef0", "InvalidSubnetID.NotFound"),
        (
            "describe_route_tables",
            "RouteTableIds",
            "rtb-0123456789abcdef0",
            "InvalidRouteTableID.NotFound",
        ),
        (
            "describe_internet_gateways",
            "InternetGatewayIds",
            "igw-0123456789abcdef0",
            "InvalidInternetGatewayID.NotFound",
        ),
        (
            "describe_network_interfaces",
            "NetworkInterfaceIds",
            "eni-0123456789abcdef0",
            "InvalidNetworkInterfaceID.NotFound",
        ),
        (
            "describe_network_acls",
            "NetworkAclIds",
            "acl-0123456789abcdef0",
            "InvalidNetworkAclID.NotFound",
        ),
        (
            "describe_dhcp_options",
            "DhcpOptionsIds",
            "dopt-0123456789abcdef1",
            "InvalidDhcpOptionID.NotFound",
        ),
        (
            "describe_nat_gateways",
            "NatGatewayIds",
            "nat-0123456789abcdef0",
            "NatGatewayNotFound",
        ),
        (
            "describe_vpc_endpoints",
            "VpcEndpointIds",
            "vpce-0123456789abcdef0",
            "InvalidVpcEndpointId.NotFound",
        ),
        ("describe_addresses", "PublicIps", "192.0.2.1", "InvalidAddress.NotFound"),
        ("describe_placement_groups", "GroupNames", "mine", "InvalidPlacementGroup.Unknown"),
        ("describe_hosts", "HostIds", "h-0123456789abcdef0", "InvalidHostID.NotFound"),
    ],
)
def test_unknown_ids(ec2: Any, call: str, parameter: str, ident: str, code: str) -> None:
    assert refusal(getattr(ec2, call), **{parameter: [ident]}) == code


def test_subnets_come_in_pages(ec2: Any) -> None:
    pages = ec2.get_paginator("describe_subnets").paginate(PaginationConfig={"PageSize": 5})
    lengths = [len(page["Subnets"]) for page in pages]
    assert lengths == [5, 1]


# ---------------------------------------------------------------- where instances go


def test_an_instance_has_a_place_in_the_default_network(rehearsal: Rehearsal, ec2: Any) -> None:
    made = run(rehearsal, Placement={"AvailabilityZone": "us-east-1b"})
    [subnet] = ec2.describe_subnets(SubnetIds=[made["SubnetId"]])["Subnets"]
    assert subnet["AvailabilityZone"] == "us-east-1b"
    assert subnet["AvailableIpAddressCount"] == 4090
    address = up(rehearsal, made)["PrivateIpAddress"]
    assert IPv4Address(address) in IPv4Network(subnet["CidrBlock"])
    assert made["PrivateDnsName"] == f"ip-{address.replace('.', '-')}.ec2.internal"
    assert [one["GroupName"] for one in made["SecurityGroups"]] == ["default"]
    wanted = [{"Name": "attachment.instance-id", "Values": [made["InstanceId"]]}]
    [interface] = ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
    assert interface["PrivateIpAddress"] == address
    assert interface["Association"]["PublicIp"] == address
    assert interface["Status"] == "in-use"


def test_names_in_other_regions(rehearsal: Rehearsal) -> None:
    made = up(rehearsal, run(rehearsal, "us-west-2"), "us-west-2")
    assert made["PrivateDnsName"].endswith(".us-west-2.compute.internal")
    assert made["PublicDnsName"].endswith(".us-west-2.compute.amazonaws.com")


def test_addresses_are_unique_over_all_regions(rehearsal: Rehearsal) -> None:
    made = [run(rehearsal, region) for region in ("us-east-1", "us-west-2", "eu-west-1")]
    assert len({one["PrivateIpAddress"] for one in made}) == 3


def test_the_place_is_free_again_once_the_instance_has_ended(
    rehearsal: Rehearsal, ec2: Any
) -> None:
    made = run(rehearsal)
    rehearsal.advance(1)
    code = refusal(ec2.delete_subnet, SubnetId=made["SubnetId"])
    assert code == "DependencyViolation"
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    rehearsal.advance(5)
    assert rehearsal.tier.addresses == {}
    [subnet] = ec2.describe_subnets(SubnetIds=[made["SubnetId"]])["Subnets"]
    assert subnet["AvailableIpAddressCount"] == 4091
    ec2.delete_subnet(SubnetId=made["SubnetId"])


def test_a_private_subnet_gives_no_public_address(rehearsal: Rehearsal, ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    made = up(rehearsal, run(rehearsal, SubnetId=subnet))
    assert made.get("PublicIpAddress") is None
    assert made["PublicDnsName"] == ""
    assert made["VpcId"] == vpc
    asked = [{"DeviceIndex": 0, "SubnetId": subnet, "AssociatePublicIpAddress": True}]
    made = up(rehearsal, run(rehearsal, NetworkInterfaces=asked))
    assert made["PublicIpAddress"] == made["PrivateIpAddress"]


def test_the_interface_is_tagged_at_the_launch(rehearsal: Rehearsal, ec2: Any) -> None:
    tags = [{"ResourceType": "network-interface", "Tags": [{"Key": "k", "Value": "v"}]}]
    run(rehearsal, TagSpecifications=tags)
    wanted = [{"Name": "tag:k", "Values": ["v"]}]
    [found] = ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
    assert found["TagSet"] == [{"Key": "k", "Value": "v"}]


def test_places_that_cannot_be_had(rehearsal: Rehearsal, ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/28", AvailabilityZone="us-east-1a")[
        "Subnet"
    ]["SubnetId"]
    [group] = ec2.describe_security_groups(Filters=by_vpc(default_vpc(ec2)))["SecurityGroups"]
    unknown = "subnet-0123456789abcdef0"
    interface = {"DeviceIndex": 0, "SubnetId": subnet}
    wrong: list[tuple[str, dict[str, Any]]] = [
        ("InvalidSubnetID.NotFound", {"SubnetId": unknown}),
        (
            "InvalidParameterValue",
            {"SubnetId": subnet, "Placement": {"AvailabilityZone": "us-east-1b"}},
        ),
        ("InvalidParameterValue", {"Placement": {"AvailabilityZone": "us-east-1q"}}),
        ("InvalidGroup.NotFound", {"SecurityGroupIds": ["sg-0123456789abcdef0"]}),
        ("InvalidGroup.NotFound", {"SecurityGroups": ["none"]}),
        ("InvalidParameter", {"SubnetId": subnet, "SecurityGroupIds": [group["GroupId"]]}),
        (
            "InvalidParameterCombination",
            {"SubnetId": subnet, "SecurityGroups": ["default"]},
        ),
        (
            "InvalidParameterCombination",
            {"NetworkInterfaces": [interface], "SecurityGroupIds": [group["GroupId"]]},
        ),
        ("UnsupportedOperation", {"PrivateIpAddress": "10.64.0.9"}),
    ]
    for code, more in wrong:
        with pytest.raises(ClientError) as error:
            run(rehearsal, **more)
        assert error.value.response["Error"]["Code"] == code, more
    assert rehearsal.tier.addresses == {}


def test_a_subnet_can_be_full(rehearsal: Rehearsal, ec2: Any) -> None:
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/28")["Subnet"]["SubnetId"]
    for _ in range(11):
        run(rehearsal, SubnetId=subnet)
    with pytest.raises(ClientError, match="InsufficientFreeAddressesInSubnet"):
        run(rehearsal, SubnetId=subnet)
