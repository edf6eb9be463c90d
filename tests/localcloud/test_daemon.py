"""The process of a local cloud: started, killed, started again, side by side, purged."""

from __future__ import annotations

import json
import os
import socket
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud import census
from tests.localcloud.conftest import NewCloud
from tests.localcloud.process import CloudProcess

AMI = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
PATIENCE_S = 60.0
HOSTILE = [
    b"",
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(64),
    b"GET /" + b"a" * 200_000,
    b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 20_000 + b"\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\nabc",
    b"PUT /b/k HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"POST /_runctl/faults HTTP/1.1\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
    b"GET /%ff%fe/%00?%zz HTTP/1.1\r\nHost: \xc3\x28\r\n\r\n",
    b"POST / HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=\r\n\r\n",
    b"POST / HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=a/b/c/ec2/aws4_request\r\n\r\n",
    os.urandom(4096),
]


def launch(cloud: CloudProcess, count: int = 1, **more: Any) -> list[str]:
    session = cloud.session()
    image = session.client("ssm").get_parameter(Name=AMI)["Parameter"]["Value"]
    ec2 = session.client("ec2")
    made = ec2.run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=count, MaxCount=count, **more
    )
    idents = [one["InstanceId"] for one in made["Instances"]]
    ec2.get_waiter("instance_running").wait(InstanceIds=idents, WaiterConfig={"Delay": 1})
    return idents


def states(cloud: CloudProcess) -> dict[str, str]:
    found = cloud.session().client("ec2").describe_instances()["Reservations"]
    return {i["InstanceId"]: i["State"]["Name"] for one in found for i in one["Instances"]}


def machine(cloud: CloudProcess, ident: str) -> dict[str, Any]:
    """The keeper's own record of a machine: which process keeps it."""
    path = cloud.folder / "machines" / ident / "keeper.pid"
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def wait_for(what: str, holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.1)


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


# ---------------------------------------------------------------- start, kill, stop


@pytest.mark.slow
def test_all_is_there_after_a_kill(new_cloud: NewCloud) -> None:
    cloud = new_cloud()
    before = cloud.start()
    [ident] = launch(cloud)
    session = cloud.session()
    session.client("s3").create_bucket(Bucket="kept")
    session.client("s3").put_object(Bucket="kept", Key="k", Body=b"bytes")
    volume = session.client("ec2").create_volume(AvailabilityZone="us-east-1a", Size=1)
    keeper = machine(cloud, ident)["pid"]
    cloud.kill()
    assert is_alive(keeper)

    after = cloud.start()

    assert (after["address"], after["tier"]) == (before["address"], before["tier"])
    assert after["pid"] != before["pid"]
    assert states(cloud) == {ident: "running"}
    assert machine(cloud, ident)["pid"] == keeper
    read = session.client("s3").get_object(Bucket="kept", Key="k")["Body"].read()
    assert read == b"bytes"
    found = session.client("ec2").describe_volumes(VolumeIds=[volume["VolumeId"]])
    assert found["Volumes"][0]["State"] == "available"


@pytest.mark.slow
def test_an_instance_that_died_meanwhile_is_found_stopped(new_cloud: NewCloud) -> None:
    cloud = new_cloud()
    cloud.start()
    dead, alive = launch(cloud, 2)
    cloud.kill()
    os.kill(machine(cloud, dead)["pid"], 9)
    wait_for("the end of the keeper", lambda: not is_alive(machine(cloud, dead)["pid"]))
    cloud.start()
    wait_for("an honest state", lambda: states(cloud) == {dead: "stopped", alive: "running"})
    session = cloud.session()
    session.client("ec2").terminate_instances(InstanceIds=[dead])
    wait_for("its end", lambda: states(cloud)[dead] == "terminated")


@pytest.mark.slow
def test_a_start_that_is_killed_at_once_is_made_good(new_cloud: NewCloud) -> None:
    cloud = new_cloud()
    cloud.start()
    ec2, ssm = (cloud.session().client(name) for name in ("ec2", "ssm"))
    image = ssm.get_parameter(Name=AMI)["Parameter"]["Value"]
    made = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=3, MaxCount=3)
    cloud.kill()  # they are pending, at best half made
    cloud.start()
    idents = {one["InstanceId"] for one in made["Instances"]}
    wait_for("all to run", lambda: states(cloud) == dict.fromkeys(idents, "running"))


