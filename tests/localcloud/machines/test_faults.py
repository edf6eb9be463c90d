"""An instance hangs, and its disk is full, on purpose."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.results import Feature
from tests.localcloud.machines.workplace import Workplace


def test_a_frozen_instance_does_nothing_until_it_is_thawed(anywhere: Workplace) -> None:
    machine = anywhere.launch()
    script = "while :; do echo tick; sleep 0.02; done"
    name = anywhere.start(machine, "/bin/sh", "-c", script)
    anywhere.until(lambda: _size(anywhere, name) > 0, "it ticks")
    machine.freeze()
    assert machine.hello()["is_frozen"]
    first = _size(anywhere, name)
    later = anywhere.start(machine, "/bin/echo", "late")
    anywhere.until(_after_looks(20), "time goes by")
    assert _size(anywhere, name) - first <= 5  # what was in the pipe
    status = machine.command(later)
    assert status is not None
    assert status.state == "running"
    machine.thaw()
    assert anywhere.finish(machine, later).stdout == "late\n"
    grown = _size(anywhere, name)
    anywhere.until(lambda: _size(anywhere, name) > grown, "it ticks again")


def test_a_full_disk_refuses_every_write_until_it_is_freed(root: Workplace) -> None:
    root.need(Feature.DISK_LIMIT)
    machine = root.launch()
    root.sh(machine, "echo before > /home/ec2-user/file")
    machine.fill_disk()
    for place in ("/root", "/home/ec2-user", "/var/tmp", "/tmp", "/usr/local", "/etc"):
        done = root.run(machine, "dd", "if=/dev/zero", f"of={place}/big", "bs=64k", "count=1")
        assert "No space left on device" in done.stderr, place
    assert root.sh(machine, "cat /home/ec2-user/file") == "before\n"
    machine.free_disk()
    root.sh(machine, "dd if=/dev/zero of=/root/big bs=64k count=1")


def test_the_disk_has_the_size_that_was_asked_for(root: Workplace) -> None:
    root.need(Feature.DISK_LIMIT)
    machine = root.launch(disk_bytes=64 << 20)
    done = root.run(machine, "dd", "if=/dev/zero", "of=/root/big", "bs=1M", "count=70")
    assert "No space left on device" in done.stderr


def test_a_disk_without_a_size_says_so(anywhere: Workplace) -> None:
    if Feature.DISK_LIMIT in anywhere.report.features:
        pytest.skip("this tier's disks have a size")
    machine = anywhere.launch()
    with pytest.raises(MachineError, match="no size of its own"):
        machine.fill_disk()


def test_an_instance_has_the_memory_that_was_asked_for(anywhere: Workplace) -> None:
    anywhere.need(Feature.MEMORY_LIMIT)
    machine = anywhere.launch(memory_bytes=48 << 20)
    done = anywhere.run(machine, "python3", "-c", "bytearray(200 << 20)")
    assert done.status.signal == 9
    assert anywhere.sh(machine, "echo survives") == "survives\n"


def _size(workplace: Workplace, name: str) -> int:
    machine = workplace.tier.find("i-0a")
    assert machine is not None
    status = machine.command(name)
    assert status is not None
    with open(status.stdout, "rb") as file:
        return len(file.read()) // len(b"tick\n")


def _after_looks(count: int) -> Callable[[], bool]:
    left = [count]

    def look() -> bool:
        left[0] -= 1
        return left[0] <= 0

    return look
