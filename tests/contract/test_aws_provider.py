"""EC2 as a provider, held to the contract on the local cloud; AWS is looked at with boto3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from runctl.errors import (
    CapacityError,
    ConflictError,
    NotFoundError,
    RefusedError,
    TransportError,
    UsageError,
)
from runctl.model.instance import GONE, Instance, InstanceState
from runctl.model.wish import InstanceWish
from runctl.providers.api import Provider, Surroundings
from runctl.providers.aws.provider import AwsProvider
from runctl.testing.providers import PowerContract, VolumesContract
from runctl.transports.instances import Ways
from runctl.transports.ssh import SshTransport
from tests.cloud_instances import Rig
from tests.fidelity.world import wait_until
from tests.localcloud.process import CloudProcess

pytestmark = pytest.mark.slow
OWNER = "usr-0123456789abcdef"
SMALL = InstanceWish(types=("t3.micro",), project="digits", name="one")


@pytest.fixture(scope="module")
def rig(local_cloud: CloudProcess) -> Iterator[Rig]:
    made = Rig(local_cloud)
    yield made
    assert made.world.end() == []


def _provider(rig: Rig, owner: str = OWNER) -> AwsProvider:
    def ways() -> Ways:
        return rig.ways(rig.cloud.folder / "of-test")

    return AwsProvider(Surroundings(lambda: rig.account, lambda: owner, ways))


class TestAwsProvider(PowerContract, VolumesContract):
    @pytest.fixture(autouse=True)
    def _rig(self, rig: Rig) -> None:
        self.rig = rig

    def make_provider(self) -> Provider:
        return _provider(self.rig)

    def foreign_instance(self, provider: Provider) -> str:
        return self.rig.world.instance

    def wish(self) -> InstanceWish:
        return SMALL


def test_an_instance_that_has_a_key_pair_alone_is_reached_over_ssh(
    rig: Rig, tmp_path: Path
) -> None:
    with rig.ssh_target(tmp_path) as target:
        ident = target.options[0].partition("=")[2]
        around = Surroundings(lambda: rig.account, lambda: OWNER, lambda: rig.ways(tmp_path))
        transport = AwsProvider(around).connect(ident)
        assert isinstance(transport, SshTransport)
        assert transport.target.known_hosts == target.known_hosts
        assert SshTransport(target).exec(["id", "-un"]).stdout == b"ec2-user\n"


@pytest.fixture
def rented(rig: Rig) -> Iterator[list[str]]:
    """Ids of instances that the test has made; they are ended with it."""
    made: list[str] = []
    yield made
    if made:
        rig.world.client("ec2").terminate_instances(InstanceIds=made)


def _rent(rig: Rig, rented: list[str], wish: InstanceWish, token: str) -> Instance:
    provider = _provider(rig)
    instance = provider.create(provider.offers(wish)[0], wish, token)
    rented.append(instance.instance_id)
    return instance


def _described(rig: Rig, ident: str) -> dict[str, Any]:
    told = rig.world.client("ec2").describe_instances(InstanceIds=[ident])
    found: dict[str, Any] = told["Reservations"][0]["Instances"][0]
    return found


def test_an_instance_is_safe_and_tagged_from_its_first_moment(rig: Rig, rented: list[str]) -> None:
    instance = _rent(rig, rented, SMALL, "token-1")
    ec2 = rig.world.client("ec2")
    waiter = ec2.get_waiter("instance_running")
    waiter.wait(InstanceIds=rented, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    told = _described(rig, instance.instance_id)
    assert told["MetadataOptions"]["HttpTokens"] == "required"
    assert told["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    [volume] = ec2.describe_volumes(
        VolumeIds=[one["Ebs"]["VolumeId"] for one in told["BlockDeviceMappings"]]
    )["Volumes"]
    assert volume["Encrypted"]
    assert told["BlockDeviceMappings"][0]["DeviceName"] == told["RootDeviceName"]
    for tagged in (told, volume):
        tags = {tag["Key"]: tag["Value"] for tag in tagged["Tags"]}
        assert tags["runctl:owner"] == OWNER
        assert (tags["runctl:project"], tags["Name"]) == ("digits", "one")


def test_what_was_rented_is_described_as_wished(rig: Rig, rented: list[str]) -> None:
    wish = InstanceWish(types=("m7g.medium",), image="ubuntu", root_gib=20, zones=("us-east-1b",))
    instance = _rent(rig, rented, wish, "token-2")
    assert (instance.type, instance.place, instance.is_spot) == ("m7g.medium", "us-east-1b", False)
    image = rig.world.client("ec2").describe_images(ImageIds=[instance.image])["Images"][0]
    assert image["Architecture"] == "arm64"
    assert "ubuntu" in image["Name"]
    assert instance.state is InstanceState.PENDING
    assert instance.is_ours


def test_a_spot_request_is_for_one_time_and_tagged(rig: Rig, rented: list[str]) -> None:
    wish = InstanceWish(types=("g5.xlarge",), is_spot=True, spot_max_price=Decimal("2.5"))
    instance = _rent(rig, rented, wish, "token-3")
    assert instance.is_spot
    [request] = rig.world.client("ec2").describe_spot_instance_requests(
        Filters=[{"Name": "instance-id", "Values": [instance.instance_id]}]
    )["SpotInstanceRequests"]
    assert (request["Type"], request["InstanceInterruptionBehavior"]) == ("one-time", "terminate")
    assert Decimal(request["SpotPrice"]) == Decimal("2.5")
    assert {"Key": "runctl:owner", "Value": OWNER} in request["Tags"]


def test_prices_are_known_or_said_to_be_unknown(rig: Rig) -> None:
    provider = _provider(rig)
    wish = InstanceWish(types=("g5.xlarge", "t3.nano"), is_spot=True)
    offers = provider.offers(wish)
    assert {offer.type for offer in offers if offer.usd_per_hour is None} == {"t3.nano"}
    dear = provider.offers(InstanceWish(types=("g5.xlarge",)))
    assert all(offer.usd_per_hour and offer.usd_per_hour > 1 for offer in dear)
    assert dear[0].gpus == ("A10G",)
    assert len({offer.place for offer in dear}) == len(dear)


def test_a_subnet_confines_the_offers_to_its_zone(rig: Rig, rented: list[str]) -> None:
    subnets = rig.world.client("ec2").describe_subnets()["Subnets"]
    chosen = max(subnets, key=lambda one: str(one["AvailabilityZone"]))
    zone, subnet = str(chosen["AvailabilityZone"]), str(chosen["SubnetId"])
    wish = InstanceWish(types=("t3.micro",), subnet=subnet)
    assert [offer.place for offer in _provider(rig).offers(wish)] == [zone]
    instance = _rent(rig, rented, wish, "token-9")
    assert _described(rig, instance.instance_id)["SubnetId"] == subnet
    elsewhere = next(str(one["AvailabilityZone"]) for one in subnets if one != chosen)
    with pytest.raises(NotFoundError, match=f"{elsewhere} within the subnet {subnet}"):
        _provider(rig).offers(InstanceWish(types=("t3.micro",), subnet=subnet, zones=(elsewhere,)))


def test_one_token_rents_one_whatever_else_is_offered(rig: Rig, rented: list[str]) -> None:
    provider, wish = _provider(rig), InstanceWish(types=("t3.micro", "t3.small"))
    offers = provider.offers(wish)
    first = provider.create(offers[0], wish, "token-4")
    rented.append(first.instance_id)
    assert provider.create(offers[-1], wish, "token-4").instance_id == first.instance_id


def test_a_price_that_has_moved_rents_no_second_one(rig: Rig, rented: list[str]) -> None:
    provider, offer = _provider(rig), _provider(rig).offers(SMALL)[0]
    with _fault(rig, effect="hide", delay_s=2.0):
        first = provider.create(offer, SMALL, "token-moved")
        rented.append(first.instance_id)
        moved = msgspec.structs.replace(offer, usd_per_hour=Decimal("0.02"))
        assert provider.create(moved, SMALL, "token-moved").instance_id == first.instance_id


def test_a_denied_price_list_makes_prices_unknown(rig: Rig) -> None:
    with _fault(rig, effect="deny", service="pricing"):
        offers = _provider(rig).offers(SMALL)
    assert {offer.usd_per_hour for offer in offers} == {None}
    assert all("price of t3.micro cannot be told" in (offer.note or "") for offer in offers)
    assert {offer.note for offer in _provider(rig).offers(SMALL)} == {None}


def test_types_are_found_by_what_they_have(rig: Rig) -> None:
    provider = _provider(rig)
    wish = InstanceWish(gpu="l4", gpu_count=1, cpus=8, is_spot=True, zones=("us-east-1a",))
    offers = provider.offers(wish)
    assert all(offer.gpus[0] == "L4" and offer.cpus >= 8 for offer in offers)
    assert len({offer.type for offer in offers}) == len(offers) <= 10
    first = offers[0]
    assert first.usd_per_hour is not None
    assert first.on_demand_usd_per_hour is not None
    assert first.usd_per_hour < first.on_demand_usd_per_hour
    general = provider.offers(InstanceWish(cpus=4, memory_gib=16))
    assert not any(offer.gpus for offer in general)
    assert {offer.cpus for offer in general[:3]} == {4}
    with pytest.raises(NotFoundError, match="with 1 Voodoo"):
        provider.offers(InstanceWish(gpu="Voodoo"))
    with pytest.raises(NotFoundError, match="no such instance type"):
        provider.offers(InstanceWish(types=("t3.huge",)))


def test_a_quota_says_its_name_and_how_to_raise_it(rig: Rig) -> None:
    provider, wish = _provider(rig), InstanceWish(types=("g5.xlarge",))
    rig.cloud.control("PUT", "quotas", {"code": "L-DB2E81BA", "value": 2})
    try:
        with pytest.raises(CapacityError, match="quota of virtual processors is 2") as caught:
            provider.create(provider.offers(wish)[0], wish, "token-quota")
    finally:
        rig.cloud.control("PUT", "quotas", {"code": "L-DB2E81BA", "value": 256})
    assert "G and VT instances" in caught.value.message
    assert "--quota-code L-DB2E81BA --desired-value 6" in (caught.value.hint or "")


def test_readiness_takes_one_command(rig: Rig) -> None:
    cursor = rig.cloud.control("GET", "events")["cursor"]
    assert _provider(rig).silence_of(rig.world.instance) is None
    told = rig.cloud.control("GET", f"events?cursor={cursor}")["events"]
    assert [one.get("operation") for one in told].count("SendCommand") == 1


@contextmanager
def _fault(rig: Rig, **order: object) -> Iterator[None]:
    rig.cloud.control("POST", "faults", order)
    try:
        yield
    finally:
        rig.cloud.control("POST", "faults/clear", {})


def test_what_another_owner_has_tagged_is_not_ours(rig: Rig, rented: list[str]) -> None:
    ident = _rent(rig, rented, SMALL, "token-5").instance_id
    other = _provider(rig, "usr-fedcba9876543210")
    assert ident not in [one.instance_id for one in other.find()]
    with pytest.raises(RefusedError, match="not ours to change or to end"):
        other.terminate(ident)
    assert _described(rig, ident)["State"]["Name"] in ("pending", "running")
    _provider(rig).terminate(ident)
    assert _provider(rig).describe(ident).state in GONE


def test_a_token_of_another_owner_adopts_nothing(rig: Rig, rented: list[str]) -> None:
    theirs = _rent(rig, rented, SMALL, "token-8")
    other = _provider(rig, "usr-fedcba9876543210")
    made = other.create(other.offers(SMALL)[0], SMALL, "token-8")
    rented.append(made.instance_id)
    assert made.is_ours
    assert made.instance_id != theirs.instance_id


def test_what_cannot_be_rented_says_why(rig: Rig) -> None:
    provider = _provider(rig)
    with pytest.raises(UsageError, match="no instance type"):
        provider.offers(InstanceWish())
    with pytest.raises(NotFoundError, match="cannot be had in us-east-1z"):
        provider.offers(InstanceWish(types=("t3.micro",), zones=("us-east-1z",)))
    wish = InstanceWish(types=("t3.micro",), image="windows")
    with pytest.raises(UsageError, match="no image 'windows'"):
        provider.create(provider.offers(wish)[0], wish, "token-6")
    with (
        _fault(rig, effect="capacity", instance_type="t3.micro"),
        pytest.raises(CapacityError, match=r"t3\.micro could not be rented in us-east-1"),
    ):
        provider.create(provider.offers(SMALL)[0], SMALL, "token-7")


def _up(rig: Rig, ident: str) -> None:
    waiter = rig.world.client("ec2").get_waiter("instance_running")
    waiter.wait(InstanceIds=[ident], WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def test_a_spot_instance_of_one_time_is_not_stopped(rig: Rig, rented: list[str]) -> None:
    wish = InstanceWish(types=("t3.micro",), is_spot=True)
    ident = _rent(rig, rented, wish, "token-10").instance_id
    _up(rig, ident)
    with pytest.raises(ConflictError, match="spot market, for one time") as caught:
        _provider(rig).stop(ident)
    assert caught.value.hint == f"runctl aws terminate {ident}"
    assert _described(rig, ident)["State"]["Name"] == "running"


@pytest.mark.parametrize(
    ("attribute", "verb"), [("DisableApiTermination", "terminate"), ("DisableApiStop", "stop")]
)
def test_what_protects_an_instance_is_said(
    rig: Rig, rented: list[str], attribute: str, verb: str
) -> None:
    ident = _rent(rig, rented, SMALL, f"token-{verb}").instance_id
    _up(rig, ident)
    ec2 = rig.world.client("ec2")
    ec2.modify_instance_attribute(InstanceId=ident, **{attribute: {"Value": True}})
    try:
        with pytest.raises(ConflictError, match=f"{ident} is protected") as caught:
            getattr(_provider(rig), verb)(ident)
        assert f"--instance-id {ident} --no-disable-api-{verb[:4]}" in str(caught.value.hint)
        assert _described(rig, ident)["State"]["Name"] == "running"
    finally:
        ec2.modify_instance_attribute(InstanceId=ident, **{attribute: {"Value": False}})
    getattr(_provider(rig), verb)(ident)


def test_one_that_is_named_as_foreign_is_ended(rig: Rig, rented: list[str]) -> None:
    ident = _rent(rig, rented, SMALL, "token-quota").instance_id
    _provider(rig, "usr-fedcba9876543210").terminate(ident, is_foreign=True)
    assert _described(rig, ident)["State"]["Name"] in ("shutting-down", "terminated")


def test_volumes_tell_what_stays_and_what_it_costs(rig: Rig, rented: list[str]) -> None:
    ident = _rent(rig, rented, SMALL, "token-12").instance_id
    _up(rig, ident)
    ec2, provider = rig.world.client("ec2"), _provider(rig)
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "runctl:owner", "Value": OWNER}]}]
    zone = _described(rig, ident)["Placement"]["AvailabilityZone"]
    made = ec2.create_volume(
        AvailabilityZone=zone, Size=100, VolumeType="gp3", Iops=4000, TagSpecifications=tags
    )["VolumeId"]
    try:
        ec2.get_waiter("volume_available").wait(VolumeIds=[made], WaiterConfig={"Delay": 1})
        [spare] = provider.spare_volumes()
        # 100 GiB at $0.08, and 1,000 IOPS above those that are free at $0.005
        assert (spare.volume_id, spare.gib, spare.usd_per_month) == (made, 100, Decimal(13))
        ec2.attach_volume(VolumeId=made, InstanceId=ident, Device="/dev/sdf")
        found = {one.volume_id: one for one in provider.volumes(ident)}
        assert found.pop(made).is_kept
        [root] = found.values()
        assert not root.is_kept
        assert provider.spare_volumes() == []
    finally:
        provider.terminate(ident)
        ec2.get_waiter("instance_terminated").wait(InstanceIds=[ident], WaiterConfig={"Delay": 1})
        ec2.delete_volume(VolumeId=made)


def test_pinned_host_keys_stay_valid_when_an_instance_starts_again(
    rig: Rig, tmp_path: Path
) -> None:
    with rig.ssh_target(tmp_path) as target:
        ident, provider = target.options[0].partition("=")[2], _provider(rig)
        provider.stop(ident, is_foreign=True)
        ec2, paces = rig.world.client("ec2"), {"Delay": 1, "MaxAttempts": 60}
        ec2.get_waiter("instance_stopped").wait(InstanceIds=[ident], WaiterConfig=paces)
        pinned = target.known_hosts.read_text()
        provider.start(ident, is_foreign=True)
        _up(rig, ident)
        found = rig.ways(tmp_path, "ssh").reach(ident)
        assert isinstance(found, SshTransport)
        again = replace(target, host=found.target.host)  # it may be another address
        wait_until(lambda: _answers(SshTransport(again)), "it never answered again")
        assert target.known_hosts.read_text() == pinned


def _answers(transport: SshTransport) -> bool:
    try:
        return transport.exec(["id", "-un"]).stdout == b"ec2-user\n"
    except TransportError:
        return False
