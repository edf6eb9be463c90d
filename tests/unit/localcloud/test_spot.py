"""Spot: requests through their states, interruptions, and both across kills of the cloud."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from runctl.localcloud.data import price_of
from runctl.localcloud.faults.changes import add_fault, clear_faults
from runctl.localcloud.faults.orders import Order
from runctl.localcloud.services.ec2.spot.interruption import interrupt, recommend_rebalance
from runctl.localcloud.wire.errors import AwsError
from tests.unit.localcloud.conftest import REGION, START, Rehearsal
from tests.unit.localcloud.test_instances import describe, image, refusal, run, state

STOPPABLE = {"SpotInstanceType": "persistent", "InstanceInterruptionBehavior": "stop"}
PRICED = "t3.medium"


@pytest.fixture
def ec2(rehearsal: Rehearsal) -> Any:
    return rehearsal.client("ec2")


def spot(rehearsal: Rehearsal, **options: Any) -> str:
    market = {"MarketType": "spot", "SpotOptions": options}
    [ident] = run(rehearsal, InstanceMarketOptions=market)
    rehearsal.advance(1)
    return ident


def ask(rehearsal: Rehearsal, kind: str = "t3.micro", **more: Any) -> str:
    launch = {"ImageId": image(rehearsal), "InstanceType": kind}
    answer = rehearsal.client("ec2").request_spot_instances(LaunchSpecification=launch, **more)
    return str(answer["SpotInstanceRequests"][0]["SpotInstanceRequestId"])


def request(rehearsal: Rehearsal, ident: str) -> Any:
    answer = rehearsal.client("ec2").describe_spot_instance_requests(SpotInstanceRequestIds=[ident])
    return answer["SpotInstanceRequests"][0]


def request_of(rehearsal: Rehearsal, instance: str) -> Any:
    return request(rehearsal, describe(rehearsal, instance)["SpotInstanceRequestId"])


def stands(rehearsal: Rehearsal, ident: str) -> tuple[str, str]:
    found = request(rehearsal, ident)
    return found["State"], found["Status"]["Code"]


# ---------------------------------------------------------------- requests


def test_a_request_goes_through_its_states(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = ask(rehearsal)
    rehearsal.advance(0.06)
    seen = [stands(rehearsal, ident)]
    rehearsal.advance(0.06)
    seen.append(stands(rehearsal, ident))
    rehearsal.advance(0.1)
    seen.append(stands(rehearsal, ident))
    assert seen == [
        ("open", "pending-evaluation"),
        ("open", "pending-fulfillment"),
        ("active", "fulfilled"),
    ]
    rehearsal.advance(1)
    found = request(rehearsal, ident)
    instance = describe(rehearsal, found["InstanceId"])
    assert (instance["InstanceLifecycle"], instance["SpotInstanceRequestId"]) == ("spot", ident)
    assert instance["State"]["Name"] == "running"
    assert found["LaunchedAvailabilityZone"] == instance["Placement"]["AvailabilityZone"]
    assert found["ValidUntil"].timestamp() == int(START) + 7 * 86400


def test_a_new_request_is_not_seen_at_once(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = ask(rehearsal)
    code = refusal(ec2.describe_spot_instance_requests, SpotInstanceRequestIds=[ident])
    assert code == "InvalidSpotInstanceRequestID.NotFound"
    assert ec2.describe_spot_instance_requests()["SpotInstanceRequests"] == []
    rehearsal.advance(0.06)
    assert stands(rehearsal, ident)[0] == "open"


@pytest.mark.parametrize("at", [0.0, 0.12, 0.3])
def test_a_kill_in_any_state_makes_one_instance(rehearsal: Rehearsal, at: float) -> None:
    ident = ask(rehearsal)
    rehearsal.advance(at)
    rehearsal.restart()
    rehearsal.advance(2)
    assert stands(rehearsal, ident) == ("active", "fulfilled")
    assert len(rehearsal.tier.machines) == 1


def test_a_kill_at_the_launch_leaves_nothing_halfway(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runctl.localcloud.services.ec2.spot import settling  # noqa: PLC0415

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    ident = ask(rehearsal)
    with monkeypatch.context() as patched:
        patched.setattr(settling, "fulfil", die)
        with pytest.raises(KeyboardInterrupt):
            rehearsal.advance(1)
    rehearsal.restart()
    assert rehearsal.client("ec2").describe_instances()["Reservations"] == []
    rehearsal.advance(2)
    assert stands(rehearsal, ident) == ("active", "fulfilled")
    assert len(rehearsal.tier.machines) == len(rehearsal.tier.addresses) == 1


def test_without_capacity_a_request_waits(rehearsal: Rehearsal) -> None:
    add_fault(rehearsal.cloud, Order(effect="capacity", market="spot"))
    ident = ask(rehearsal)
    rehearsal.advance(5)
    assert stands(rehearsal, ident) == ("open", "capacity-not-available")
    assert rehearsal.tier.addresses == {}
    clear_faults(rehearsal.cloud)
    rehearsal.restart()
    rehearsal.advance(3)
    assert stands(rehearsal, ident) == ("active", "fulfilled")


def test_a_price_that_is_too_low_waits(rehearsal: Rehearsal, ec2: Any) -> None:
    assert price_of(PRICED, REGION, is_spot=True) is not None
    ident = ask(rehearsal, PRICED, SpotPrice="0.0001")
    rehearsal.advance(5)
    assert stands(rehearsal, ident) == ("open", "price-too-low")
    assert request(rehearsal, ident)["SpotPrice"] == "0.000100"
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[ident])
    assert stands(rehearsal, ident) == ("cancelled", "canceled-before-fulfillment")
    rehearsal.advance(5)
    assert rehearsal.tier.machines == {}


def test_an_unknown_price_is_no_price(rehearsal: Rehearsal) -> None:
    assert price_of("t3.micro", REGION, is_spot=True) is None
    ident = ask(rehearsal, SpotPrice="0.0001")
    rehearsal.advance(1)
    assert stands(rehearsal, ident) == ("active", "fulfilled")
    spot(rehearsal, MaxPrice="0.0001")


def test_a_request_has_its_time(rehearsal: Rehearsal) -> None:
    now = rehearsal.jobs.now
    later = ask(rehearsal, ValidFrom=now + 100, ValidUntil=now + 200)
    rehearsal.advance(10)
    assert stands(rehearsal, later) == ("open", "not-scheduled-yet")
    add_fault(rehearsal.cloud, Order(effect="capacity"))
    rehearsal.restart()
    rehearsal.advance(95)
    assert stands(rehearsal, later) == ("open", "capacity-not-available")
    rehearsal.advance(100)
    assert stands(rehearsal, later) == ("cancelled", "schedule-expired")


def test_what_cannot_be_launched_fails(rehearsal: Rehearsal, ec2: Any) -> None:
    answer = ec2.request_spot_instances(
        LaunchSpecification={
            "ImageId": image(rehearsal),
            "InstanceType": "t3.micro",
            "SecurityGroupIds": ["sg-0123456789abcdef0"],
        }
    )
    ident = answer["SpotInstanceRequests"][0]["SpotInstanceRequestId"]
    rehearsal.advance(1)
    assert stands(rehearsal, ident) == ("failed", "bad-parameters")
    assert request(rehearsal, ident)["Fault"]["Code"] == "InvalidGroup.NotFound"


def test_a_cancelled_request_lets_its_instance_run(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = ask(rehearsal, Type="persistent")
    rehearsal.advance(2)
    instance = request(rehearsal, ident)["InstanceId"]
    [answer] = ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=[ident])[
        "CancelledSpotInstanceRequests"
    ]
    assert answer == {"SpotInstanceRequestId": ident, "State": "cancelled"}
    assert stands(rehearsal, ident) == ("cancelled", "request-canceled-and-instance-running")
    rehearsal.advance(4000)
    assert state(rehearsal, instance) == "running"
    ec2.terminate_instances(InstanceIds=[instance])
    rehearsal.advance(10)
    assert stands(rehearsal, ident) == ("cancelled", "instance-terminated-by-user")
    assert rehearsal.tier.machines == {}


def test_a_request_that_is_over_is_forgotten_in_the_end(rehearsal: Rehearsal, ec2: Any) -> None:
    instance = spot(rehearsal)
    ident = describe(rehearsal, instance)["SpotInstanceRequestId"]
    ec2.terminate_instances(InstanceIds=[instance])
    rehearsal.advance(1000)
    assert stands(rehearsal, ident) == ("closed", "instance-terminated-by-user")
    rehearsal.restart()
    rehearsal.advance(10000)
    assert ec2.describe_spot_instance_requests()["SpotInstanceRequests"] == []


def test_one_token_makes_its_requests_once(rehearsal: Rehearsal, ec2: Any) -> None:
    first = ask(rehearsal, ClientToken="t", InstanceCount=2)
    rehearsal.restart()
    assert ask(rehearsal, ClientToken="t", InstanceCount=2) == first
    rehearsal.advance(2)
    assert len(rehearsal.tier.machines) == 2
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        ask(rehearsal, ClientToken="t", InstanceCount=3)


def test_filters_and_pages(rehearsal: Rehearsal, ec2: Any) -> None:
    tags = [{"ResourceType": "spot-instances-request", "Tags": [{"Key": "a", "Value": "b"}]}]
    mine = ask(rehearsal, TagSpecifications=tags)
    ask(rehearsal, InstanceCount=6, Type="persistent")
    rehearsal.advance(2)

    def idents(**filters: list[str]) -> list[str]:
        wanted = [
            {"Name": name.replace("_", "-").replace("--", "."), "Values": values}
            for name, values in filters.items()
        ]
        answer = ec2.describe_spot_instance_requests(Filters=wanted)
        return [one["SpotInstanceRequestId"] for one in answer["SpotInstanceRequests"]]

    assert idents(type=["one-time"]) == [mine]
    assert len(idents(state=["active"], launch__instance_type=["t3.*"])) == 7
    found = ec2.describe_spot_instance_requests(Filters=[{"Name": "tag:a", "Values": ["b"]}])
    assert [one["SpotInstanceRequestId"] for one in found["SpotInstanceRequests"]] == [mine]
    pages = ec2.get_paginator("describe_spot_instance_requests").paginate(
        PaginationConfig={"PageSize": 5}
    )
    assert [len(one["SpotInstanceRequests"]) for one in pages] == [5, 2]


def test_the_waiter_waits(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = ask(rehearsal)
    rehearsal.advance(2)
    ec2.get_waiter("spot_instance_request_fulfilled").wait(
        SpotInstanceRequestIds=[ident], WaiterConfig={"MaxAttempts": 1}
    )


# ---------------------------------------------------------------- market options


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"SpotInstanceType": "persistent"}, "InvalidParameterCombination"),
        ({"InstanceInterruptionBehavior": "stop"}, "InvalidParameterCombination"),
        ({"ValidUntil": 2_000_000_000}, "InvalidParameterCombination"),
        ({"MaxPrice": "cheap"}, "InvalidParameterValue"),
        ({"MaxPrice": "-1"}, "InvalidParameterValue"),
        ({"MaxPrice": "0.0001"}, "SpotMaxPriceTooLow"),
        ({"BlockDurationMinutes": 60}, "Unsupported"),
    ],
)
def test_bad_market_options(
    rehearsal: Rehearsal, ec2: Any, options: dict[str, Any], code: str
) -> None:
    assert (
        refusal(
            ec2.run_instances,
            ImageId=image(rehearsal),
            InstanceType=PRICED,
            MinCount=1,
            MaxCount=1,
            InstanceMarketOptions={"MarketType": "spot", "SpotOptions": options},
        )
        == code
    )
    assert ec2.describe_instances()["Reservations"] == []
    assert rehearsal.tier.addresses == {}


def test_several_spot_instances_have_a_request_each(rehearsal: Rehearsal, ec2: Any) -> None:
    tags = [
        {"ResourceType": kind, "Tags": [{"Key": "of", "Value": kind}]}
        for kind in ("instance", "spot-instances-request")
    ]
    run(rehearsal, count=3, InstanceMarketOptions={"MarketType": "spot"}, TagSpecifications=tags)
    found = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
    assert len({one["InstanceId"] for one in found}) == 3
    assert {one["Tags"][0]["Value"] for one in found} == {"spot-instances-request"}


# ---------------------------------------------------------------- stop and start


def test_a_persistent_one_stops_and_starts(rehearsal: Rehearsal, ec2: Any) -> None:
    instance = spot(rehearsal, **STOPPABLE)
    ident = describe(rehearsal, instance)["SpotInstanceRequestId"]
    ec2.stop_instances(InstanceIds=[instance])
    assert stands(rehearsal, ident) == ("active", "marked-for-stop")
    rehearsal.restart()
    rehearsal.advance(5)
    assert stands(rehearsal, ident) == ("disabled", "instance-stopped-by-user")
    assert state(rehearsal, instance) == "stopped"
    rehearsal.advance(100)
    assert state(rehearsal, instance) == "stopped"
    ec2.start_instances(InstanceIds=[instance])
    rehearsal.advance(1)
    assert stands(rehearsal, ident) == ("active", "fulfilled")
    assert state(rehearsal, instance) == "running"


def test_without_its_request_it_neither_stops_nor_starts(rehearsal: Rehearsal, ec2: Any) -> None:
    first, second = (spot(rehearsal, **STOPPABLE) for _ in range(2))
    ec2.stop_instances(InstanceIds=[second])
    rehearsal.advance(1)
    idents = [describe(rehearsal, one)["SpotInstanceRequestId"] for one in (first, second)]
    ec2.cancel_spot_instance_requests(SpotInstanceRequestIds=idents)
    assert refusal(ec2.stop_instances, InstanceIds=[first]) == "IncorrectSpotRequestState"
    assert refusal(ec2.start_instances, InstanceIds=[second]) == "IncorrectSpotRequestState"


def test_a_one_time_one_ends_when_it_is_shut_down_inside(rehearsal: Rehearsal) -> None:
    from runctl.localcloud.services.ec2.instances.watching import watch  # noqa: PLC0415

    watch(rehearsal.cloud)
    instance = spot(rehearsal)
    rehearsal.tier.lose(instance, "poweroff")
    rehearsal.advance(1)
    assert state(rehearsal, instance) == "terminated"
    assert request_of(rehearsal, instance)["State"] == "closed"


# ---------------------------------------------------------------- interruptions


@pytest.mark.parametrize(("cause", "code"), [("no-capacity",) * 2, ("by-price",) * 2])
def test_an_interruption_ends_the_request_too(rehearsal: Rehearsal, cause: Any, code: str) -> None:
    instance = spot(rehearsal)
    ident = describe(rehearsal, instance)["SpotInstanceRequestId"]
    told = interrupt(rehearsal.cloud, REGION, instance, notice_s=120, cause=cause)
    assert told["_SpotAction"] == {"action": "terminate", "time": rehearsal.jobs.now + 120}
    assert stands(rehearsal, ident) == ("active", "marked-for-termination")
    rehearsal.advance(119)
    assert state(rehearsal, instance) == "running"
    rehearsal.advance(2)
    found = describe(rehearsal, instance)
    assert found["State"]["Name"] == "terminated"
    assert found["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    assert found["StateTransitionReason"].startswith("Server.SpotInstanceTermination")
    assert stands(rehearsal, ident) == ("closed", f"instance-terminated-{code}")


def test_a_dead_cloud_does_not_put_the_end_off(rehearsal: Rehearsal) -> None:
    instance = spot(rehearsal)
    interrupt(rehearsal.cloud, REGION, instance, notice_s=120)
    rehearsal.cloud.jobs.close()
    rehearsal.advance(500)  # nobody is there
    rehearsal.restart()
    rehearsal.advance(1)
    assert state(rehearsal, instance) == "terminated"


def test_a_second_interruption_does_not_put_off_the_first(rehearsal: Rehearsal) -> None:
    instance = spot(rehearsal)
    interrupt(rehearsal.cloud, REGION, instance, notice_s=10)
    interrupt(rehearsal.cloud, REGION, instance, notice_s=120)
    rehearsal.advance(11)
    assert state(rehearsal, instance) == "terminated"


def test_an_interruption_of_a_pending_one_waits_for_it(rehearsal: Rehearsal) -> None:
    [instance] = run(rehearsal, InstanceMarketOptions={"MarketType": "spot"})
    interrupt(rehearsal.cloud, REGION, instance, notice_s=0)
    rehearsal.advance(5)
    assert state(rehearsal, instance) == "terminated"


def test_what_is_no_spot_instance_is_not_interrupted(rehearsal: Rehearsal) -> None:
    [instance] = run(rehearsal)
    with pytest.raises(AwsError, match="UnsupportedOperation"):
        interrupt(rehearsal.cloud, REGION, instance)
    with pytest.raises(AwsError, match="NotFound"):
        recommend_rebalance(rehearsal.cloud, REGION, "i-0123456789abcdef0")


def test_a_recommendation_ends_nothing(rehearsal: Rehearsal) -> None:
    instance = spot(rehearsal)
    recommend_rebalance(rehearsal.cloud, REGION, instance)
    rehearsal.advance(1000)
    assert state(rehearsal, instance) == "running"


@pytest.mark.parametrize("at", [0.0, 1.05, 1.4, 2.5, 4.0])
def test_a_persistent_request_launches_again(rehearsal: Rehearsal, at: float) -> None:
    ident = ask(rehearsal, Type="persistent")
    rehearsal.advance(2)
    first = request(rehearsal, ident)["InstanceId"]
    interrupt(rehearsal.cloud, REGION, first, notice_s=1)
    rehearsal.advance(at)
    rehearsal.restart()
    rehearsal.advance(10)
    second = request(rehearsal, ident)["InstanceId"]
    assert second != first
    assert stands(rehearsal, ident) == ("active", "fulfilled")
    assert list(rehearsal.tier.machines) == [second]


def test_between_two_instances_a_persistent_request_says_why(rehearsal: Rehearsal) -> None:
    ident = ask(rehearsal, Type="persistent")
    rehearsal.advance(2)
    interrupt(rehearsal.cloud, REGION, request(rehearsal, ident)["InstanceId"], notice_s=1)
    rehearsal.advance(2)
    assert stands(rehearsal, ident) == ("open", "instance-terminated-no-capacity")
    assert "InstanceId" not in request(rehearsal, ident)


def test_a_persistent_request_replaces_what_its_user_ends(rehearsal: Rehearsal, ec2: Any) -> None:
    ident = ask(rehearsal, Type="persistent")
    rehearsal.advance(2)
    first = request(rehearsal, ident)["InstanceId"]
    ec2.terminate_instances(InstanceIds=[first])
    rehearsal.advance(1)
    assert stands(rehearsal, ident) == ("open", "pending-evaluation")
    rehearsal.advance(5)
    assert request(rehearsal, ident)["InstanceId"] != first


@pytest.mark.parametrize("at", [0.0, 1.05, 1.6, 3.05])
def test_an_instance_that_was_stopped_is_started_again(rehearsal: Rehearsal, at: float) -> None:
    instance = spot(rehearsal, **STOPPABLE)
    ident = describe(rehearsal, instance)["SpotInstanceRequestId"]
    told = interrupt(rehearsal.cloud, REGION, instance, notice_s=1)
    assert told["_SpotAction"]["action"] == "stop"
    assert stands(rehearsal, ident) == ("active", "marked-for-stop")
    rehearsal.advance(at)
    rehearsal.restart()
    rehearsal.advance(10)
    assert state(rehearsal, instance) == "running"
    assert stands(rehearsal, ident) == ("active", "fulfilled")
    rehearsal.advance(100)  # the notice is over, too
    assert state(rehearsal, instance) == "running"


def test_it_stays_stopped_while_there_is_no_capacity(rehearsal: Rehearsal, ec2: Any) -> None:
    instance = spot(rehearsal, **STOPPABLE)
    ident = describe(rehearsal, instance)["SpotInstanceRequestId"]
    add_fault(rehearsal.cloud, Order(effect="capacity", market="spot"))
    interrupt(rehearsal.cloud, REGION, instance, notice_s=0)
    rehearsal.advance(60)
    assert stands(rehearsal, ident) == ("disabled", "instance-stopped-no-capacity")
    found = describe(rehearsal, instance)
    assert found["StateReason"]["Code"] == "Server.SpotInstanceShutdown"
    assert refusal(ec2.start_instances, InstanceIds=[instance]) == "IncorrectSpotRequestState"
    clear_faults(rehearsal.cloud)
    rehearsal.advance(5)
    assert state(rehearsal, instance) == "running"


def test_a_launch_by_template_is_launched_again_by_it(rehearsal: Rehearsal, ec2: Any) -> None:
    ec2.create_launch_template(
        LaunchTemplateName="template",
        LaunchTemplateData={
            "ImageId": image(rehearsal),
            "InstanceType": "t3.micro",
            "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": STOPPABLE},
        },
    )
    made = ec2.run_instances(
        MinCount=1, MaxCount=1, LaunchTemplate={"LaunchTemplateName": "template"}
    )["Instances"][0]
    rehearsal.advance(1)
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
    rehearsal.advance(5)
    found = request(rehearsal, made["SpotInstanceRequestId"])
    assert found["InstanceId"] != made["InstanceId"]
    again = describe(rehearsal, found["InstanceId"])
    assert again["InstanceType"] == "t3.micro"
    assert "aws:ec2launchtemplate:id" in {tag["Key"] for tag in again["Tags"]}


def test_the_datafeed_does_not_exist(ec2: Any) -> None:
    assert refusal(ec2.describe_spot_datafeed_subscription) == "InvalidSpotDatafeed.NotFound"
