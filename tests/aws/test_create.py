"""``runctl aws create``: the installed command, the local cloud, a look behind with boto3."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.aws.bucketscene import BucketScene
from tests.cloud_instances import Rig
from tests.localcloud.process import CloudProcess
from tests.scene import RUNCTL

pytestmark = pytest.mark.slow
PATIENCE_S = 120.0
KILLS = 8
LATEST_S = 2.5
"""Most of what is not killed has ended by then, unless it waits."""
LIVING = ["pending", "running", "stopping", "stopped"]


@pytest.fixture(scope="module")
def rig(local_cloud: CloudProcess) -> Iterator[Rig]:
    made = Rig(local_cloud)
    assert made.world.instance  # made first: until it is, EC2 may not know its profile yet
    yield made
    assert made.world.end() == []


class Renter:
    """A user who rents: what was rented is looked at with boto3, and ended with the test."""

    def __init__(self, rig: Rig, scene: BucketScene) -> None:
        self.rig, self.scene, self.ec2 = rig, scene, rig.world.client("ec2")
        self.owner = json.loads(scene.type("init", "--output", "json").stdout)["owner"]

    def type(self, *words: str, has_profile: bool = True) -> Any:
        return self.scene.type(*self.words(*words, has_profile=has_profile), timeout_s=PATIENCE_S)

    def words(self, *words: str, has_profile: bool = True) -> tuple[str, ...]:
        profile = ("--iam-instance-profile", self.rig.world.profile) if has_profile else ()
        return ("aws", "create", *words, *profile, "--yes")

    def create(self, *words: str) -> dict[str, Any]:
        """Create one; return what EC2 says of it."""
        done = self.type(*words, "-o", "id")
        assert done.returncode == 0, done.stderr.decode()
        return self.describe(done.stdout.decode().strip())

    def describe(self, ident: str) -> dict[str, Any]:
        told = self.ec2.describe_instances(InstanceIds=[ident])
        found: dict[str, Any] = told["Reservations"][0]["Instances"][0]
        return found

    def living(self, name: str | None = None) -> list[dict[str, Any]]:
        filters = [
            {"Name": "tag:runctl:owner", "Values": [self.owner]},
            {"Name": "instance-state-name", "Values": LIVING},
        ]
        if name is not None:
            filters.append({"Name": "tag:Name", "Values": [name]})
        told = self.ec2.describe_instances(Filters=filters)["Reservations"]
        return [one for group in told for one in group["Instances"]]

    def intents(self) -> list[str]:
        folder = self.scene.home / ".config" / "runctl" / "intents"
        return sorted(path.name for path in folder.glob("*")) if folder.exists() else []

    @contextmanager
    def fault(self, **order: object) -> Iterator[str]:
        made = self.rig.cloud.control("POST", "faults", order)
        try:
            yield str(made["id"])
        finally:
            self.rig.cloud.control("POST", "faults/clear", {})

    def end(self) -> None:
        found = [one["InstanceId"] for one in self.living()]
        if found:
            self.ec2.terminate_instances(InstanceIds=found)


@pytest.fixture
def renter(rig: Rig, in_s3: BucketScene) -> Iterator[Renter]:
    made = Renter(rig, in_s3)
    yield made
    made.end()


def _tags(thing: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing["Tags"]}


# -- what is launched


def test_it_is_launched_as_it_was_asked_for(renter: Renter) -> None:
    told = renter.create(
        "t3.small", "--name", "one", "--project", "digits", "--root-volume-size", "20G",
        "--zone", "us-east-1b",
    )  # fmt: skip
    assert told["InstanceType"] == "t3.small"
    assert told["Placement"]["AvailabilityZone"] == "us-east-1b"
    assert told["IamInstanceProfile"]["Arn"].endswith(f"/{renter.rig.world.profile}")
    assert told["MetadataOptions"]["HttpTokens"] == "required"
    assert told["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    tags = _tags(told)
    assert tags["runctl:owner"] == renter.owner
    assert (tags["Name"], tags["runctl:project"]) == ("one", "digits")
    assert tags["runctl:usd-per-hour"] == "0.0208"
    [disk] = renter.ec2.describe_volumes(
        Filters=[{"Name": "attachment.instance-id", "Values": [told["InstanceId"]]}]
    )["Volumes"]
    assert (disk["Encrypted"], disk["Size"], disk["VolumeType"]) == (True, 20, "gp3")
    assert disk["Attachments"][0]["Device"] == told["RootDeviceName"]
    assert _tags(disk)["runctl:owner"] == renter.owner
    assert renter.intents() == []


def test_the_settings_say_what_the_command_line_does_not(renter: Renter) -> None:
    here = [{"Name": "availability-zone", "Values": ["us-east-1a"]}]
    subnet = renter.ec2.describe_subnets(Filters=here)["Subnets"][0]["SubnetId"]
    group = renter.rig.world.name("group")
    made = renter.ec2.create_security_group(GroupName=group, Description="of a test")["GroupId"]
    pair = renter.rig.world.name("pair")
    renter.ec2.create_key_pair(KeyName=pair)
    try:
        renter.scene.write(
            ".runctl.toml",
            f'[aws]\ninstance_type = "t3.micro"\nsubnet = "{subnet}"\nami = "ubuntu"\n'
            f'security_groups = ["{group}"]\nkey_name = "{pair}"\n'
            f'instance_profile = "{renter.rig.world.profile}"\n',
        )
        done = renter.type("-o", "json", has_profile=False)
        assert done.returncode == 0, done.stderr
        told = renter.describe(json.loads(done.stdout)["instance_id"])
        assert (told["InstanceType"], told["SubnetId"]) == ("t3.micro", subnet)
        assert (told["KeyName"], told["SecurityGroups"][0]["GroupId"]) == (pair, made)
        image = renter.ec2.describe_images(ImageIds=[told["ImageId"]])["Images"][0]
        assert "ubuntu" in image["Name"]
        other = renter.create("t3.small", "--security-group", "default")
        assert (other["InstanceType"], other["SubnetId"]) == ("t3.small", subnet)
        assert other["SecurityGroups"][0]["GroupName"] == "default"
    finally:
        renter.end()
        renter.ec2.delete_key_pair(KeyName=pair)
        _delete_group(renter, made)


def _delete_group(renter: Renter, group: str) -> None:
    """Delete it once what bears it is gone."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            renter.ec2.delete_security_group(GroupId=group)
        except renter.ec2.exceptions.ClientError:
            assert time.monotonic() < deadline
            time.sleep(0.5)
        else:
            return


