"""VPCs, subnets, security groups, key pairs."""

from __future__ import annotations

from typing import Any

from tests.fidelity.table import Answered, Parameters, Refused, Row, Story, World
from tests.fidelity.world import code_of

CODES = "Error codes for the Amazon EC2 API"
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDsOKWUQbN1YIlyAIy7Ke1h5sNvhxB7x8ZVpL0v8m2Qh fidelity"
DIGITS = "0123456789abcdef0"


def row(says: str, call: str, parameters: Parameters, outcome: Refused | Answered) -> Row:
    return Row(says, "ec2", call, parameters, outcome, CODES)


def unknown(call: str, parameter: str, ident: str, code: str) -> Row:
    return row(
        f"{call} of an unknown {ident.partition('-')[0]} is {code}",
        call,
        {parameter: [ident] if parameter.endswith("s") else ident},
        Refused(code, ident),
    )


def group(world: World) -> str:
    """Return a security group of the suite's own, in the default VPC."""
    ec2 = world.client("ec2")
    ident = str(
        ec2.create_security_group(
            GroupName=world.name("fidelity"),
            Description="fidelity",
            TagSpecifications=world.tags("security-group"),
        )["GroupId"]
    )
    world.later(lambda: ec2.delete_security_group(GroupId=ident))
    return ident


def ssh(cidr: str = "10.0.0.0/8") -> list[dict[str, Any]]:
    return [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": cidr}]}]


ROWS = [
    unknown("describe_vpcs", "VpcIds", f"vpc-{DIGITS}", "InvalidVpcID.NotFound"),
    unknown("delete_vpc", "VpcId", f"vpc-{DIGITS}", "InvalidVpcID.NotFound"),
    unknown("describe_subnets", "SubnetIds", f"subnet-{DIGITS}", "InvalidSubnetID.NotFound"),
    unknown("delete_subnet", "SubnetId", f"subnet-{DIGITS}", "InvalidSubnetID.NotFound"),
    unknown("describe_security_groups", "GroupIds", f"sg-{DIGITS}", "InvalidGroup.NotFound"),
    unknown("delete_security_group", "GroupId", f"sg-{DIGITS}", "InvalidGroup.NotFound"),
    unknown(
        "describe_route_tables", "RouteTableIds", f"rtb-{DIGITS}", "InvalidRouteTableID.NotFound"
    ),
    unknown(
        "describe_internet_gateways",
        "InternetGatewayIds",
        f"igw-{DIGITS}",
        "InvalidInternetGatewayID.NotFound",
    ),
    unknown(
        "describe_network_interfaces",
        "NetworkInterfaceIds",
        f"eni-{DIGITS}",
        "InvalidNetworkInterfaceID.NotFound",
    ),
    unknown("describe_key_pairs", "KeyNames", "nobody-has-this", "InvalidKeyPair.NotFound"),
    row(
        "there is one default VPC",
        "describe_vpcs",
        {"Filters": [{"Name": "is-default", "Values": ["true"]}]},
        Answered(lambda answer: [one["IsDefault"] for one in answer["Vpcs"]] == [True]),
    ),
    row(
        "every zone has one default subnet, which gives public addresses",
        "describe_subnets",
        {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]},
        Answered(
            lambda answer: (
                len({one["AvailabilityZone"] for one in answer["Subnets"]})
                == len(answer["Subnets"])
                and all(one["MapPublicIpOnLaunch"] for one in answer["Subnets"])
            )
        ),
    ),
    row(
        "a default subnet is a /20",
        "describe_subnets",
        {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]},
        Answered(lambda answer: all(one["CidrBlock"].endswith("/20") for one in answer["Subnets"])),
    ),
    row(
        "the default VPC has a default security group",
        "describe_security_groups",
        {"Filters": [{"Name": "group-name", "Values": ["default"]}]},
        Answered(
            lambda answer: (
                answer["SecurityGroups"][0]["Description"] == "default VPC security group"
            )
        ),
    ),
    row(
        "the main route table leads out through a gateway",
        "describe_route_tables",
        {"Filters": [{"Name": "association.main", "Values": ["true"]}]},
        Answered(
            lambda answer: any(
                route.get("GatewayId", "").startswith("igw-")
                for table in answer["RouteTables"]
                for route in table["Routes"]
            )
        ),
    ),
    row(
        "the account says which VPC is the default",
        "describe_account_attributes",
        {"AttributeNames": ["default-vpc"]},
        Answered(
            lambda answer: answer["AccountAttributes"][0]["AttributeValues"][0][
                "AttributeValue"
            ].startswith("vpc-")
        ),
    ),
    row(
        "a VPC is no larger than a /16",
        "create_vpc",
        {"CidrBlock": "10.0.0.0/8"},
        Refused("InvalidVpc.Range"),
    ),
    row(
        "a CIDR block has to be one",
        "create_vpc",
        {"CidrBlock": "nonsense"},
        Refused("InvalidParameterValue"),
    ),
    row(
        "a rule with a port range upside down is refused",
        "authorize_security_group_ingress",
        lambda world: {
            "GroupId": group(world),
            "IpPermissions": [
                {
                    "IpProtocol": "tcp",
                    "FromPort": 30,
                    "ToPort": 20,
                    "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
                }
            ],
        },
        Refused("InvalidParameterValue"),
    ),
    row(
        "a rule with a block that is none is refused",
        "authorize_security_group_ingress",
        lambda world: {"GroupId": group(world), "IpPermissions": ssh("nonsense")},
        Refused("InvalidParameterValue"),
    ),
    row(
        "a key that is none is InvalidKey.Format",
        "import_key_pair",
        {"KeyName": "fidelity-nonsense", "PublicKeyMaterial": b"nonsense"},
        Refused("InvalidKey.Format"),
    ),
    row(
        "deleting a key pair that does not exist is no error",
        "delete_key_pair",
        {"KeyName": "nobody-has-this"},
        Answered(),
    ),
]


