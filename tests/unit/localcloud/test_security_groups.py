"""Security groups and their rules, as AWS keeps and tells them."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.localcloud.conftest import ACCOUNT, Rehearsal

SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
ANYWHERE = [{"CidrIp": "0.0.0.0/0"}]


def refusal(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return str(error.value.response["Error"]["Code"])


@pytest.fixture
def ec2(rehearsal: Rehearsal) -> Any:
    return rehearsal.client("ec2")


@pytest.fixture
def vpc(ec2: Any) -> str:
    return str(ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"])


def create(ec2: Any, name: str = "g", **more: Any) -> str:
    return str(ec2.create_security_group(GroupName=name, Description="d", **more)["GroupId"])


def describe(ec2: Any, ident: str) -> Any:
    return ec2.describe_security_groups(GroupIds=[ident])["SecurityGroups"][0]


def rules(ec2: Any, ident: str, *, is_egress: bool = False) -> list[Any]:
    wanted = [{"Name": "group-id", "Values": [ident]}]
    found = ec2.describe_security_group_rules(Filters=wanted)["SecurityGroupRules"]
    return [one for one in found if one["IsEgress"] == is_egress]


def test_a_new_group_lets_everything_out_and_nothing_in(ec2: Any) -> None:
    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "k", "Value": "v"}]}]
    made = ec2.create_security_group(GroupName="g", Description="d", TagSpecifications=tags)
    group = describe(ec2, made["GroupId"])
    assert made["SecurityGroupArn"] == group["SecurityGroupArn"]
    assert group["Tags"] == made["Tags"] == [{"Key": "k", "Value": "v"}]
    assert group["IpPermissions"] == []
    [out] = group["IpPermissionsEgress"]
    assert (out["IpProtocol"], out["IpRanges"]) == ("-1", ANYWHERE)
    assert "FromPort" not in out
    [rule] = rules(ec2, made["GroupId"], is_egress=True)
    assert (rule["FromPort"], rule["ToPort"], rule["CidrIpv4"]) == (-1, -1, "0.0.0.0/0")


def test_names_are_of_one_vpc(ec2: Any, vpc: str) -> None:
    create(ec2)
    create(ec2, VpcId=vpc)
    make = ec2.create_security_group
    assert refusal(make, GroupName="g", Description="d") == "InvalidGroup.Duplicate"
    assert refusal(make, GroupName="g", Description="d", VpcId=vpc) == "InvalidGroup.Duplicate"
    for name, words in (("default", "d"), ("sg-x", "d"), ("grün", "d"), ("h", "grün")):
        assert refusal(make, GroupName=name, Description=words) == "InvalidParameterValue"
    unknown = "vpc-0123456789abcdef0"
    code = refusal(make, GroupName="h", Description="d", VpcId=unknown)
    assert code == "InvalidVpcID.NotFound"


def test_groups_of_the_default_vpc_have_names(ec2: Any, vpc: str) -> None:
    ident = create(ec2)
    create(ec2, "other", VpcId=vpc)
    [found] = ec2.describe_security_groups(GroupNames=["g"])["SecurityGroups"]
    assert found["GroupId"] == ident
    code = refusal(ec2.describe_security_groups, GroupNames=["other"])
    assert code == "InvalidGroup.NotFound"
    ec2.authorize_security_group_ingress(
        GroupName="g", IpProtocol="tcp", FromPort=1, ToPort=2, CidrIp="0.0.0.0/0"
    )
    assert len(rules(ec2, ident)) == 1
    ec2.delete_security_group(GroupName="g")
    assert refusal(ec2.delete_security_group, GroupName="g") == "InvalidGroup.NotFound"
    assert refusal(ec2.delete_security_group) == "MissingParameter"


def test_malformed_ids(ec2: Any) -> None:
    code = refusal(ec2.describe_security_groups, GroupIds=["nonsense"])
    assert code == "InvalidGroupId.Malformed"
    code = refusal(ec2.describe_security_groups, GroupIds=["sg-0123456789abcdef0"])
    assert code == "InvalidGroup.NotFound"


def test_permissions_of_the_same_ports_stand_together(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = create(ec2)
    other = create(ec2, "other")
    first = {**SSH, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "lan"}]}
    answer = ec2.authorize_security_group_ingress(GroupId=ident, IpPermissions=[first])
    [rule] = answer["SecurityGroupRules"]
    assert rule["Description"] == "lan"
    assert rule["SecurityGroupRuleArn"].endswith(
        f"security-group-rule/{rule['SecurityGroupRuleId']}"
    )
    second = {**SSH, "IpRanges": ANYWHERE, "UserIdGroupPairs": [{"GroupId": other}]}
    ec2.authorize_security_group_ingress(GroupId=ident, IpPermissions=[second])
    ec2.authorize_security_group_ingress(
        GroupId=ident, IpPermissions=[{"IpProtocol": "-1", "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]
    )
    rehearsal.restart()
    ssh, everything = describe(rehearsal.client("ec2"), ident)["IpPermissions"]
    assert ssh == {
        **SSH,
        "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "lan"}, {"CidrIp": "0.0.0.0/0"}],
        "UserIdGroupPairs": [{"GroupId": other, "UserId": ACCOUNT}],
        "Ipv6Ranges": [],
        "PrefixListIds": [],
    }
    assert everything["Ipv6Ranges"] == [{"CidrIpv6": "::/0"}]


def test_ranges_are_told_without_the_bits_of_a_host(ec2: Any) -> None:
    ident = create(ec2)
    permission = {**SSH, "IpRanges": [{"CidrIp": "100.68.0.18/18"}]}
    ec2.authorize_security_group_ingress(GroupId=ident, IpPermissions=[permission])
    assert rules(ec2, ident)[0]["CidrIpv4"] == "100.68.0.0/18"
    code = refusal(ec2.authorize_security_group_ingress, GroupId=ident, IpPermissions=[permission])
    assert code == "InvalidPermission.Duplicate"


def test_protocols_have_names_and_numbers(ec2: Any) -> None:
    ident = create(ec2)
    for given, ports in (("6", {"FromPort": 1, "ToPort": 1}), ("ICMP", {}), ("50", {})):
        permission = {"IpProtocol": given, "IpRanges": ANYWHERE, **ports}
        ec2.authorize_security_group_ingress(GroupId=ident, IpPermissions=[permission])
    told = {one["IpProtocol"]: one.get("FromPort") for one in describe(ec2, ident)["IpPermissions"]}
    assert told == {"tcp": 1, "icmp": -1, "50": None}


def test_what_is_there_already_is_refused_with_all_the_rest(ec2: Any) -> None:
    ident = create(ec2)
    there = {**SSH, "IpRanges": ANYWHERE}
    new = {**SSH, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    authorize = ec2.authorize_security_group_ingress
    authorize(GroupId=ident, IpPermissions=[there])
    with pytest.raises(ClientError) as error:
        authorize(GroupId=ident, IpPermissions=[new, there])
    assert error.value.response["Error"] == {
        "Code": "InvalidPermission.Duplicate",
        "Message": 'the specified rule "peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW" '
        "already exists",
    }
    assert len(rules(ec2, ident)) == 1
    code = refusal(authorize, GroupId=ident, IpPermissions=[new, new])
    assert code == "InvalidParameterValue"
    everything = [{"IpProtocol": "-1", "IpRanges": ANYWHERE}]
    with pytest.raises(ClientError, match=r'"peer: 0\.0\.0\.0/0, ALL, ALLOW" already exists'):
        ec2.authorize_security_group_egress(GroupId=ident, IpPermissions=everything)


@pytest.mark.parametrize(
    ("permission", "code"),
    [
        ({**SSH, "IpRanges": [{"CidrIp": "10.0.0.0/33"}]}, "InvalidParameterValue"),
        ({**SSH, "Ipv6Ranges": [{"CidrIpv6": "10.0.0.0/8"}]}, "InvalidParameterValue"),
        ({"IpProtocol": "tcp", "IpRanges": ANYWHERE}, "InvalidParameterValue"),
        ({**SSH, "ToPort": 21, "IpRanges": ANYWHERE}, "InvalidParameterValue"),
        ({**SSH, "ToPort": 65536, "IpRanges": ANYWHERE}, "InvalidParameterValue"),
        ({**SSH, "IpProtocol": "tpc", "IpRanges": ANYWHERE}, "InvalidParameterValue"),
        (SSH, "InvalidPermission.Malformed"),
        (
            {**SSH, "UserIdGroupPairs": [{"GroupId": "sg-0123456789abcdef0"}]},
            "InvalidGroup.NotFound",
        ),
        (
            {**SSH, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "näh"}]},
            "InvalidParameterValue",
        ),
    ],
)
def test_bad_permissions(ec2: Any, permission: dict[str, Any], code: str) -> None:
    ident = create(ec2)
    call = ec2.authorize_security_group_ingress
    assert refusal(call, GroupId=ident, IpPermissions=[permission]) == code
    assert refusal(call, GroupId=ident) == "MissingParameter"


def test_a_group_has_sixty_rules_each_way(ec2: Any) -> None:
    ident = create(ec2)
    many = {**SSH, "IpRanges": [{"CidrIp": f"10.{number}.0.0/16"} for number in range(60)]}
    ec2.authorize_security_group_ingress(GroupId=ident, IpPermissions=[many])
    one = {**SSH, "IpRanges": ANYWHERE}
    code = refusal(ec2.authorize_security_group_ingress, GroupId=ident, IpPermissions=[one])
    assert code == "RulesPerSecurityGroupLimitExceeded"
    ec2.authorize_security_group_egress(GroupId=ident, IpPermissions=[one])


def test_rules_are_revoked_by_what_they_say_or_by_id(ec2: Any, vpc: str) -> None:
    ident = create(ec2, VpcId=vpc)
    both = {**SSH, "IpRanges": [*ANYWHERE, {"CidrIp": "10.0.0.0/8", "Description": "lan"}]}
    made = ec2.authorize_security_group_ingress(GroupId=ident, IpPermissions=[both])
    revoke = ec2.revoke_security_group_ingress
    lan = {**SSH, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    [gone] = revoke(GroupId=ident, IpPermissions=[lan])["RevokedSecurityGroupRules"]
    assert gone["CidrIpv4"] == "10.0.0.0/8"
    assert refusal(revoke, GroupId=ident, IpPermissions=[lan]) == "InvalidPermission.NotFound"
    left = [one for one in made["SecurityGroupRules"] if one["CidrIpv4"] == "0.0.0.0/0"]
    rule = left[0]["SecurityGroupRuleId"]
    revoke(GroupId=ident, SecurityGroupRuleIds=[rule])
    code = refusal(revoke, GroupId=ident, SecurityGroupRuleIds=[rule])
    assert code == "InvalidSecurityGroupRuleId.NotFound"
    everything = [{"IpProtocol": "-1", "IpRanges": ANYWHERE}]
    ec2.revoke_security_group_egress(GroupId=ident, IpPermissions=everything)
    group = describe(ec2, ident)
    assert (group["IpPermissions"], group["IpPermissionsEgress"]) == ([], [])


def test_in_the_default_vpc_an_unknown_rule_is_told_and_no_error(ec2: Any) -> None:
    ident = create(ec2)
    lan = {**SSH, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
    answer = ec2.revoke_security_group_ingress(GroupId=ident, IpPermissions=[lan])
    [unknown] = answer["UnknownIpPermissions"]
    assert unknown["IpRanges"] == [{"CidrIp": "10.0.0.0/8"}]


def test_rules_can_be_changed_and_keep_their_ids(ec2: Any) -> None:
    ident = create(ec2)
    tags = [{"ResourceType": "security-group-rule", "Tags": [{"Key": "k", "Value": "v"}]}]
    made = ec2.authorize_security_group_ingress(
        GroupId=ident, IpPermissions=[{**SSH, "IpRanges": ANYWHERE}], TagSpecifications=tags
    )
    rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    wanted = {**SSH, "CidrIpv4": "10.0.0.0/8", "Description": "lan"}
    update = {"SecurityGroupRuleId": rule, "SecurityGroupRule": wanted}
    ec2.modify_security_group_rules(GroupId=ident, SecurityGroupRules=[update])
    [found] = rules(ec2, ident)
    assert (found["SecurityGroupRuleId"], found["CidrIpv4"]) == (rule, "10.0.0.0/8")
    assert found["Tags"] == [{"Key": "k", "Value": "v"}]
    ranges = describe(ec2, ident)["IpPermissions"][0]["IpRanges"]
    assert ranges == [{"CidrIp": "10.0.0.0/8", "Description": "lan"}]
    other = create(ec2, "other")
    code = refusal(ec2.modify_security_group_rules, GroupId=other, SecurityGroupRules=[update])
    assert code == "InvalidSecurityGroupRuleId.NotFound"
    ec2.create_tags(Resources=[rule], Tags=[{"Key": "k", "Value": "w"}])
    wanted_tag = [{"Name": "tag:k", "Values": ["w"]}]
    assert len(ec2.describe_security_group_rules(Filters=wanted_tag)["SecurityGroupRules"]) == 1


def test_descriptions_can_be_changed(ec2: Any) -> None:
    ident = create(ec2)
    permission = {**SSH, "IpRanges": ANYWHERE}
    made = ec2.authorize_security_group_ingress(GroupId=ident, IpPermissions=[permission])
    rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    update = ec2.update_security_group_rule_descriptions_ingress
    said = {**SSH, "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "one"}]}
    update(GroupId=ident, IpPermissions=[said])
    assert rules(ec2, ident)[0]["Description"] == "one"
    both = [{"SecurityGroupRuleId": rule, "Description": "two"}]
    update(GroupId=ident, SecurityGroupRuleDescriptions=both)
    assert rules(ec2, ident)[0]["Description"] == "two"
    none = {**SSH, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "x"}]}
    assert refusal(update, GroupId=ident, IpPermissions=[none]) == "InvalidPermission.NotFound"


def test_a_group_that_is_used_stays(ec2: Any) -> None:
    one, two = create(ec2, "one"), create(ec2, "two")
    permission = {**SSH, "UserIdGroupPairs": [{"GroupId": one}]}
    ec2.authorize_security_group_ingress(GroupId=two, IpPermissions=[permission])
    assert refusal(ec2.delete_security_group, GroupId=one) == "DependencyViolation"
    ec2.delete_security_group(GroupId=two)
    ec2.delete_security_group(GroupId=one)
    left = ec2.describe_security_groups()["SecurityGroups"]
    assert [group["GroupName"] for group in left] == ["default"]
    code = refusal(ec2.delete_security_group, GroupId=left[0]["GroupId"])
    assert code == "CannotDelete"


def test_the_group_of_an_instance_stays(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = create(ec2)
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    image = rehearsal.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    ec2.run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SecurityGroupIds=[ident]
    )
    assert refusal(ec2.delete_security_group, GroupId=ident) == "DependencyViolation"


def test_filters(ec2: Any, vpc: str) -> None:
    ident = create(ec2, VpcId=vpc)
    ec2.authorize_security_group_ingress(
        GroupId=ident, IpPermissions=[{**SSH, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    )
    for name, value in (
        ("group-name", "g"),
        ("ip-permission.cidr", "10.0.0.0/8"),
        ("ip-permission.from-port", "22"),
        ("ip-permission.protocol", "tcp"),
        ("description", "d"),
    ):
        wanted = [{"Name": name, "Values": [value]}]
        found = ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]
        assert [group["GroupId"] for group in found] == [ident], name
    nonsense = [{"Name": "nonsense", "Values": ["x"]}]
    code = refusal(ec2.describe_security_groups, Filters=nonsense)
    assert code == "InvalidParameterValue"


def test_nobody_refers_from_the_other_side_of_a_peering(ec2: Any, vpc: str) -> None:
    ident = create(ec2, VpcId=vpc)
    found = ec2.describe_security_group_references(GroupId=[ident])
    assert found["SecurityGroupReferenceSet"] == []
    assert ec2.describe_stale_security_groups(VpcId=vpc)["StaleSecurityGroupSet"] == []
    unknown = ["sg-0123456789abcdef0"]
    code = refusal(ec2.describe_security_group_references, GroupId=unknown)
    assert code == "InvalidGroup.NotFound"