def test_what_set_up_has_made_is_used(renter: Renter) -> None:
    nothing = renter.type("t3.micro", has_profile=False)
    assert nothing.returncode == 3
    assert b"hint: runctl aws setup" in nothing.stderr
    assert renter.living() == []
    assert renter.scene.type("aws", "setup", "--yes", timeout_s=PATIENCE_S).returncode == 0
    try:
        done = renter.type("t3.micro", "-o", "id", has_profile=False)
        assert done.returncode == 0, done.stderr
        told = renter.describe(done.stdout.decode().strip())
        assert told["IamInstanceProfile"]["Arn"].endswith(f"/runctl-{renter.owner}")
        assert told["SecurityGroups"][0]["GroupName"] == f"runctl-{renter.owner}"
    finally:
        renter.end()
        renter.scene.type("aws", "teardown", "--yes", timeout_s=PATIENCE_S)


def test_spot_is_for_one_time_and_its_price_stands_beside_the_other(renter: Renter) -> None:
    done = renter.type("--gpu", "a10g", "--spot", "--spot-max-price", "2", "-o", "json")
    assert done.returncode == 0, done.stderr
    instance = json.loads(done.stdout)
    assert (instance["is_spot"], instance["type"]) == (True, "g5.xlarge")
    [request] = renter.ec2.describe_spot_instance_requests(
        Filters=[{"Name": "instance-id", "Values": [instance["instance_id"]]}]
    )["SpotInstanceRequests"]
    assert (request["Type"], float(request["SpotPrice"])) == ("one-time", 2.0)
    assert b"g5.xlarge (4 CPUs, 16GiB, 1 A10G) spot: $0." in done.stderr
    assert b"(on demand $1.006 an hour)" in done.stderr
    assert b"al2023 has no driver for GPUs" in done.stderr