def _a_rule_is_added_once(world: World) -> None:
    ec2, ident = world.client("ec2"), group(world)
    made = ec2.authorize_security_group_ingress(GroupId=ident, IpPermissions=ssh())
    [rule] = made["SecurityGroupRules"]
    assert (rule["IsEgress"], rule["CidrIpv4"], rule["FromPort"]) == (False, "10.0.0.0/8", 22)
    again = code_of(ec2.authorize_security_group_ingress, GroupId=ident, IpPermissions=ssh())
    assert again == "InvalidPermission.Duplicate"
    ec2.revoke_security_group_ingress(GroupId=ident, IpPermissions=ssh())
    [found] = ec2.describe_security_groups(GroupIds=[ident])["SecurityGroups"]
    assert found["IpPermissions"] == []
    assert found["IpPermissionsEgress"][0]["IpProtocol"] == "-1"


def _a_group_in_use_cannot_be_deleted(world: World) -> None:
    ec2 = world.client("ec2")
    [reservation] = ec2.describe_instances(InstanceIds=[world.instance])["Reservations"]
    [used] = reservation["Instances"][0]["SecurityGroups"]
    code = code_of(ec2.delete_security_group, GroupId=used["GroupId"])
    assert code in ("CannotDelete", "DependencyViolation")


def _a_made_key_is_told_once(world: World) -> None:
    ec2, name = world.client("ec2"), world.name("fidelity")
    made = ec2.create_key_pair(
        KeyName=name, KeyType="ed25519", TagSpecifications=world.tags("key-pair")
    )
    world.later(lambda: ec2.delete_key_pair(KeyName=name))
    assert "PRIVATE KEY" in made["KeyMaterial"]
    [found] = ec2.describe_key_pairs(KeyNames=[name], IncludePublicKey=True)["KeyPairs"]
    assert found["PublicKey"].startswith("ssh-ed25519 ")
    assert found["KeyFingerprint"] == made["KeyFingerprint"]
    assert "KeyMaterial" not in found
    assert code_of(ec2.create_key_pair, KeyName=name) == "InvalidKeyPair.Duplicate"


def _an_imported_key_keeps_its_name(world: World) -> None:
    ec2, name = world.client("ec2"), world.name("fidelity")
    made = ec2.import_key_pair(KeyName=name, PublicKeyMaterial=PUBLIC.encode())
    world.later(lambda: ec2.delete_key_pair(KeyName=name))
    [found] = ec2.describe_key_pairs(KeyPairIds=[made["KeyPairId"]])["KeyPairs"]
    assert (found["KeyName"], found["KeyType"]) == (name, "ed25519")


def _a_vpc_is_built_and_taken_down(world: World) -> None:
    ec2 = world.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.211.0.0/16", TagSpecifications=world.tags("vpc"))["Vpc"]
    ident = vpc["VpcId"]
    subnet = ec2.create_subnet(VpcId=ident, CidrBlock="10.211.1.0/24")["Subnet"]
    assert subnet["AvailableIpAddressCount"] == 251
    overlap = code_of(ec2.create_subnet, VpcId=ident, CidrBlock="10.211.1.128/25")
    outside = code_of(ec2.create_subnet, VpcId=ident, CidrBlock="10.212.1.0/24")
    assert (overlap, outside) == ("InvalidSubnet.Conflict", "InvalidSubnet.Range")
    assert code_of(ec2.delete_vpc, VpcId=ident) == "DependencyViolation"
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    ec2.delete_vpc(VpcId=ident)
    assert code_of(ec2.describe_vpcs, VpcIds=[ident]) == "InvalidVpcID.NotFound"


STORIES = [
    Story("a rule of a security group is added once", _a_rule_is_added_once, CODES),
    Story("a security group in use cannot be deleted", _a_group_in_use_cannot_be_deleted, CODES),
    Story("the private half of a key is told once", _a_made_key_is_told_once, "CreateKeyPair"),
    Story("an imported key keeps its name", _an_imported_key_keeps_its_name, "ImportKeyPair"),
    Story("a VPC is built and taken down", _a_vpc_is_built_and_taken_down, "DeleteVpc"),
]
