"""An instance starts, stops, reboots and ends; how it ended is known."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runctl.localcloud.machines.errors import MachineError, MachineGone
from runctl.localcloud.machines.results import Feature, State
from tests.localcloud.machines.workplace import Workplace

SOURCES = Path(__file__).parents[3] / "src"
LAUNCH = """
import os, signal, sys
from runctl.localcloud.machines.probe import make_tier
from runctl.localcloud.machines.results import TierReport
from runctl.localcloud.machines.spec import CloudPlace, MachineSpec

name, users, features, cloud_id, folder = sys.argv[1:]
report = TierReport(name, True, "", frozenset(features.split(",")), users or None)
tier = make_tier(report, CloudPlace(cloud_id, folder))
address = tier.reserve_address("i-0a")
tier.launch(MachineSpec(instance_id="i-0a", address=address, hostname="outlives"))
os.killpg(os.getpid(), signal.SIGKILL)
"""

# The root of an instance of the least tier is a folder: the one above root's home.
NOTE = "cat ~/../run/systemd/shutdown/scheduled; true"


def test_an_instance_outlives_the_kill_of_the_whole_group_that_launched_it(
    anywhere: Workplace,
) -> None:
    report = anywhere.report
    argv = [
        sys.executable, "-c", LAUNCH, report.name, report.users or "", ",".join(report.features),
        anywhere.cloud.id, anywhere.cloud.folder,
    ]  # fmt: skip
    result = subprocess.run(
        argv, start_new_session=True, env={**os.environ, "PYTHONPATH": str(SOURCES)}, check=False
    )
    assert result.returncode == -signal.SIGKILL
    (machine,) = anywhere.tier.all()
    assert machine.state == State.RUNNING
    assert anywhere.sh(machine, "echo alive") == "alive\n"


def test_an_instance_that_runs_is_adopted_and_not_started_twice(anywhere: Workplace) -> None:
    spec = anywhere.spec()
    first = anywhere.tier.launch(spec).hello()
    second = anywhere.tier.launch(spec).hello()
    assert (first["pid"], first["init"]) == (second["pid"], second["init"])


def test_a_stop_ends_all_processes_and_keeps_the_disk(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    anywhere.sh(machine, "echo kept > ~/file")
    running = anywhere.start(machine, "sleep", "600")
    machine.stop()
    assert machine.state == State.ENDED
    assert machine.end is not None
    assert machine.end.reason == "stop"
    status = machine.command(running)
    assert status is not None
    assert status.state != "running"
    with pytest.raises(MachineGone):
        machine.hello()
    again = anywhere.launch()
    assert again.state == State.RUNNING
    assert anywhere.sh(again, "cat ~/file") == "kept\n"


def test_what_will_not_end_is_killed_after_the_grace(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    ready = anywhere.start(
        machine, "/bin/sh", "-c", "trap '' TERM; echo deaf; sleep 600; sleep 600"
    )
    anywhere.until(lambda: _said(machine.command(ready), "deaf\n"), "it is deaf to SIGTERM")
    machine.stop(grace_s=0.3)
    assert machine.state == State.ENDED


def test_processes_are_asked_before_they_are_killed(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    script = "trap 'echo asked > ~/asked; exit' TERM; echo ready; while :; do sleep 0.05; done"
    ready = anywhere.start(machine, "/bin/sh", "-c", script)
    anywhere.until(lambda: _said(machine.command(ready), "ready\n"), "the trap is set")
    machine.stop()
    assert anywhere.sh(anywhere.launch(), "cat ~/asked") == "asked\n"


def test_a_reboot_ends_the_processes_and_keeps_the_files(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    anywhere.sh(machine, "echo kept > ~/file")
    running = anywhere.start(machine, "sleep", "600")
    before = machine.hello()
    machine.reboot()
    after = machine.hello()
    assert (after["pid"], after["boots"]) == (before["pid"], before["boots"] + 1)
    assert anywhere.sh(machine, "cat ~/file") == "kept\n"
    assert anywhere.finish(machine, running).status.exit_status is None


def test_each_boot_has_an_id_of_its_own(enclosed: Workplace) -> None:
    enclosed.need(Feature.OWN_PROCESSES)
    if enclosed.report.name == "bubblewrap":
        pytest.skip("declared: there it is the host's")
    ask = "cat /proc/sys/kernel/random/boot_id"
    machine, other = enclosed.launch(), enclosed.launch("i-0b")
    first = enclosed.sh(machine, ask)
    assert first == enclosed.sh(machine, ask)
    machine.reboot()
    found = {first, enclosed.sh(machine, ask), enclosed.sh(other, ask)}
    host = Path("/proc/sys/kernel/random/boot_id").read_text()
    assert len(found | {host}) == 4


@pytest.mark.parametrize("tool", ["poweroff", "halt", "shutdown -h now", "shutdown -P +0"])
def test_an_instance_switches_itself_off(root: Workplace, tool: str) -> None:
    machine = root.launch()
    root.start(machine, "/bin/sh", "-c", tool)
    root.until(lambda: machine.state == State.ENDED, "it is off")
    assert machine.end is not None
    assert machine.end.reason == "poweroff"


def test_an_instance_switches_itself_off_in_every_tier(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    anywhere.start(machine, "shutdown", "now")
    anywhere.until(lambda: machine.state == State.ENDED, "it is off")
    told = lambda: any(one.kind == "ended" and one.reason == "poweroff" for one in anywhere.events)  # noqa: E731
    anywhere.until(told, "an event tells of it")


def test_an_instance_reboots_itself(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    anywhere.start(machine, "reboot")
    anywhere.until(lambda: any(one.kind == "booted" for one in anywhere.events), "it is up again")
    assert machine.hello()["boots"] == 2


def test_a_timer_of_shutdown_can_be_cancelled(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    anywhere.sh(machine, "shutdown -h +1")
    assert "MODE=poweroff" in anywhere.sh(machine, NOTE)
    anywhere.sh(machine, "shutdown -c")
    assert anywhere.sh(machine, NOTE) == ""
    console = Path(machine.console)
    anywhere.until(lambda: "cancelled" in console.read_text(), "the console tells of it")
    assert "poweroff in 60 s" in console.read_text()


def test_a_timer_of_shutdown_does_not_outlive_a_reboot(root: Workplace) -> None:
    machine = root.launch()
    root.sh(machine, "shutdown -h +1")
    machine.reboot()
    assert root.sh(machine, "echo still here") == "still here\n"


def test_the_users_of_an_instance_may_not_switch_it_off(root: Workplace) -> None:
    machine = root.launch()
    done = root.run(machine, "/usr/sbin/poweroff", user="ec2-user")
    assert (done.status.exit_status, "must be root" in done.stderr) == (1, True)


@pytest.mark.parametrize("victim", ["pid", "init"])
def test_a_kill_is_told_from_an_end(anywhere: Workplace, victim: str) -> None:
    machine = anywhere.launch()
    running = anywhere.start(machine, "sleep", "600")
    os.kill(machine.hello()[victim], signal.SIGKILL)
    anywhere.until(lambda: machine.state == State.LOST, "it is lost")
    status = machine.command(running)
    assert status is not None
    assert status.state == "lost"
    told = lambda: any(one.kind == "ended" and one.reason == "lost" for one in anywhere.events)  # noqa: E731
    anywhere.until(told, "an event tells of it")
    assert anywhere.sh(anywhere.launch(), "echo back") == "back\n"


def test_nothing_is_left_of_an_instance_whose_keeper_and_first_process_are_killed(
    anywhere: Workplace,
) -> None:
    machine = anywhere.launch()
    anywhere.start(machine, "/bin/sh", "-c", "setsid sleep 600 & setsid sleep 600")
    said = machine.hello()
    os.kill(said["pid"], signal.SIGSTOP)
    os.kill(said["init"], signal.SIGKILL)
    os.kill(said["pid"], signal.SIGKILL)
    anywhere.tier.destroy(machine.id)
    assert anywhere.tier.find(machine.id) is None


def test_a_frozen_instance_is_destroyed(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    anywhere.start(machine, "sleep", "600")
    machine.freeze()
    anywhere.tier.destroy(machine.id)
    assert anywhere.tier.all() == []


def test_a_half_made_instance_is_destroyed(anywhere: Workplace) -> None:
    folder = Path(anywhere.cloud.machine("i-0b"))
    folder.mkdir(parents=True)
    (folder / "spec.json.new").write_text("{")
    assert anywhere.tier.find("i-0b") is None
    anywhere.tier.destroy("i-0b")
    anywhere.tier.destroy("i-0b")
    assert not folder.exists()


def test_a_failed_step_is_named(root: Workplace) -> None:
    spec = root.spec()
    Path(root.cloud.machine("i-0a"), "disk.img").parent.mkdir(parents=True)
    Path(root.cloud.machine("i-0a"), "disk.img").write_bytes(b"no file system" * 1000)
    with pytest.raises(MachineError) as caught:
        root.tier.launch(spec)
    assert caught.value.step == "open disk"
    assert "mount ext4" in caught.value.words


def test_what_a_tier_lacks_is_refused(anywhere: Workplace) -> None:
    if Feature.SYSTEMD in anywhere.report.features:
        pytest.skip("this tier has systemd")
    with pytest.raises(MachineError, match="has no systemd"):
        anywhere.launch(init="systemd")


def _said(status: object, text: str) -> bool:
    path = Path(str(getattr(status, "stdout", "")))
    return path.is_file() and path.read_text() == text