def test_it_waits_until_a_command_is_answered(renter: Renter) -> None:
    cursor = renter.scene.cursor()
    done = renter.type("t3.micro", "--wait", "-o", "json")
    assert done.returncode == 0, done.stderr
    instance = json.loads(done.stdout)
    assert instance["state"] == "running"
    asked = [{"Key": "InstanceIds", "Values": [instance["instance_id"]]}]
    ssm = renter.rig.world.client("ssm")
    [found] = ssm.describe_instance_information(Filters=asked)["InstanceInformationList"]
    assert found["PingStatus"] == "Online"
    told = renter.rig.cloud.control("GET", f"events?cursor={cursor}")["events"]
    assert [one.get("operation") for one in told].count("SendCommand") == 1


def test_the_end_of_the_waiting_leaves_the_instance(renter: Renter) -> None:
    done = renter.type("t3.micro", "--wait", "--wait-timeout", "0s")
    assert done.returncode == 75, done.stderr
    [found] = renter.living()
    assert found["InstanceId"] in done.stderr.decode()
    assert renter.intents() == []


def test_a_dry_run_shows_all_and_rents_nothing(renter: Renter) -> None:
    done = renter.type("--cpus", "4", "--memory", "16", "--ttl", "8h", "--dry-run", "-o", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    prices = [float(one["usd_per_hour"]) for one in told["offers"] if one["usd_per_hour"]]
    assert prices == sorted(prices)
    assert all(one["cpus"] >= 4 and not one["gpus"] for one in told["offers"])
    assert told["wish"]["instance_profile"] == renter.rig.world.profile
    text = renter.type("t3.micro", "--ttl", "10h", "--dry-run").stdout.decode()
    assert "at most $0.10" in text
    assert "encrypted" in text
    assert renter.living() == []
    assert renter.intents() == []


def test_without_a_terminal_and_without_yes_nothing_is_rented(renter: Renter) -> None:
    words = renter.words("t3.micro")[:-1]
    done = renter.scene.type(*words)
    assert done.returncode == 11
    assert b"$0.0104 an hour, $0.25 a day" in done.stderr
    assert renter.living() == []


# -- where there is none


def test_where_one_zone_has_none_the_next_is_taken(renter: Renter) -> None:
    with renter.fault(effect="capacity", zone="us-east-1a", instance_type="t3.micro"):
        done = renter.type("t3.micro", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["place"] == "us-east-1b"
    assert b"t3.micro could not be rented in us-east-1a" in done.stderr


def test_where_no_zone_has_any_the_difference_is_named(renter: Renter) -> None:
    with renter.fault(effect="capacity", market="spot", instance_type="g5.xlarge"):
        done = renter.type("g5.xlarge", "--spot", "--zone", "us-east-1a,us-east-1b", "-o", "json")
    assert done.returncode == 7
    error = json.loads(done.stdout)["error"]
    assert "there is no g5.xlarge to be had in us-east-1a, us-east-1b (spot)" in error["message"]
    assert "on demand it is g5.xlarge at $1.006 an hour: $0." in error["message"]
    assert "--fallback on-demand" in error["hint"]
    assert renter.living() == []
    assert renter.intents() == []


def test_a_fallback_is_told_and_taken(renter: Renter) -> None:
    with renter.fault(effect="capacity", market="spot", instance_type="g5.xlarge"):
        done = renter.type("g5.xlarge", "--spot", "--fallback", "on-demand", "-o", "json")
        asked = renter.type("g5.xlarge", "--spot", "--fallback", "ask")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["is_spot"] is False
    assert b"an hour more; going on without spot" in done.stderr
    [found] = renter.living()
    assert "InstanceLifecycle" not in found
    assert asked.returncode == 7  # nobody can be asked


def test_a_quota_says_how_it_is_raised(renter: Renter) -> None:
    renter.rig.cloud.control("PUT", "quotas", {"code": "L-DB2E81BA", "value": 0})
    try:
        done = renter.type("g5.xlarge", "-o", "json")
    finally:
        renter.rig.cloud.control("PUT", "quotas", {"code": "L-DB2E81BA", "value": 256})
    assert done.returncode == 7
    error = json.loads(done.stdout)["error"]
    assert "Running On-Demand G and VT instances" in error["message"]
    assert "--quota-code L-DB2E81BA --desired-value 4 --region us-east-1" in error["hint"]
    assert renter.living() == []


def test_a_denied_price_list_is_a_note(renter: Renter) -> None:
    with renter.fault(effect="deny", service="pricing"):
        done = renter.type("t3.micro", "-o", "id")
        limited = renter.type("t3.micro", "--max-cost", "5")
    assert done.returncode == 0, done.stderr
    assert b"at an unknown price" in done.stderr
    assert "runctl:usd-per-hour" not in _tags(renter.describe(done.stdout.decode().strip()))
    assert limited.returncode == 11
    assert b"--max-cost cannot be kept" in limited.stderr
    assert len(renter.living()) == 1


# -- killed and typed again


def _start(renter: Renter, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [RUNCTL, *renter.words(*words, "-o", "id")],
        cwd=renter.scene.project,
        env=renter.scene.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _kill(process: subprocess.Popen[bytes]) -> bytes:
    """Kill it; return what it had told until then."""
    process.send_signal(signal.SIGKILL)
    return process.communicate()[0]


def test_killed_at_any_moment_and_typed_again_there_is_one(renter: Renter) -> None:
    moments = random.Random(4)
    for number in range(KILLS):
        words = ("t3.micro", "--name", f"killed-{number}", *(("--wait",) if number % 2 else ()))
        process = _start(renter, *words)
        time.sleep(moments.uniform(0.3, LATEST_S))
        told = _kill(process)
        done = renter.type(*words, "-o", "id")
        assert done.returncode == 0, done.stderr
        found = [one["InstanceId"] for one in renter.living(f"killed-{number}")]
        assert done.stdout.decode().strip() in found
        # Who was told of the first and types the same again means a second one.
        assert len(found) == 1 or (told and len(found) == 2), done.stderr
    assert renter.intents() == []


def test_killed_after_the_launch_it_is_found_again(renter: Renter) -> None:
    for number in range(3):
        words = ("t3.micro", "--wait", "--name", f"launched-{number}")
        process = _start(renter, *words)
        _await(lambda name=words[-1]: renter.living(name))  # type: ignore[misc]
        assert _kill(process) == b""
        assert len(renter.intents()) == 1
        [made] = renter.living(words[-1])
        done = renter.type(*words, "-o", "id")
        assert done.stdout.decode().strip() == made["InstanceId"], done.stderr
        assert b"taking up what was typed before" in done.stderr
        assert len(renter.living(words[-1])) == 1
    assert renter.intents() == []


def test_killed_while_the_launch_is_on_its_way_there_is_one(renter: Renter) -> None:
    words = ("t3.micro", "--name", "on-its-way")
    with renter.fault(effect="delay", operation="RunInstances", delay_s=2.0, count=1):
        process = _start(renter, *words)
        _await(renter.intents)
        time.sleep(0.5)  # the launch is asked for right after it was written down
        assert renter.living("on-its-way") == []
        _kill(process)
        assert renter.type(*words).returncode == 0
        time.sleep(2.5)  # until the first one has arrived, too
    assert len(renter.living("on-its-way")) == 1


def _await(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_two_side_by_side_are_two(renter: Renter) -> None:
    words = renter.words("t3.micro", "--name", "twin")
    both = [renter.scene.type_in_background(*words) for _ in range(2)]
    assert [one.wait(PATIENCE_S) for one in both] == [0, 0]
    assert len(renter.living("twin")) == 2
    assert renter.intents() == []


# -- what cannot be

HOSTILE = {
    "type": (["t3.huge"], 4, "no such instance type"),
    "type with a star": (["t3.*"], 4, "no such instance type"),
    "type with a command": (["t3.micro;id"], 4, "no such instance type"),
    "no type": ([], 2, "no instance type is named"),
    "zone": (["t3.micro", "--zone", "us-east-1z"], 4, "cannot be had in us-east-1z"),
    "gpu": (["--gpu", "Voodoo"], 4, "with 1 Voodoo; of those large enough there are A100"),
    "gpu count": (["--gpu", "L4:0"], 2, "'L4:0' is not a name with a count"),
    "gpu of a type": (["t3.micro", "--gpu", "L4"], 4, "none of t3.micro can be had"),
    "cpus": (["--cpus", "-1"], 2, "--cpus"),
    "too many cpus": (["--cpus", "1000000"], 4, "with 1000000 CPUs"),
    "memory": (["--memory", "-3"], 2, "--memory"),
    "too much memory": (["--memory", "9" * 30], 2, "not a size that there is"),
    "disk": (["t3.micro", "--root-volume-size", "0"], 2, "--root-volume-size"),
    "small disk": (["t3.micro", "--root-volume-size", "1"], 8, "is smaller than"),
    "image": (["t3.micro", "--ami", "windows"], 2, "no image 'windows'"),
    "image id": (["t3.micro", "--ami", "ami-0123456789abcdef0"], 4, "ami-0123456789abcdef0"),
    "key": (["t3.micro", "--key-name", "nobody"], 4, "'nobody' does not exist"),
    "group": (["t3.micro", "--security-group", "nobody"], 4, "the name 'nobody'"),
    "subnet": (["t3.micro", "--subnet", "subnet-0123456789abcdef0"], 4, "subnet-0123456789"),
    "no spot": (["t3.micro", "--spot-max-price", "1"], 2, "--spot-max-price is about --spot"),
    "no market": (["t3.micro", "--fallback", "ask"], 2, "--fallback is about --spot"),
    "price": (["t3.micro", "--spot", "--spot-max-price", "nan"], 2, "not an amount of US"),
    "low price": (["g5.xlarge", "--spot", "--spot-max-price", "0.001"], 7, "cheapest spot price"),
    "cost": (["t3.micro", "--max-cost", "-1"], 2, "--max-cost"),
    "low cost": (["t3.micro", "--max-cost", "0.0001"], 11, "$0.0001 pays for 34s"),
    "ttl": (["t3.micro", "--ttl", "0s"], 2, "no time at all"),
    "bare ttl": (["t3.micro", "--ttl", "5"], 2, "is not a duration"),
    "name": (["t3.micro", "--name", "x" * 300], 8, "maximum length"),
}


def test_what_cannot_be_is_told_and_costs_nothing(renter: Renter) -> None:
    for words, status, told in HOSTILE.values():
        done = renter.type(*words, "-o", "json")
        assert done.returncode == status, (words, done.stdout, done.stderr)
        error = json.loads(done.stdout)["error"]
        assert told in error["message"], words
        assert error["hint"], words
    absent = renter.type("t3.micro", "--iam-instance-profile", "nobody", has_profile=False)
    assert absent.returncode == 4
    assert renter.living() == []
    assert renter.intents() == []
