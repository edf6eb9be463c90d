"""``runctl aws create``: what it launches, and until when it waits."""

from __future__ import annotations

import json
import signal
import time

import pytest

from tests.aws.renter import PATIENCE_S, Renter, await_that, renter, rig, tags_of

pytestmark = pytest.mark.slow
__all__ = ["renter", "rig"]


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
    tags = tags_of(told)
    assert tags["runctl:owner"] == renter.owner
    assert (tags["Name"], tags["runctl:project"]) == ("one", "digits")
    assert tags["runctl:usd-per-hour"] == "0.0208"
    [disk] = renter.ec2.describe_volumes(
        Filters=[{"Name": "attachment.instance-id", "Values": [told["InstanceId"]]}]
    )["Volumes"]
    assert (disk["Encrypted"], disk["Size"], disk["VolumeType"]) == (True, 20, "gp3")
    assert disk["Attachments"][0]["Device"] == told["RootDeviceName"]
    assert tags_of(disk)["runctl:owner"] == renter.owner
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
        words = ("aws", "teardown", "--yes")
        await_that(lambda: renter.scene.type(*words, timeout_s=PATIENCE_S).returncode == 0)


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


def test_one_that_ends_while_it_is_waited_for_is_lost(renter: Renter) -> None:
    process = renter.start("t3.micro", "--wait", "--name", "short")
    await_that(renter.living)
    renter.end()
    told = process.communicate()[1]
    assert process.returncode == 21, told
    assert b"User initiated" in told
    assert renter.intents() == []


def test_ctrl_c_while_it_waits_keeps_the_instance(renter: Renter) -> None:
    process = renter.start("t3.micro", "--wait")
    await_that(renter.living)
    time.sleep(0.3)  # until its answer has come
    process.send_signal(signal.SIGINT)
    told = process.communicate()[1].decode()
    assert process.returncode == 130, told
    [found] = renter.living()
    assert f"{found['InstanceId']} goes on, and costs" in told
    assert f"runctl aws wait {found['InstanceId']} --for ready" in told
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
