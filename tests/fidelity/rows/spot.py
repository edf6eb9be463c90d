"""Launch templates, spot requests and fleets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.fidelity.rows.instances import launch, only, refused_launch
from tests.fidelity.table import Answered, Refused, Row, Story, World
from tests.fidelity.world import OWNER, code_of, wait_until

CODES = "Error codes for the Amazon EC2 API"
STATUS = "Get the status of a Spot Instance request"
LT, SIR = "lt-0123456789abcdef0", "sir-0123456789abcdef0"
FLEET = "fleet-01234567-89ab-cdef-0123-456789abcdef"
CREATE_FLEET = "CreateFleet"
TEMPLATES = "CreateLaunchTemplate"
_TEMPLATES: dict[int, str] = {}
"""Of each world the one that it has made."""
OWNED = [{"ResourceType": "instance", "Tags": [OWNER]}]


def template(world: World) -> str:
    """Return the id of a template of t3.micro with two versions; the first is the default."""
    if id(world) not in _TEMPLATES:
        _TEMPLATES[id(world)] = _make_template(world)
    return _TEMPLATES[id(world)]


def _make_template(world: World) -> str:
    ec2 = world.client("ec2")
    made = ec2.create_launch_template(
        LaunchTemplateName=world.name("fidelity"),
        VersionDescription="first",
        LaunchTemplateData={
            "ImageId": world.image,
            "InstanceType": "t3.micro",
            "TagSpecifications": OWNED,
        },
        TagSpecifications=world.tags("launch-template"),
    )["LaunchTemplate"]
    ident = str(made["LaunchTemplateId"])
    world.later(lambda: ec2.delete_launch_template(LaunchTemplateId=ident))
    ec2.create_launch_template_version(
        LaunchTemplateId=ident,
        SourceVersion="1",
        LaunchTemplateData={"InstanceType": "t3.small"},
    )
    return ident


def refused(says: str, call: str, parameters: Any, outcome: Refused, source: str = CODES) -> Row:
    return Row(says, "ec2", call, parameters, outcome, source)


def of_template(says: str, more: Mapping[str, Any], check: Callable[[Any], object]) -> Row:
    """A row of the versions of the template."""
    return Row(
        says,
        "ec2",
        "describe_launch_template_versions",
        lambda world: {"LaunchTemplateId": template(world), **more},
        Answered(lambda answer: check(answer["LaunchTemplateVersions"])),
        "DescribeLaunchTemplateVersions",
    )


def by_template(says: str, more: Mapping[str, Any], outcome: Refused) -> Row:
    return Row(
        says,
        "ec2",
        "run_instances",
        lambda world: {
            "MinCount": 1,
            "MaxCount": 1,
            "LaunchTemplate": {"LaunchTemplateId": template(world), **more},
        },
        outcome,
        CODES,
    )


def spot_launch(
    says: str, outcome: Refused, source: str = "SpotMarketOptions", **options: Any
) -> Row:
    kind = options.pop("kind", "t3.micro")
    market = {"MarketType": "spot", "SpotOptions": options}
    return refused_launch(says, outcome, source, InstanceType=kind, InstanceMarketOptions=market)


def asked(world: World, **more: Any) -> dict[str, Any]:
    """Parameters of RequestSpotInstances that would succeed."""
    return {
        "LaunchSpecification": {"ImageId": world.image, "InstanceType": "t3.micro"},
        "TagSpecifications": world.tags("spot-instances-request"),
        **more,
    }


def refused_request(says: str, outcome: Refused, **more: Any) -> Row:
    return Row(
        says,
        "ec2",
        "request_spot_instances",
        lambda world: asked(world, **more),
        outcome,
        "RequestSpotInstances",
    )


def fleet(world: World, **more: Any) -> dict[str, Any]:
    """Parameters of a fleet that would be made."""
    overrides = more.pop("overrides", [{"InstanceType": "t3.micro"}])
    specification = {"LaunchTemplateId": template(world), "Version": "1"}
    return {
        "Type": "instant",
        "TargetCapacitySpecification": {
            "TotalTargetCapacity": 1,
            "DefaultTargetCapacityType": "spot",
        },
        "LaunchTemplateConfigs": [
            {"LaunchTemplateSpecification": specification, "Overrides": overrides}
        ],
        **more,
    }


def refused_fleet(says: str, outcome: Refused, source: str = CREATE_FLEET, **more: Any) -> Row:
    return Row(says, "ec2", "create_fleet", lambda world: fleet(world, **more), outcome, source)


TEMPLATE_ROWS = [
    refused(
        "an unknown template is InvalidLaunchTemplateId.NotFound",
        "describe_launch_templates",
        {"LaunchTemplateIds": [LT]},
        Refused("InvalidLaunchTemplateId.NotFound", LT, 400),
    ),
    refused(
        "an ill-formed template id is InvalidLaunchTemplateId.Malformed",
        "describe_launch_templates",
        {"LaunchTemplateIds": ["nonsense"]},
        Refused("InvalidLaunchTemplateId.Malformed"),
    ),
    refused(
        "an unknown template name is InvalidLaunchTemplateName.NotFoundException",
        "describe_launch_templates",
        {"LaunchTemplateNames": ["nobody-has-this"]},
        Refused("InvalidLaunchTemplateName.NotFoundException", "nobody-has-this"),
    ),
    *(
        refused(
            f"{call} of an unknown template is InvalidLaunchTemplateId.NotFound",
            call,
            {"LaunchTemplateId": LT, **more},
            Refused("InvalidLaunchTemplateId.NotFound", "does not exist"),
        )
        for call, more in (
            ("delete_launch_template", {}),
            ("modify_launch_template", {"DefaultVersion": "1"}),
            ("create_launch_template_version", {"LaunchTemplateData": {"KeyName": "k"}}),
            ("delete_launch_template_versions", {"Versions": ["1"]}),
            ("describe_launch_template_versions", {}),
        )
    ),
    refused(
        "a template name of a character that it may not have is malformed",
        "create_launch_template",
        {"LaunchTemplateName": "not a name", "LaunchTemplateData": {"InstanceType": "t3.micro"}},
        Refused("InvalidLaunchTemplateName.MalformedException"),
    ),
    refused(
        "an unknown filter of templates is refused",
        "describe_launch_templates",
        {"Filters": [{"Name": "nonsense", "Values": ["x"]}]},
        Refused("InvalidParameterValue"),
    ),
    of_template(
        "the versions of a template come newest first",
        {},
        lambda found: [one["VersionNumber"] for one in found] == [2, 1],
    ),
    of_template(
        "$Latest is the version with the highest number",
        {"Versions": ["$Latest"]},
        lambda found: [one["VersionNumber"] for one in found] == [2],
    ),
    of_template(
        "$Default is the first version, where none was chosen",
        {"Versions": ["$Default"]},
        lambda found: (
            [(one["VersionNumber"], one["DefaultVersion"]) for one in found] == [(1, True)]
        ),
    ),
    of_template(
        "versions are listed up to a number",
        {"MaxVersion": "1"},
        lambda found: [one["VersionDescription"] for one in found] == ["first"],
    ),
    of_template(
        "a version has the data of its source, but for what it names",
        {"Versions": ["2"]},
        lambda found: (
            found[0]["LaunchTemplateData"]["InstanceType"] == "t3.small"
            and found[0]["LaunchTemplateData"]["ImageId"].startswith("ami-")
        ),
    ),
    of_template(
        "versions are found by their type",
        {"Filters": [{"Name": "instance-type", "Values": ["t3.small"]}]},
        lambda found: [one["VersionNumber"] for one in found] == [2],
    ),
    refused(
        "an unknown version is InvalidLaunchTemplateId.VersionNotFound",
        "describe_launch_template_versions",
        lambda world: {"LaunchTemplateId": template(world), "Versions": ["77"]},
        Refused("InvalidLaunchTemplateId.VersionNotFound", "77"),
    ),
    refused(
        "an unknown version cannot be made the default",
        "modify_launch_template",
        lambda world: {"LaunchTemplateId": template(world), "DefaultVersion": "77"},
        Refused("InvalidLaunchTemplateId.VersionNotFound"),
    ),
    by_template(
        "an unknown version launches nothing",
        {"Version": "77"},
        Refused("InvalidLaunchTemplateId.VersionNotFound"),
    ),
    Row(
        "a launch by a template needs nothing else",
        "ec2",
        "run_instances",
        lambda world: {
            "MinCount": 1,
            "MaxCount": 1,
            "DryRun": True,
            "LaunchTemplate": {"LaunchTemplateId": template(world)},
        },
        Refused("DryRunOperation", "", 412),
        "RunInstances",
    ),
    Row(
        "the versions that are deleted, and those that cannot be, are told one by one",
        "ec2",
        "delete_launch_template_versions",
        lambda world: {"LaunchTemplateId": template(world), "Versions": ["77"]},
        Answered(
            lambda answer: (
                [
                    one["ResponseError"]["Code"]
                    for one in answer["UnsuccessfullyDeletedLaunchTemplateVersions"]
                ]
                == ["launchTemplateVersionDoesNotExist"]
            )
        ),
        "DeleteLaunchTemplateVersions",
    ),
    Row(
        "the data of an instance is that of a template",
        "ec2",
        "get_launch_template_data",
        lambda world: {"InstanceId": world.instance},
        Answered(
            lambda answer: (
                answer["LaunchTemplateData"]["InstanceType"] == "t3.micro"
                and answer["LaunchTemplateData"]["MetadataOptions"]["HttpTokens"] == "required"
            )
        ),
        "GetLaunchTemplateData",
    ),
    refused(
        "the data of an unknown instance is InvalidInstanceID.NotFound",
        "get_launch_template_data",
        {"InstanceId": "i-0123456789abcdef0"},
        Refused("InvalidInstanceID.NotFound"),
    ),
]

SPOT_ROWS = [
    refused(
        "an unknown spot request is InvalidSpotInstanceRequestID.NotFound",
        "describe_spot_instance_requests",
        {"SpotInstanceRequestIds": [SIR]},
        Refused("InvalidSpotInstanceRequestID.NotFound", SIR, 400),
    ),
    refused(
        "an unknown spot request cannot be cancelled",
        "cancel_spot_instance_requests",
        {"SpotInstanceRequestIds": [SIR]},
        Refused("InvalidSpotInstanceRequestID.NotFound"),
    ),
    refused(
        "an unknown filter of spot requests is refused",
        "describe_spot_instance_requests",
        {"Filters": [{"Name": "nonsense", "Values": ["x"]}]},
        Refused("InvalidParameterValue"),
    ),
    Row(
        "a filter that fits no spot request finds none",
        "ec2",
        "describe_spot_instance_requests",
        {"Filters": [{"Name": "launch.image-id", "Values": ["ami-0123456789abcdef0"]}]},
        Answered(lambda answer: answer["SpotInstanceRequests"] == []),
        "DescribeSpotInstanceRequests",
    ),
    spot_launch(
        "RunInstances takes no persistent request that terminates",
        Refused(
            "InvalidParameterCombination",
            "terminate InstanceInterruptionBehavior is not supported",
        ),
        SpotInstanceType="persistent",
    ),
    spot_launch(
        "a one-time request has no end",
        Refused("InvalidParameterCombination"),
        ValidUntil=datetime(2033, 1, 1, tzinfo=UTC),
    ),
    spot_launch(
        "a price that is no number is refused",
        Refused("InvalidParameterValue"),
        MaxPrice="cheap",
    ),
    spot_launch(
        "a price below the spot price is SpotMaxPriceTooLow",
        Refused("SpotMaxPriceTooLow", "lower than the minimum required Spot request"),
        CODES,
        kind="t3.medium",
        MaxPrice="0.0001",
    ),
    refused_request(
        "a one-time request cannot stop its instance",
        Refused("InvalidParameterCombination", "is not supported when"),
        InstanceInterruptionBehavior="stop",
    ),
    refused_request(
        "a request for an unknown image is InvalidAMIID.NotFound",
        Refused("InvalidAMIID.NotFound"),
        LaunchSpecification={"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.micro"},
    ),
    refused_request(
        "a spot request tags nothing but itself",
        Refused("InvalidParameterValue"),
        TagSpecifications=[{"ResourceType": "nonsense", "Tags": [OWNER]}],
    ),
    refused_request(
        "a spot request can be rehearsed", Refused("DryRunOperation", "", 412), DryRun=True
    ),
    refused_request(
        "a request for no instance is refused",
        Refused("InvalidParameterValue"),
        InstanceCount=0,
    ),
    refused(
        "there is no datafeed where none was made",
        "describe_spot_datafeed_subscription",
        {},
        Refused("InvalidSpotDatafeed.NotFound"),
    ),
]

FLEET_ROWS = [
    refused(
        "an unknown fleet is InvalidFleetId.NotFound",
        "describe_fleets",
        {"FleetIds": [FLEET]},
        Refused("InvalidFleetId.NotFound", FLEET, 400),
    ),
    *(
        refused(
            f"{call} of an unknown fleet is InvalidFleetId.NotFound",
            call,
            {"FleetId": FLEET, **more},
            Refused("InvalidFleetId.NotFound"),
        )
        for call, more in (
            ("describe_fleet_instances", {}),
            ("describe_fleet_history", {"StartTime": datetime(2026, 1, 1, tzinfo=UTC)}),
            ("modify_fleet", {"TargetCapacitySpecification": {"TotalTargetCapacity": 1}}),
        )
    ),
    refused(
        "an unknown filter of fleets is refused",
        "describe_fleets",
        {"Filters": [{"Name": "nonsense", "Values": ["x"]}]},
        Refused("InvalidParameterValue"),
    ),
    *(
        Row(
            f"a fleet that cannot be deleted is told as {code}",
            "ec2",
            "delete_fleets",
            {"FleetIds": [ident], "TerminateInstances": True},
            Answered(
                lambda answer, code=code: (
                    [  # type: ignore[misc]
                        one["Error"]["Code"] for one in answer["UnsuccessfulFleetDeletions"]
                    ]
                    == [code]
                )
            ),
            "DeleteFleetError",
        )
        for ident, code in ((FLEET, "fleetIdDoesNotExist"), ("nonsense", "fleetIdMalformed"))
    ),
    refused_fleet(
        "the same type in the same zone is not named twice",
        Refused("InvalidFleetConfig", "duplicate instance pools"),
        CODES,
        overrides=[{"InstanceType": "t3.micro"}] * 2,
    ),
    refused_fleet(
        "pools are counted with the lowest price alone",
        Refused("InvalidFleetConfig", "InstancePoolsToUseCount"),
        "SpotOptionsRequest",
        SpotOptions={"AllocationStrategy": "diversified", "InstancePoolsToUseCount": 2},
    ),
    refused_fleet(
        "only an instant fleet tags its instances",
        Refused("InvalidParameterValue", "is not a valid taggable resource type"),
        Type="maintain",
        TagSpecifications=OWNED,
    ),
    refused_fleet(
        "a fleet of an unknown template is refused",
        Refused("InvalidLaunchTemplateId.NotFound"),
        LaunchTemplateConfigs=[
            {"LaunchTemplateSpecification": {"LaunchTemplateId": LT, "Version": "1"}}
        ],
    ),
    refused_fleet(
        "a fleet of an unknown template name is refused",
        Refused("InvalidLaunchTemplateName.NotFoundException"),
        LaunchTemplateConfigs=[
            {
                "LaunchTemplateSpecification": {
                    "LaunchTemplateName": "nobody-has-this",
                    "Version": "1",
                }
            }
        ],
    ),
    refused_fleet("a fleet can be rehearsed", Refused("DryRunOperation", "", 412), DryRun=True),
]
ROWS = [*TEMPLATE_ROWS, *SPOT_ROWS, *FLEET_ROWS]


# ---------------------------------------------------------------- stories


def _end(world: World, ident: str) -> None:
    ec2 = world.client("ec2")
    world.later(lambda: ec2.terminate_instances(InstanceIds=[ident]))


def _request(world: World, ident: str) -> Any:
    """Return a spot request, as soon as it is known."""
    ec2, found = world.client("ec2"), []

    def is_known() -> bool:
        try:
            answer = ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[ident])
        except ec2.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "InvalidSpotInstanceRequestID.NotFound":
                return False  # requests are eventually consistent
            raise
        found.extend(answer["SpotInstanceRequests"])
        return True

    wait_until(is_known, "the request never became known")
    return found[0]


def _wait_for_status(world: World, ident: str, *codes: str) -> Any:
    wait_until(
        lambda: _request(world, ident)["Status"]["Code"] in codes, f"never {' or '.join(codes)}"
    )
    return _request(world, ident)


def _a_template_is_taken_where_nothing_else_is_said(world: World) -> None:
    ec2, ident = world.client("ec2"), template(world)
    [made] = ec2.run_instances(
        MinCount=1,
        MaxCount=1,
        LaunchTemplate={"LaunchTemplateId": ident, "Version": "$Latest"},
        InstanceType="t3.micro",
    )["Instances"]
    _end(world, made["InstanceId"])
    assert made["InstanceType"] == "t3.micro"
    tags = {tag["Key"]: tag["Value"] for tag in made["Tags"]}
    assert tags["aws:ec2launchtemplate:id"] == ident
    assert tags["aws:ec2launchtemplate:version"] == "2"
    assert tags[OWNER["Key"]] == OWNER["Value"]


def _a_token_makes_one_template(world: World) -> None:
    ec2, token = world.client("ec2"), world.name("token")
    wanted = {
        "LaunchTemplateName": world.name("once"),
        "ClientToken": token,
        "LaunchTemplateData": {"InstanceType": "t3.micro"},
    }
    made = [ec2.create_launch_template(**wanted)["LaunchTemplate"] for _ in range(2)]
    ident = made[0]["LaunchTemplateId"]
    world.later(lambda: ec2.delete_launch_template(LaunchTemplateId=ident))
    assert made[1]["LaunchTemplateId"] == ident
    again = {**wanted, "ClientToken": world.name("token")}
    code = code_of(ec2.create_launch_template, **again)
    assert code == "InvalidLaunchTemplateName.AlreadyExistsException"


def _numbers_are_not_given_again(world: World) -> None:
    ec2 = world.client("ec2")
    made = ec2.create_launch_template(
        LaunchTemplateName=world.name("numbers"), LaunchTemplateData={"InstanceType": "t3.micro"}
    )["LaunchTemplate"]
    ident = {"LaunchTemplateId": made["LaunchTemplateId"]}
    world.later(lambda: ec2.delete_launch_template(**ident))
    data = {"LaunchTemplateData": {"InstanceType": "t3.small"}}
    ec2.create_launch_template_version(**ident, **data)
    ec2.delete_launch_template_versions(**ident, Versions=["2"])
    third = ec2.create_launch_template_version(**ident, **data)["LaunchTemplateVersion"]
    assert third["VersionNumber"] == 3
    changed = ec2.modify_launch_template(**ident, DefaultVersion="3")["LaunchTemplate"]
    assert changed["DefaultVersionNumber"] == 3


def _a_spot_instance_has_its_request(world: World) -> None:
    ec2 = world.client("ec2")
    [made] = ec2.run_instances(**launch(world, InstanceMarketOptions={"MarketType": "spot"}))[
        "Instances"
    ]
    ident = made["InstanceId"]
    _end(world, ident)
    assert made["InstanceLifecycle"] == "spot"
    request = _wait_for_status(world, made["SpotInstanceRequestId"], "fulfilled")
    assert (request["State"], request["Type"]) == ("active", "one-time")
    assert request["InstanceId"] == ident
    assert request["InstanceInterruptionBehavior"] == "terminate"
    ec2.get_waiter("instance_running").wait(InstanceIds=[ident])
    assert code_of(ec2.stop_instances, InstanceIds=[ident]) == "UnsupportedOperation"
    ec2.terminate_instances(InstanceIds=[ident])
    request = _wait_for_status(world, made["SpotInstanceRequestId"], "instance-terminated-by-user")
    assert request["State"] == "closed"


def _a_request_is_fulfilled_and_cancelled(world: World) -> None:
    ec2 = world.client("ec2")
    [made] = ec2.request_spot_instances(**asked(world))["SpotInstanceRequests"]
    ident = made["SpotInstanceRequestId"]
    world.later(lambda: ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[ident]))
    assert (made["State"], made["Status"]["Code"]) == ("open", "pending-evaluation")
    ec2.get_waiter("spot_instance_request_fulfilled").wait(
        SpotInstanceRequestIds=[ident], WaiterConfig={"Delay": 1, "MaxAttempts": 300}
    )
    instance = _request(world, ident)["InstanceId"]
    _end(world, instance)
    found = only(ec2.describe_instances(InstanceIds=[instance]))
    assert found["SpotInstanceRequestId"] == ident
    [cancelled] = ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[ident])[
        "CancelledSpotInstanceRequests"
    ]
    assert cancelled["State"] == "cancelled"
    request = _wait_for_status(world, ident, "request-canceled-and-instance-running")
    assert request["State"] == "cancelled"
    found = only(ec2.describe_instances(InstanceIds=[instance]))
    assert found["State"]["Name"] in ("pending", "running")


def _a_low_price_waits(world: World) -> None:
    ec2 = world.client("ec2")
    specification = {"ImageId": world.image, "InstanceType": "t3.medium"}
    [made] = ec2.request_spot_instances(
        **asked(world, SpotPrice="0.0001", LaunchSpecification=specification)
    )["SpotInstanceRequests"]
    ident = made["SpotInstanceRequestId"]
    world.later(lambda: ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[ident]))
    request = _wait_for_status(world, ident, "price-too-low")
    assert (request["State"], request["SpotPrice"]) == ("open", "0.000100")
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[ident])
    request = _wait_for_status(world, ident, "canceled-before-fulfillment")
    assert request["State"] == "cancelled"


def _a_persistent_instance_stops_and_starts(world: World) -> None:
    ec2 = world.client("ec2")
    options = {"SpotInstanceType": "persistent", "InstanceInterruptionBehavior": "stop"}
    market = {"MarketType": "spot", "SpotOptions": options}
    [made] = ec2.run_instances(**launch(world, InstanceMarketOptions=market))["Instances"]
    ident, request_id = made["InstanceId"], made["SpotInstanceRequestId"]
    _end(world, ident)
    world.later(lambda: ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request_id]))
    ec2.get_waiter("instance_running").wait(InstanceIds=[ident])
    ec2.stop_instances(InstanceIds=[ident])
    request = _wait_for_status(world, request_id, "instance-stopped-by-user")
    assert request["State"] == "disabled"
    ec2.start_instances(InstanceIds=[ident])
    ec2.get_waiter("instance_running").wait(InstanceIds=[ident])
    request = _wait_for_status(world, request_id, "fulfilled")
    assert (request["State"], request["InstanceId"]) == ("active", ident)
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[request_id])
    _wait_for_status(world, request_id, "request-canceled-and-instance-running")
    assert code_of(ec2.stop_instances, InstanceIds=[ident]) == "IncorrectSpotRequestState"


def _an_instant_fleet_answers_at_once(world: World) -> None:
    ec2 = world.client("ec2")
    token = world.name("token")
    answer = ec2.create_fleet(**fleet(world, ClientToken=token))
    ident = answer["FleetId"]
    world.later(lambda: ec2.delete_fleets(FleetIds=[ident], TerminateInstances=True))
    [entry] = answer["Instances"]
    assert (entry["Lifecycle"], entry["InstanceType"]) == ("spot", "t3.micro")
    [instance] = entry["InstanceIds"]
    again = ec2.create_fleet(**fleet(world, ClientToken=token))
    assert again["FleetId"] == ident
    found = only(ec2.describe_instances(InstanceIds=[instance]))
    assert found["InstanceLifecycle"] == "spot"
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    assert tags["aws:ec2:fleet-id"] == ident
    shown = ec2.describe_fleets(FleetIds=[ident])["Fleets"][0]
    assert (shown["Type"], shown["FleetState"]) == ("instant", "active")
    assert ident not in [one["FleetId"] for one in ec2.describe_fleets()["Fleets"]]


def _a_fleet_replaces_what_it_lost(world: World) -> None:
    ec2 = world.client("ec2")
    ident = ec2.create_fleet(**fleet(world, Type="maintain"))["FleetId"]
    world.later(lambda: ec2.delete_fleets(FleetIds=[ident], TerminateInstances=True))

    def alive() -> list[str]:
        found = ec2.describe_fleet_instances(FleetId=ident)["ActiveInstances"]
        return [one["InstanceId"] for one in found]

    wait_until(lambda: len(alive()) == 1, "the fleet never had its instance")
    [first] = alive()
    ec2.terminate_instances(InstanceIds=[first])
    wait_until(lambda: len(alive()) == 1 and alive() != [first], "it was never replaced")
    [done] = ec2.delete_fleets(FleetIds=[ident], TerminateInstances=True)[
        "SuccessfulFleetDeletions"
    ]
    assert done["CurrentFleetState"] == "deleted_terminating"

    def is_deleted() -> bool:
        shown = ec2.describe_fleets(FleetIds=[ident])["Fleets"][0]
        return bool(shown["FleetState"] == "deleted")

    wait_until(is_deleted, "the fleet was never deleted")


STORIES = [
    Story(
        "an instance takes from a template what it is not told",
        _a_template_is_taken_where_nothing_else_is_said,
        "Launch EC2 instances from a launch template",
    ),
    Story("one client token makes one launch template", _a_token_makes_one_template, TEMPLATES),
    Story(
        "the numbers of deleted versions are not given again",
        _numbers_are_not_given_again,
        "Manage launch template versions",
    ),
    Story("a spot instance has a request until it ends", _a_spot_instance_has_its_request, STATUS),
    Story(
        "a spot request is fulfilled, and cancelled without its instance",
        _a_request_is_fulfilled_and_cancelled,
        STATUS,
    ),
    Story("a spot request with a low price waits", _a_low_price_waits, STATUS),
    Story(
        "a persistent spot instance stops and starts, while its request is there",
        _a_persistent_instance_stops_and_starts,
        "Manage your Spot Instances",
    ),
    Story(
        "an instant fleet answers with its instances",
        _an_instant_fleet_answers_at_once,
        "EC2 Fleet request types",
    ),
    Story(
        "a fleet replaces what it has lost, until it is deleted",
        _a_fleet_replaces_what_it_lost,
        "EC2 Fleet request types",
    ),
]
