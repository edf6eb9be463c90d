"""What ends an instance by itself, with laptop, agent, network or the keeper itself dead."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from runctl.providers.aws.keeper import user_data
from tests.aws.kept import STATE, Kept, image_with_systemd, rent
from tests.cloud_instances import Rig
from tests.localcloud.process import CloudProcess

pytestmark = pytest.mark.slow
OWNER = "usr-0123456789abcdef"
TTL_S = 25
Rent = Callable[..., Kept]


@pytest.fixture(scope="module")
def rig(local_cloud: CloudProcess) -> Iterator[Rig]:
    if local_cloud.ready["tier"] == "plain":
        pytest.skip("declared: nobody is root in an instance of the plain tier")
    made = Rig(local_cloud)
    assert made.world.instance  # made first: until it is, EC2 may not know its profile yet
    yield made
    assert made.world.end() == []


BOTH = pytest.mark.parametrize("image", ["init", "systemd"], indirect=True)


@pytest.fixture
def image(request: pytest.FixtureRequest, rig: Rig) -> str:
    """The image of an instance whose process 1 is this; a small one of its own unless said."""
    if getattr(request, "param", "init") == "init":
        return "al2023"
    if rig.cloud.ready["tier"] != "root":
        pytest.skip("declared: only the root tier boots systemd")
    return image_with_systemd(rig)


@pytest.fixture
def renting(rig: Rig) -> Iterator[Rent]:
    made: list[Kept] = []

    def make(**wished: Any) -> Kept:
        made.append(rent(rig, OWNER, secrets.token_hex(8), **wished))
        return made[-1]

    yield make
    left = [one.instance_id for one in made]
    if left:
        rig.world.client("ec2").terminate_instances(InstanceIds=left)


def test_its_time_to_live_ends_it(renting: Rent, image: str) -> None:
    kept = renting(image=image, ttl=timedelta(seconds=8))
    lived_s = kept.await_end("its time to live of 8s is over")
    assert 8 <= lived_s < 30


def test_a_reboot_does_not_move_its_end(renting: Rent, image: str) -> None:
    kept = renting(image=image, ttl=timedelta(seconds=TTL_S))
    kept.await_words("this instance ends at")
    before = kept.sh(f"cat {STATE}/deadline")
    kept.rig.world.client("ec2").reboot_instances(InstanceIds=[kept.instance_id])
    kept.until(lambda: kept.console().count("this instance ends at") == 2, "its keeper is back")
    assert kept.sh(f"cat {STATE}/deadline") == before
    assert TTL_S <= kept.await_end(f"its time to live of {TTL_S}s is over") < TTL_S + 20


@BOTH
def test_a_keeper_that_is_killed_comes_back(renting: Rent, image: str) -> None:
    kept = renting(image=image, ttl=timedelta(seconds=TTL_S))
    kept.await_words("this instance ends at")
    [killed] = kept.keeper_pids()
    kept.sh(f"kill -9 {killed}")
    kept.until(lambda: kept.keeper_pids() not in ([], [killed]), "there is another one")
    assert TTL_S <= kept.await_end(f"its time to live of {TTL_S}s is over") < TTL_S + 20


@BOTH
def test_with_all_of_runctl_dead_the_timer_ends_it(
    renting: Rent, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timer waits for as long as a run may take to save: here, for a second."""
    hasty = lambda wish: user_data(wish).replace("grace_s=90", "grace_s=1")  # noqa: E731
    monkeypatch.setattr("runctl.providers.aws.launching.user_data", hasty)
    kept = renting(image=image, ttl=timedelta(seconds=TTL_S))
    kept.await_words("this instance ends at")
    kept.sh("systemctl disable --now runctl-keeper 2>/dev/null; true")
    kept.sh(f"kill -9 $(pgrep -f '[s]h {STATE}/keeper.sh') $(pgrep -f '[d]o sleep 1; sh') || true")
    assert kept.keeper_pids() == []
    kept.until(kept.is_gone, "it ends", 150)
    assert time.monotonic() - kept.rented_at > TTL_S
    assert kept.described()["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_idleness_ends_it(renting: Rent, image: str) -> None:
    kept = renting(image=image, idle_stop=timedelta(seconds=6))
    kept.await_end("no run was on it for 6s")


def test_a_request_ends_it_and_what_only_looks_like_one_does_not(renting: Rent, image: str) -> None:
    kept = renting(image=image, ends_on_request=True)
    kept.await_words("this instance ends with the run that it is for")
    kept.sh("cd /home/*; mkdir -p .runctl/instance; chown -R 1000:1000 .runctl")
    kept.sh("cd /home/*/.runctl/instance; ln -s /etc/passwd end; sleep 5; rm end")
    asked_at = time.monotonic()
    kept.sh("cd /home/*/.runctl/instance; printf run-1 >part; chown 1000 part; mv part end")
    kept.await_end("the run run-1 is over")
    assert time.monotonic() - asked_at < 15


def test_what_is_made_from_its_image_is_not_ended(renting: Rent, image: str) -> None:
    """It has all files of the first one, and an id of its own."""
    kept = renting(image=image, ttl=timedelta(seconds=TTL_S))
    kept.await_words("this instance ends at")
    kept.sh("echo i-another >/var/lib/cloud/data/instance-id")
    kept.rig.world.client("ec2").reboot_instances(InstanceIds=[kept.instance_id])
    kept.until(lambda: kept.console().count(" boots") == 2, "it boots again")
    time.sleep(max(0.0, TTL_S + 10 - (time.monotonic() - kept.rented_at)))
    assert kept.keeper_pids() == []
    assert not kept.is_gone()


def test_it_costs_next_to_nothing(renting: Rent, image: str) -> None:
    hours = timedelta(hours=8)
    kept = renting(image=image, ttl=hours, idle_stop=hours, ends_on_request=True)
    kept.await_words("this instance ends at")
    [pid] = kept.keeper_pids()
    measure = f"cat /proc/{pid}/stat; getconf CLK_TCK"
    before, after = kept.sh(measure), kept.sh(f"sleep 30; {measure}")
    assert _cpu_s(after) - _cpu_s(before) < 0.15  # half a percent


def _cpu_s(told: str) -> float:
    """Return what it and its children that have ended have used."""
    stat, ticks = told.splitlines()
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / int(ticks)


def test_where_nothing_is_asked_for_nothing_ends(renting: Rent) -> None:
    kept = renting()
    assert kept.sh(f"ls -d {STATE} /etc/rc.local 2>/dev/null || echo none") == "none\n"
    told = kept.rig.world.client("ec2").describe_instance_attribute(
        InstanceId=kept.instance_id, Attribute="instanceInitiatedShutdownBehavior"
    )
    assert told["InstanceInitiatedShutdownBehavior"] == {"Value": "stop"}