@pytest.mark.slow
def test_a_second_start_finds_the_first(new_cloud: NewCloud) -> None:
    cloud = new_cloud()
    first = cloud.start()
    process, second = cloud.serve("--port", "1")
    assert process.returncode == 0
    assert second == {**first, "is_already_running": True}
    assert cloud.control("GET", "status")["pid"] == first["pid"]


@pytest.mark.slow
def test_a_port_and_a_tier_are_kept(new_cloud: NewCloud) -> None:
    cloud = new_cloud(tier="plain")
    cloud.start()
    port = cloud.endpoint.rpartition(":")[2]
    assert cloud.stop() == 0
    process, said = cloud.serve("--port", str(int(port) + 1))
    assert (process.returncode, said["error"]["code"]) == (1, "port")
    cloud.tier = "bubblewrap"
    process, said = cloud.serve()
    assert (process.returncode, said["error"]["code"]) == (1, "tier")
    cloud.tier = "auto"
    with socket.create_server(("127.0.0.1", int(port))):
        process, said = cloud.serve()
    assert (process.returncode, said["error"]["code"]) == (1, "port")
    assert cloud.start()["tier"] == "plain"


@pytest.mark.slow
def test_a_stop_leaves_the_machines_running(new_cloud: NewCloud) -> None:
    cloud = new_cloud()
    cloud.start()
    [ident] = launch(cloud)
    keeper = machine(cloud, ident)["pid"]
    assert cloud.control("POST", "stop")["instances"] == {"running": 1}
    assert cloud.wait() == 0
    assert is_alive(keeper)
    cloud.start()
    assert states(cloud) == {ident: "running"}


# ---------------------------------------------------------------- side by side


@pytest.mark.slow
def test_two_clouds_do_not_disturb_each_other(new_cloud: NewCloud) -> None:
    left, right = new_cloud("left"), new_cloud("right")
    left.start()
    right.start()
    assert left.endpoint != right.endpoint
    [mine] = launch(left)
    [other] = launch(right)
    assert (states(left), states(right)) == ({mine: "running"}, {other: "running"})
    strange = left.session().client("ec2", endpoint_url=right.endpoint)
    with pytest.raises(ClientError) as error:
        strange.describe_instances()
    assert error.value.response["Error"]["Code"] == "AuthFailure"
    with pytest.raises(urllib.error.HTTPError):
        right.control("GET", "status", token=left.token)
    left.purge()
    assert states(right) == {other: "running"}
    assert is_alive(machine(right, other)["pid"])


# ---------------------------------------------------------------- who gets in


@pytest.mark.slow
def test_the_control_endpoint_needs_the_token(local_cloud: CloudProcess) -> None:
    for token in ("", "nonsense"):
        with pytest.raises(urllib.error.HTTPError) as error:
            local_cloud.control("GET", "status", token=token)
        with error.value as refused:
            assert refused.code == 403
    stamp = local_cloud.folder / "cloud.json"
    assert stamp.stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_nothing_listens_off_loopback(local_cloud: CloudProcess) -> None:
    """Of the process that serves: in the host's network it has one socket, of 127.0.0.1."""
    launch(local_cloud)
    own = {os.readlink(f"/proc/{local_cloud.pid}/fd/{name}") for name in descriptors(local_cloud)}
    listening = [
        place
        for table in ("tcp", "tcp6", "udp", "udp6")
        for place, inode in sockets(table)
        if f"socket:[{inode}]" in own
    ]
    port = int(local_cloud.endpoint.rpartition(":")[2])
    assert (f"0100007F:{port:04X}") in listening
    addresses = {place.partition(":")[0] for place in listening}
    assert all(one.endswith("7F") for one in addresses), listening
    with socket.socket(socket.AF_INET6) as probe:
        assert probe.connect_ex(("::1", port)) != 0


def descriptors(cloud: CloudProcess) -> list[str]:
    return os.listdir(f"/proc/{cloud.pid}/fd")


def sockets(table: str) -> list[tuple[str, str]]:
    """Local address and inode of what listens, or of all for UDP, in the host's network."""
    lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    is_open = {"0A"} if table.startswith("tcp") else {"07", "01"}
    return [(row[1], row[9]) for row in rows if row[3] in is_open]


