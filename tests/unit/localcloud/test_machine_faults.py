"""Faults of machines: done, kept over a restart, and undone."""

from __future__ import annotations

import dataclasses
import signal
from typing import Any

import pytest

from runctl.localcloud.faults.changes import add_fault, clear_faults
from runctl.localcloud.faults.orders import Fault, Order, OrderRefused
from runctl.localcloud.machines.results import Feature
from tests.unit.localcloud.conftest import Rehearsal
from tests.unit.localcloud.paper import PaperMachine

AMI = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
PAIRS = [("network", "cut", "connect"), ("freeze", "freeze", "thaw"),
         ("disk", "fill disk", "free disk")]  # fmt: skip


@pytest.fixture
def machine(rehearsal: Rehearsal) -> PaperMachine:
    image = rehearsal.client("ssm").get_parameter(Name=AMI)["Parameter"]["Value"]
    made = rehearsal.client("ec2").run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1
    )
    rehearsal.advance(5)
    return rehearsal.tier.machines[made["Instances"][0]["InstanceId"]]


def add(rehearsal: Rehearsal, machine: PaperMachine, effect: Any, **more: Any) -> Fault:
    return add_fault(rehearsal.cloud, Order(effect=effect, instance=machine.id, **more))


def checks(rehearsal: Rehearsal, machine: PaperMachine) -> tuple[str, str]:
    ec2 = rehearsal.client("ec2")
    [found] = ec2.describe_instance_status(InstanceIds=[machine.id])["InstanceStatuses"]
    return found["InstanceStatus"]["Status"], found["SystemStatus"]["Status"]


@pytest.mark.parametrize(("effect", "done", "undone"), PAIRS)
def test_it_is_done_and_undone(
    rehearsal: Rehearsal, machine: PaperMachine, effect: str, done: str, undone: str
) -> None:
    fault = add(rehearsal, machine, effect)
    assert machine.done == [done]
    [cleared] = clear_faults(rehearsal.cloud)
    assert (cleared.id, machine.done) == (fault.id, [done, undone])
    assert rehearsal.cloud.faults.all() == []


@pytest.mark.parametrize(("effect", "done", "undone"), PAIRS)
def test_it_is_undone_when_its_time_is_over(
    rehearsal: Rehearsal, machine: PaperMachine, effect: str, done: str, undone: str
) -> None:
    fault = add(rehearsal, machine, effect, for_s=30.0)
    rehearsal.advance(29)
    assert machine.done == [done]
    rehearsal.advance(2)
    assert machine.done == [done, undone]
    assert fault.state == "over"


def test_a_restart_does_it_again_and_undoes_it_in_time(
    rehearsal: Rehearsal, machine: PaperMachine
) -> None:
    add(rehearsal, machine, "freeze", for_s=30.0)
    rehearsal.restart()
    rehearsal.advance(29)
    assert machine.done == ["freeze", "freeze"]
    rehearsal.advance(2)
    assert machine.done == ["freeze", "freeze", "thaw"]


def test_time_that_passed_while_the_cloud_was_down_counts(
    rehearsal: Rehearsal, machine: PaperMachine
) -> None:
    add(rehearsal, machine, "freeze", for_s=30.0)
    rehearsal.cloud.jobs.close()
    rehearsal.jobs.now += 60
    rehearsal.restart()
    rehearsal.advance(0.1)
    assert machine.done == ["freeze", "thaw"]


def test_of_two_the_last_one_undoes_it(rehearsal: Rehearsal, machine: PaperMachine) -> None:
    first, second = (add(rehearsal, machine, "network") for _ in range(2))
    clear_faults(rehearsal.cloud, [first.id])
    assert "connect" not in machine.done
    clear_faults(rehearsal.cloud, [second.id])
    assert machine.done[-1] == "connect"


def test_an_instance_that_cannot_be_heard_is_not_online(
    rehearsal: Rehearsal, machine: PaperMachine
) -> None:
    assert not rehearsal.cloud.faults.is_cut_off(machine.id)
    rehearsal.advance(10)
    assert checks(rehearsal, machine) == ("ok", "ok")
    fault = add(rehearsal, machine, "freeze")
    assert rehearsal.cloud.faults.is_cut_off(machine.id)
    assert checks(rehearsal, machine) == ("impaired", "ok")
    clear_faults(rehearsal.cloud, [fault.id])
    assert not rehearsal.cloud.faults.is_cut_off(machine.id)
    assert checks(rehearsal, machine) == ("ok", "ok")


def test_what_cannot_be_done_is_refused_and_leaves_no_fault(
    rehearsal: Rehearsal, machine: PaperMachine
) -> None:
    machine.is_without_disk = True
    with pytest.raises(OrderRefused, match="no size of its own"):
        add(rehearsal, machine, "disk")
    rehearsal.tier.destroy(machine.id)
    with pytest.raises(OrderRefused, match="does not run"):
        add(rehearsal, machine, "freeze")
    assert rehearsal.cloud.faults.all() == []


def test_a_stopped_instance_cannot_be_frozen(rehearsal: Rehearsal, machine: PaperMachine) -> None:
    rehearsal.client("ec2").stop_instances(InstanceIds=[machine.id])
    rehearsal.advance(5)
    with pytest.raises(OrderRefused, match=f"{machine.id} does not run") as refusal:
        add(rehearsal, machine, "freeze")
    assert refusal.value.code == "IncorrectInstanceState"


def test_a_tier_without_sizes_has_no_full_disks(
    rehearsal: Rehearsal, machine: PaperMachine
) -> None:
    features = rehearsal.tier.report.features - {Feature.DISK_LIMIT}
    rehearsal.tier.report = dataclasses.replace(rehearsal.tier.report, features=features)
    with pytest.raises(OrderRefused, match="the tier paper gives no instance a disk") as refusal:
        add(rehearsal, machine, "disk")
    assert refusal.value.code == "UnsupportedOperation"


def test_the_faults_of_an_instance_end_with_it(rehearsal: Rehearsal, machine: PaperMachine) -> None:
    for effect, *_ in PAIRS:
        add(rehearsal, machine, effect)
    rehearsal.client("ec2").terminate_instances(InstanceIds=[machine.id])
    rehearsal.advance(5)
    assert [one.state for one in rehearsal.cloud.faults.all()] == ["over"] * 3
    assert len(clear_faults(rehearsal.cloud)) == 3


def test_what_was_stopped_starts_on_other_hardware_with_the_same_disk(
    rehearsal: Rehearsal, machine: PaperMachine
) -> None:
    ec2 = rehearsal.client("ec2")
    for effect, *_ in PAIRS:
        add(rehearsal, machine, effect)
    ec2.stop_instances(InstanceIds=[machine.id])
    rehearsal.advance(5)
    ec2.start_instances(InstanceIds=[machine.id])
    rehearsal.advance(5)
    states = {one.order.effect: one.state for one in rehearsal.cloud.faults.all()}
    assert states == {"network": "over", "freeze": "over", "disk": "in-force"}
    assert checks(rehearsal, machine) == ("ok", "ok")


def test_hardware_fails_once(
    rehearsal: Rehearsal, machine: PaperMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda *words: killed.append(words))
    fault = add(rehearsal, machine, "kill")
    assert killed == [(4711, signal.SIGKILL)]
    assert fault.state == "over"
    rehearsal.restart()
    rehearsal.advance(1)
    assert len(killed) == 1
