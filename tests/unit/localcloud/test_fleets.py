"""Fleets: what can be had, kept up, cut back and ended, also across kills of the cloud."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from runctl.localcloud.data import price_of
from runctl.localcloud.faults.changes import add_fault, clear_faults
from runctl.localcloud.faults.orders import Order
from runctl.localcloud.services.ec2.spot.interruption import interrupt, recommend_rebalance
from runctl.localcloud.services.ec2.types import offered_zones
from runctl.localcloud.services.quotas import set_quota
from tests.unit.localcloud.conftest import REGION, Rehearsal
from tests.unit.localcloud.test_instances import describe, image, refusal, state

CHEAP, DEAR = "t3.medium", "t3.large"
ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"]
MINE = [{"ResourceType": "instance", "Tags": [{"Key": "runctl:owner", "Value": "me"}]}]


@pytest.fixture
def ec2(rehearsal: Rehearsal) -> Any:
    return rehearsal.client("ec2")


def template(rehearsal: Rehearsal, **data: Any) -> str:
    ec2 = rehearsal.client("ec2")
    known = ec2.describe_launch_templates()["LaunchTemplates"]
    if known and not data:
        return str(known[0]["LaunchTemplateId"])
    wanted = {"ImageId": image(rehearsal), "InstanceType": "t3.micro", **data}
    made = ec2.create_launch_template(
        LaunchTemplateName=f"template-{len(known)}", LaunchTemplateData=wanted
    )
    return str(made["LaunchTemplate"]["LaunchTemplateId"])


def fleet(
    rehearsal: Rehearsal,
    kind: str,
    count: int,
    *,
    overrides: Any = ({"InstanceType": "t3.micro"},),
    market: str = "spot",
    target: Any = None,
    template_id: str | None = None,
    **more: Any,
) -> Any:
    specification = {
        "LaunchTemplateId": template_id or template(rehearsal),
        "Version": "$Latest",
    }
    return rehearsal.client("ec2").create_fleet(
        Type=kind,
        TargetCapacitySpecification={
            "TotalTargetCapacity": count,
            "DefaultTargetCapacityType": market,
            **(target or {}),
        },
        LaunchTemplateConfigs=[
            {"LaunchTemplateSpecification": specification, "Overrides": list(overrides)}
        ],
        **more,
    )


def alive(rehearsal: Rehearsal, ident: str) -> list[str]:
    found = rehearsal.client("ec2").describe_fleet_instances(FleetId=ident)["ActiveInstances"]
    return [one["InstanceId"] for one in found]


def described(rehearsal: Rehearsal, ident: str) -> Any:
    return rehearsal.client("ec2").describe_fleets(FleetIds=[ident])["Fleets"][0]


def launched(answer: Any) -> list[tuple[str, str, int]]:
    """Return type, zone and count of what an instant fleet has launched."""
    return [
        (
            one["InstanceType"],
            one["LaunchTemplateAndOverrides"]["Overrides"]["AvailabilityZone"],
            len(one["InstanceIds"]),
        )
        for one in answer["Instances"]
    ]


def everywhere(*kinds: str) -> list[dict[str, str]]:
    return [{"InstanceType": kind, "AvailabilityZone": zone} for kind in kinds for zone in ZONES]


# ---------------------------------------------------------------- instant


def test_an_instant_fleet_answers_with_its_instances(rehearsal: Rehearsal, ec2: Any) -> None:
    answer = fleet(rehearsal, "instant", 2, TagSpecifications=MINE)
    [entry] = answer["Instances"]
    assert (entry["Lifecycle"], len(entry["InstanceIds"])) == ("spot", 2)
    for ident in entry["InstanceIds"]:
        found = describe(rehearsal, ident)
        tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
        assert tags["aws:ec2:fleet-id"] == answer["FleetId"]
        assert tags["aws:ec2launchtemplate:version"] == "1"
        assert tags["runctl:owner"] == "me"
        assert found["SpotInstanceRequestId"].startswith("sir-")
    found = described(rehearsal, answer["FleetId"])
    assert (found["FleetState"], found["FulfilledCapacity"]) == ("active", 2.0)
    assert found["Instances"] == answer["Instances"]
    assert ec2.describe_fleets()["Fleets"] == []


def test_an_instant_fleet_tells_what_was_refused(rehearsal: Rehearsal) -> None:
    add_fault(rehearsal.cloud, Order(effect="capacity", instance_type="t3.micro"))
    both = [{"InstanceType": "t3.micro", "AvailabilityZone": ZONES[0], "Priority": 1.0}]
    both += [{"InstanceType": "t3.small", "AvailabilityZone": ZONES[0], "Priority": 2.0}]
    options = {"AllocationStrategy": "capacity-optimized-prioritized"}
    answer = fleet(rehearsal, "instant", 1, overrides=both, SpotOptions=options)
    assert launched(answer) == [("t3.small", ZONES[0], 1)]
    [error] = answer["Errors"]
    assert error["ErrorCode"] == "InsufficientInstanceCapacity"
    assert error["LaunchTemplateAndOverrides"]["Overrides"]["InstanceType"] == "t3.micro"
    assert len(rehearsal.tier.addresses) == 1


def test_nothing_at_all_is_an_answer_too(rehearsal: Rehearsal) -> None:
    add_fault(rehearsal.cloud, Order(effect="capacity"))
    answer = fleet(rehearsal, "instant", 2)
    assert answer["Instances"] == []
    assert {one["ErrorCode"] for one in answer["Errors"]} == {"InsufficientInstanceCapacity"}
    rehearsal.advance(2)
    assert not rehearsal.tier.machines
    assert not rehearsal.tier.addresses


def test_both_markets(rehearsal: Rehearsal) -> None:
    target = {"OnDemandTargetCapacity": 1, "SpotTargetCapacity": 2}
    answer = fleet(rehearsal, "instant", 4, market="on-demand", target=target)
    counts = Counter({one["Lifecycle"]: len(one["InstanceIds"]) for one in answer["Instances"]})
    assert counts == {"spot": 2, "on-demand": 2}


def test_the_lowest_price_is_tried_first_and_an_unknown_one_last(rehearsal: Rehearsal) -> None:
    cheap, dear = (price_of(kind, REGION, is_spot=True) for kind in (CHEAP, DEAR))
    assert cheap is not None
    assert dear is not None
    assert cheap < dear
    assert price_of("t2.micro", REGION, is_spot=True) is None
    assert price_of("t2.micro", REGION, is_spot=False) is None
    for strategy in ("lowest-price", "price-capacity-optimized"):
        answer = fleet(
            rehearsal,
            "instant",
            1,
            overrides=everywhere("t2.micro", DEAR, CHEAP),
            SpotOptions={"AllocationStrategy": strategy},
        )
        assert launched(answer) == [(CHEAP, ZONES[0], 1)]


def test_a_spot_price_that_is_unknown_is_at_most_that_on_demand(rehearsal: Rehearsal) -> None:
    limit, dear = price_of("t3.nano", REGION, is_spot=False), price_of(DEAR, REGION, is_spot=True)
    assert price_of("t3.nano", REGION, is_spot=True) is None
    assert limit is not None
    assert dear is not None
    assert limit < dear
    answer = fleet(rehearsal, "instant", 1, overrides=everywhere(DEAR, "t3.nano"))
    assert launched(answer) == [("t3.nano", ZONES[0], 1)]


def test_the_price_counts_by_weight(rehearsal: Rehearsal) -> None:
    overrides = [
        {"InstanceType": CHEAP, "AvailabilityZone": ZONES[0], "WeightedCapacity": 1.0},
        {"InstanceType": DEAR, "AvailabilityZone": ZONES[0], "WeightedCapacity": 4.0},
    ]
    answer = fleet(rehearsal, "instant", 6, overrides=overrides)
    assert launched(answer) == [(DEAR, ZONES[0], 2)]
    assert described(rehearsal, answer["FleetId"])["FulfilledCapacity"] == 8.0


def test_a_diversified_fleet_is_spread(rehearsal: Rehearsal) -> None:
    options = {"AllocationStrategy": "diversified"}
    overrides = everywhere("t3.micro")
    answer = fleet(rehearsal, "instant", 6, overrides=overrides, SpotOptions=options)
    assert launched(answer) == [("t3.micro", zone, 2) for zone in ZONES]


def test_a_fleet_of_two_pools(rehearsal: Rehearsal) -> None:
    options = {"AllocationStrategy": "lowest-price", "InstancePoolsToUseCount": 2}
    answer = fleet(rehearsal, "instant", 4, overrides=everywhere("t3.micro"), SpotOptions=options)
    assert launched(answer) == [("t3.micro", zone, 2) for zone in ZONES[:2]]


def test_a_single_zone_is_the_first_that_has_all(rehearsal: Rehearsal) -> None:
    for kind, zone in (("t3.micro", ZONES[0]), ("t3.small", ZONES[0]), ("t3.micro", ZONES[1])):
        add_fault(rehearsal.cloud, Order(effect="capacity", instance_type=kind, zone=zone))
    options = {"SingleAvailabilityZone": True, "SingleInstanceType": True}
    answer = fleet(
        rehearsal,
        "instant",
        3,
        overrides=everywhere("t3.micro", "t3.small"),
        SpotOptions={**options, "AllocationStrategy": "capacity-optimized"},
    )
    assert launched(answer) == [("t3.micro", ZONES[2], 3)]


def test_less_than_the_minimum_is_nothing(rehearsal: Rehearsal) -> None:
    ec2 = rehearsal.client("ec2")
    rehearsal.client("service-quotas").get_service_quota(ServiceCode="ec2", QuotaCode="L-34B43A08")
    set_quota(rehearsal.cloud, REGION, "L-34B43A08", 4.0)  # two of t3.micro
    options = {"SingleInstanceType": True, "MinTargetCapacity": 3}
    answer = fleet(rehearsal, "instant", 5, SpotOptions=options)
    assert answer["Instances"] == []
    assert {one["ErrorCode"] for one in answer["Errors"]} == {"MaxSpotInstanceCountExceeded"}
    assert ec2.describe_instances()["Reservations"] == []
    assert rehearsal.tier.addresses == {}
    options["MinTargetCapacity"] = 2
    answer = fleet(rehearsal, "instant", 5, SpotOptions=options)
    assert sum(count for _, _, count in launched(answer)) == 2


def test_a_fleet_costs_no_more_than_its_total_price(rehearsal: Rehearsal) -> None:
    price = price_of(CHEAP, REGION, is_spot=True)
    assert price is not None
    options = {"MaxTotalPrice": str(price * 2)}
    answer = fleet(
        rehearsal, "instant", 5, overrides=[{"InstanceType": CHEAP}], SpotOptions=options
    )
    assert sum(count for _, _, count in launched(answer)) == 2


def test_a_price_that_is_too_low_is_an_error_of_the_pool(rehearsal: Rehearsal) -> None:
    overrides = [{"InstanceType": CHEAP, "AvailabilityZone": ZONES[0], "MaxPrice": "0.0001"}]
    answer = fleet(rehearsal, "instant", 1, overrides=overrides)
    assert [one["ErrorCode"] for one in answer["Errors"]] == ["SpotMaxPriceTooLow"]
    rehearsal.advance(2)
    assert not rehearsal.tier.machines
    assert not rehearsal.tier.addresses


def test_a_token_makes_one_fleet(rehearsal: Rehearsal, ec2: Any) -> None:
    first = fleet(rehearsal, "instant", 2, ClientToken="t")
    rehearsal.restart()
    second = fleet(rehearsal, "instant", 2, ClientToken="t")
    assert second["FleetId"] == first["FleetId"]
    assert second["Instances"] == first["Instances"]
    assert len(ec2.describe_instances()["Reservations"]) == 2


def test_a_subnet_takes_its_place_in_the_interface_of_the_template(
    rehearsal: Rehearsal, ec2: Any
) -> None:
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    offering = {"Name": "availability-zone", "Values": [offered_zones(REGION, "t3.micro")[2]]}
    [subnet] = ec2.describe_subnets(Filters=[offering])["Subnets"]
    interface = {"DeviceIndex": 0, "Groups": [group], "AssociatePublicIpAddress": True}
    ident = template(rehearsal, NetworkInterfaces=[interface])
    answer = fleet(
        rehearsal,
        "instant",
        1,
        template_id=ident,
        overrides=[{"InstanceType": "t3.micro", "SubnetId": subnet["SubnetId"]}],
    )
    assert launched(answer) == [("t3.micro", subnet["AvailabilityZone"], 1)]


def test_what_a_zone_does_not_offer_is_passed_over(rehearsal: Rehearsal) -> None:
    kind, zone = "c5.large", "us-east-1e"
    assert zone not in offered_zones(REGION, kind)
    overrides = [
        {"InstanceType": kind, "AvailabilityZone": zone},
        {"InstanceType": "t3.micro", "AvailabilityZone": ZONES[0]},
    ]
    options = {"AllocationStrategy": "capacity-optimized"}
    answer = fleet(rehearsal, "instant", 1, overrides=overrides, SpotOptions=options)
    assert launched(answer) == [("t3.micro", ZONES[0], 1)]
    assert [one["ErrorCode"] for one in answer["Errors"]] == ["InvalidFleetConfiguration"]


# ---------------------------------------------------------------- maintain, request


def test_a_fleet_comes_up_over_time(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = fleet(rehearsal, "maintain", 2)["FleetId"]
    assert described(rehearsal, ident)["FleetState"] == "submitted"
    assert alive(rehearsal, ident) == []
    rehearsal.advance(3)
    found = described(rehearsal, ident)
    assert (found["FleetState"], found["ActivityStatus"]) == ("active", "fulfilled")
    assert found["FulfilledCapacity"] == 2.0
    events = ec2.describe_fleet_history(FleetId=ident, StartTime=0)["HistoryRecords"]
    kinds = [one["EventInformation"]["EventSubType"] for one in events]
    assert kinds == ["submitted", "launched", "launched", "active"]
    changes = ec2.describe_fleet_history(FleetId=ident, StartTime=0, EventType="instance-change")
    named = [one["EventInformation"]["InstanceId"] for one in changes["HistoryRecords"]]
    assert sorted(named) == alive(rehearsal, ident)
    rest = ec2.describe_fleet_history(FleetId=ident, StartTime=0, MaxResults=3)
    assert len(rest["HistoryRecords"]) == 3
    rest = ec2.describe_fleet_history(FleetId=ident, StartTime=0, NextToken=rest["NextToken"])
    assert len(rest["HistoryRecords"]) == 1


def test_a_lost_instance_is_replaced(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = fleet(rehearsal, "maintain", 2)["FleetId"]
    rehearsal.advance(3)
    first = alive(rehearsal, ident)
    interrupt(rehearsal.cloud, REGION, first[0], notice_s=1)
    ec2.terminate_instances(InstanceIds=[first[1]])
    rehearsal.advance(5)
    second = alive(rehearsal, ident)
    assert len(second) == 2
    assert set(first).isdisjoint(second)
    assert set(rehearsal.tier.machines) == set(second)


def test_a_request_is_met_once(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = fleet(rehearsal, "request", 2)["FleetId"]
    rehearsal.advance(3)
    first = alive(rehearsal, ident)
    assert len(first) == 2
    ec2.terminate_instances(InstanceIds=first[:1])
    rehearsal.restart()
    rehearsal.advance(5)
    assert alive(rehearsal, ident) == first[1:]


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0, 1.5])
def test_a_restart_doubles_nothing(rehearsal: Rehearsal, at: float) -> None:
    ident = fleet(rehearsal, "maintain", 2)["FleetId"]
    rehearsal.advance(at)
    rehearsal.restart()
    rehearsal.advance(3)
    rehearsal.restart()
    rehearsal.advance(3)
    assert len(alive(rehearsal, ident)) == 2
    assert len(rehearsal.tier.machines) == 2


def test_a_kill_between_launching_and_recording_leaves_neither(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runctl.localcloud.services.ec2.fleets import settling  # noqa: PLC0415

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    ident = fleet(rehearsal, "maintain", 2)["FleetId"]
    with monkeypatch.context() as patched:
        patched.setattr(settling, "_note_errors", die)
        with pytest.raises(KeyboardInterrupt):
            rehearsal.advance(1)
    rehearsal.restart()
    assert alive(rehearsal, ident) == []
    rehearsal.advance(3)
    assert len(alive(rehearsal, ident)) == len(rehearsal.tier.machines) == 2
    assert len(rehearsal.tier.addresses) == 2


def test_a_fleet_waits_for_capacity_and_says_so(rehearsal: Rehearsal, ec2: Any) -> None:
    add_fault(rehearsal.cloud, Order(effect="capacity"))
    ident = fleet(rehearsal, "maintain", 1)["FleetId"]
    rehearsal.advance(30)
    found = described(rehearsal, ident)
    assert found["ActivityStatus"] == "error"
    assert found["Errors"][0]["ErrorCode"] == "InsufficientInstanceCapacity"
    events = ec2.describe_fleet_history(FleetId=ident, StartTime=0, EventType="service-error")
    assert len(events["HistoryRecords"]) == 1
    clear_faults(rehearsal.cloud)
    rehearsal.restart()
    rehearsal.advance(3)
    assert len(alive(rehearsal, ident)) == 1
    assert described(rehearsal, ident)["Errors"] == []


def test_a_fleet_at_rest_writes_nothing(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet(rehearsal, "maintain", 2)
    rehearsal.advance(10)
    written: list[object] = []
    monkeypatch.setattr(rehearsal.cloud.records, "_write", lambda *one: written.append(one))
    rehearsal.advance(60)
    assert written == []


@pytest.mark.parametrize("is_replaced", [True, False])
def test_an_unhealthy_instance_is_replaced_where_that_is_asked(
    rehearsal: Rehearsal, ec2: Any, is_replaced: bool
) -> None:
    ident = fleet(rehearsal, "maintain", 1, ReplaceUnhealthyInstances=is_replaced)["FleetId"]
    rehearsal.advance(3)
    [first] = alive(rehearsal, ident)
    add_fault(rehearsal.cloud, Order(effect="freeze", instance=first))
    [shown] = ec2.describe_fleet_instances(FleetId=ident)["ActiveInstances"]
    assert shown["InstanceHealth"] == "unhealthy"
    rehearsal.advance(3)
    assert alive(rehearsal, ident) == [first]
    rehearsal.restart()
    rehearsal.advance(10)
    [second] = alive(rehearsal, ident)
    assert (second != first) is is_replaced


def test_another_target(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = fleet(rehearsal, "maintain", 3)["FleetId"]
    rehearsal.advance(3)
    oldest = alive(rehearsal, ident)
    ec2.modify_fleet(FleetId=ident, TargetCapacitySpecification={"TotalTargetCapacity": 1})
    assert described(rehearsal, ident)["FleetState"] == "modifying"
    rehearsal.restart()
    rehearsal.advance(3)
    assert len(alive(rehearsal, ident)) == 1
    assert set(alive(rehearsal, ident)) < set(oldest)
    ec2.modify_fleet(FleetId=ident, TargetCapacitySpecification={"TotalTargetCapacity": 4})
    rehearsal.advance(3)
    assert len(alive(rehearsal, ident)) == 4
    assert described(rehearsal, ident)["FleetState"] == "active"
    events = ec2.describe_fleet_history(FleetId=ident, StartTime=0, EventType="fleet-change")
    kinds = [one["EventInformation"]["EventSubType"] for one in events["HistoryRecords"]]
    assert kinds == ["submitted", "active", *["modify_in_progress", "modify_succeeded"] * 2]


def test_no_termination_of_excess(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = fleet(rehearsal, "maintain", 2, ExcessCapacityTerminationPolicy="no-termination")[
        "FleetId"
    ]
    rehearsal.advance(3)
    ec2.modify_fleet(FleetId=ident, TargetCapacitySpecification={"TotalTargetCapacity": 1})
    rehearsal.advance(5)
    assert len(alive(rehearsal, ident)) == 2


@pytest.mark.parametrize(
    ("strategy", "ends"),
    [
        ({"ReplacementStrategy": "launch"}, False),
        ({"ReplacementStrategy": "launch-before-terminate", "TerminationDelay": 120}, True),
    ],
)
def test_a_recommendation_brings_a_replacement(
    rehearsal: Rehearsal, strategy: dict[str, Any], ends: bool
) -> None:
    options = {"MaintenanceStrategies": {"CapacityRebalance": strategy}}
    ident = fleet(rehearsal, "maintain", 1, SpotOptions=options)["FleetId"]
    rehearsal.advance(3)
    [first] = alive(rehearsal, ident)
    recommend_rebalance(rehearsal.cloud, REGION, first)
    rehearsal.restart()
    rehearsal.advance(10)
    assert len(alive(rehearsal, ident)) == 2
    assert first in alive(rehearsal, ident)
    rehearsal.advance(200)
    assert (first in alive(rehearsal, ident)) is not ends
    interrupt(rehearsal.cloud, REGION, alive(rehearsal, ident)[0], notice_s=0)
    rehearsal.advance(10)
    assert len(alive(rehearsal, ident)) in (1, 2)
    assert described(rehearsal, ident)["ActivityStatus"] == "fulfilled"


def test_without_that_a_recommendation_brings_nothing(rehearsal: Rehearsal) -> None:
    ident = fleet(rehearsal, "maintain", 1)["FleetId"]
    rehearsal.advance(3)
    [first] = alive(rehearsal, ident)
    recommend_rebalance(rehearsal.cloud, REGION, first)
    rehearsal.advance(10)
    assert alive(rehearsal, ident) == [first]


# ---------------------------------------------------------------- the end


@pytest.mark.parametrize("ends", [True, False])
def test_an_expired_fleet(rehearsal: Rehearsal, ends: bool) -> None:
    ident = fleet(
        rehearsal,
        "maintain",
        1,
        ValidUntil=rehearsal.jobs.now + 30,
        TerminateInstancesWithExpiration=ends,
    )["FleetId"]
    rehearsal.advance(10)
    assert len(alive(rehearsal, ident)) == 1
    rehearsal.restart()
    rehearsal.advance(30)
    assert len(alive(rehearsal, ident)) == (0 if ends else 1)
    assert described(rehearsal, ident)["FleetState"] == ("deleted" if ends else "deleted_running")


def test_a_fleet_begins_at_its_time(rehearsal: Rehearsal) -> None:
    ident = fleet(rehearsal, "maintain", 1, ValidFrom=rehearsal.jobs.now + 60)["FleetId"]
    rehearsal.advance(30)
    assert alive(rehearsal, ident) == []
    rehearsal.advance(40)
    assert len(alive(rehearsal, ident)) == 1


@pytest.mark.parametrize("at", [0.0, 0.1, 0.5, 1.5])
@pytest.mark.parametrize(("ends", "left"), [(True, 0), (False, 1)])
def test_deleting(rehearsal: Rehearsal, ec2: Any, ends: bool, left: int, at: float) -> None:
    ident = fleet(rehearsal, "maintain", 1)["FleetId"]
    rehearsal.advance(3)
    [done] = ec2.delete_fleets(FleetIds=[ident], TerminateInstances=ends)[
        "SuccessfulFleetDeletions"
    ]
    expected = "deleted_terminating" if ends else "deleted_running"
    assert (done["PreviousFleetState"], done["CurrentFleetState"]) == ("active", expected)
    rehearsal.advance(at)
    rehearsal.restart()
    rehearsal.advance(5)
    assert len(rehearsal.tier.machines) == left
    found = described(rehearsal, ident)
    assert found["FleetState"] == ("deleted" if ends else "deleted_running")
    assert found["FulfilledCapacity"] == float(left)
    events = ec2.describe_fleet_history(FleetId=ident, StartTime=0)["HistoryRecords"]
    kinds = [one["EventInformation"]["EventSubType"] for one in events][-3:]
    ended = ["deleted_terminating", "terminated", "deleted"]
    assert kinds == (ended if ends else ["launched", "active", "deleted_running"])


def test_a_deleted_fleet_goes_with_its_last_instance(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = fleet(rehearsal, "maintain", 1)["FleetId"]
    rehearsal.advance(3)
    [last] = alive(rehearsal, ident)
    ec2.delete_fleets(FleetIds=[ident], TerminateInstances=False)
    rehearsal.advance(60)
    assert state(rehearsal, last) == "running"
    ec2.terminate_instances(InstanceIds=[last])
    rehearsal.advance(5)
    assert described(rehearsal, ident)["FleetState"] == "deleted"
    assert rehearsal.tier.machines == {}
    rehearsal.advance(10000)
    assert refusal(ec2.describe_fleets, FleetIds=[ident]) == "InvalidFleetId.NotFound"


def test_what_cannot_be_deleted_is_told_one_by_one(rehearsal: Rehearsal, ec2: Any) -> None:
    instant = fleet(rehearsal, "instant", 1)["FleetId"]
    gone = fleet(rehearsal, "maintain", 1)["FleetId"]
    ec2.delete_fleets(FleetIds=[gone], TerminateInstances=True)
    rehearsal.advance(5)
    unknown = gone[:-12] + "0" * 12
    answer = ec2.delete_fleets(
        FleetIds=[instant, gone, unknown, "nonsense"], TerminateInstances=False
    )
    codes = {one["FleetId"]: one["Error"]["Code"] for one in answer["UnsuccessfulFleetDeletions"]}
    assert codes == {
        instant: "unexpectedError",
        gone: "fleetNotInDeletableState",
        unknown: "fleetIdDoesNotExist",
        "nonsense": "fleetIdMalformed",
    }
    ec2.delete_fleets(FleetIds=[instant], TerminateInstances=True)
    rehearsal.advance(5)
    assert rehearsal.tier.machines == {}


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("kind", "more", "code"),
    [
        (
            "maintain",
            {"target": {"SpotTargetCapacity": 1, "OnDemandTargetCapacity": 1}},
            "InvalidTargetCapacitySpecification",
        ),
        ("maintain", {"TagSpecifications": MINE}, "InvalidParameterValue"),
        ("maintain", {"SpotOptions": {"SingleInstanceType": True}}, "InvalidFleetConfig"),
        ("instant", {"SpotOptions": {"MinTargetCapacity": 1}}, "InvalidFleetConfig"),
        (
            "instant",
            {
                "SpotOptions": {
                    "AllocationStrategy": "diversified",
                    "InstancePoolsToUseCount": 2,
                }
            },
            "InvalidFleetConfig",
        ),
        ("instant", {"overrides": [{"InstanceType": "t3.micro"}] * 2}, "InvalidFleetConfig"),
        ("instant", {"overrides": [{"InstanceType": "t9.nano"}]}, "InvalidParameterValue"),
        (
            "maintain",
            {"template_id": "lt-0123456789abcdef0"},
            "InvalidLaunchTemplateId.NotFound",
        ),
        (
            "instant",
            {
                "overrides": [
                    {"InstanceRequirements": {"VCpuCount": {"Min": 1}, "MemoryMiB": {"Min": 1}}}
                ]
            },
            "UnsupportedOperation",
        ),
    ],
)
def test_refusals(
    rehearsal: Rehearsal, ec2: Any, kind: str, more: dict[str, Any], code: str
) -> None:
    assert refusal(lambda: fleet(rehearsal, kind, 1, **more)) == code
    assert ec2.describe_instances()["Reservations"] == []


def test_only_a_fleet_that_maintains_can_be_modified(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = fleet(rehearsal, "request", 1)["FleetId"]
    target = {"TotalTargetCapacity": 2}
    code = refusal(ec2.modify_fleet, FleetId=ident, TargetCapacitySpecification=target)
    assert code == "FleetNotInModifiableState"


def test_instances_of_instant_fleets_are_in_their_answer(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = fleet(rehearsal, "instant", 1)["FleetId"]
    assert refusal(ec2.describe_fleet_instances, FleetId=ident) == "Unsupported"


@pytest.mark.parametrize("call", ["describe_spot_fleet_requests", "describe_spot_fleet_instances"])
def test_spot_fleets_are_refused(ec2: Any, call: str) -> None:
    more = {} if call.endswith("requests") else {"SpotFleetRequestId": "sfr-1"}
    assert refusal(getattr(ec2, call), **more) == "UnsupportedOperation"