@pytest.mark.slow
def test_nothing_hostile_ends_it(local_cloud: CloudProcess) -> None:
    port = int(local_cloud.endpoint.rpartition(":")[2])
    held = []
    for data in HOSTILE:
        for is_held in (False, True):
            stream = socket.create_connection(("127.0.0.1", port), 10)
            try:
                stream.sendall(data)
            except OSError:
                pass  # it has had enough
            if is_held:
                held.append(stream)
            else:
                stream.close()
    assert local_cloud.control("GET", "status")["pid"] == local_cloud.pid
    assert local_cloud.session().client("sts").get_caller_identity()["Account"]
    for stream in held:
        stream.close()
    assert "Traceback" not in (local_cloud.folder / "cloud.err").read_text()


# ---------------------------------------------------------------- the end


@pytest.mark.slow
def test_a_reset_empties_it_and_keeps_its_address(new_cloud: NewCloud) -> None:
    cloud = new_cloud()
    cloud.start()
    session = cloud.session()
    launch(cloud, 2)
    session.client("s3").create_bucket(Bucket="gone")
    session.client("iam").create_role(RoleName="gone", AssumeRolePolicyDocument=TRUST)
    cloud.control("POST", "faults", {"effect": "throttle", "service": "ssm"})
    cloud.control("POST", "reset")
    assert states(cloud) == {}
    assert session.client("s3").list_buckets()["Buckets"] == []
    assert session.client("iam").list_roles()["Roles"] == []
    assert cloud.control("GET", "faults") == {"faults": []}
    assert os.listdir(cloud.folder / "machines") == []
    assert launch(cloud)
    assert cloud.stop() == 0
    cloud.start()
    assert len(states(cloud)) == 1


TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ec2.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


@pytest.mark.slow
def test_a_purge_leaves_nothing(new_cloud: NewCloud) -> None:
    cloud = new_cloud()
    cloud.start()
    launch(cloud, 2)
    ec2 = cloud.session().client("ec2")
    [first, *_] = states(cloud)
    volume = ec2.create_volume(AvailabilityZone=zone(ec2, first), Size=1)["VolumeId"]
    ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig={"Delay": 1})
    ec2.attach_volume(VolumeId=volume, InstanceId=first, Device="/dev/sdf")
    cloud.control("POST", "faults", {"effect": "freeze", "instance": first})
    marks = (f"rcl{cloud.control('GET', 'status')['id']}", str(cloud.folder))
    assert census.take(*marks).processes
    cloud.kill()
    cloud.purge()
    assert census.take(*marks).found == []
    assert not cloud.folder.exists()
    cloud.purge()  # again is harmless


def zone(ec2: Any, ident: str) -> str:
    found = ec2.describe_instances(InstanceIds=[ident])["Reservations"][0]["Instances"][0]
    return str(found["Placement"]["AvailabilityZone"])


@pytest.mark.slow
def test_a_purge_does_not_touch_what_is_served(new_cloud: NewCloud) -> None:
    cloud = new_cloud(tier="plain")
    cloud.start()
    impostor = CloudProcess(cloud.folder)
    with pytest.raises(AssertionError, match="running"):
        impostor.purge()
    assert cloud.control("GET", "status")["pid"] == cloud.pid


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    cloud = CloudProcess(tmp_path, "plain")
    _, said = cloud.serve()
    assert said["error"]["code"] == "folder"
    with pytest.raises(AssertionError, match="no local cloud's"):
        cloud.purge()
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_a_path_of_a_user_who_is_not_root_is_enough(
    new_cloud: NewCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Debian /usr/sbin, where mkfs and losetup are, is on root's PATH alone."""
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
    cloud = new_cloud()
    cloud.start()
    [ident] = launch(cloud)
    session = cloud.session()
    zone = session.client("ec2").describe_instances(InstanceIds=[ident])["Reservations"][0][
        "Instances"
    ][0]["Placement"]["AvailabilityZone"]
    made = session.client("ec2").create_volume(AvailabilityZone=zone, Size=1)
    waiter = session.client("ec2").get_waiter("volume_available")
    waiter.wait(VolumeIds=[made["VolumeId"]], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
