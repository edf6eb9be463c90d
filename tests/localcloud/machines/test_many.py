"""Many instances at once, and nothing left of them."""

from __future__ import annotations

import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor

from runctl.localcloud.machines.machine import Machine
from tests.localcloud import census
from tests.localcloud.machines.workplace import Workplace

COUNT = 10


def test_many_come_up_side_by_side_each_with_its_own_address(anywhere: Workplace) -> None:
    with ThreadPoolExecutor(8) as pool:
        machines = list(pool.map(lambda n: anywhere.launch(f"i-{n:02}"), range(COUNT)))
        said = list(pool.map(lambda one: _hostname(anywhere, one), machines))
    assert len({machine.address for machine in machines}) == COUNT
    assert said == [machine.plan["hostname"] for machine in machines]
    assert [machine.id for machine in anywhere.tier.all()] == [f"i-{n:02}" for n in range(COUNT)]


def test_a_purge_finds_what_no_folder_tells_of(anywhere: Workplace) -> None:
    machines = [anywhere.launch(f"i-{n:02}") for n in range(3)]
    for machine in machines:
        anywhere.start(machine, "/bin/sh", "-c", "setsid sleep 600 & sleep 600")
    os.kill(machines[0].hello()["pid"], signal.SIGKILL)
    machines[1].freeze()
    for machine in machines:
        os.unlink(machine.folder.at("spec.json"))
    anywhere.tier.purge()
    assert census.take(*anywhere.marks).found == []
    assert os.listdir(anywhere.folder) == []


def test_launching_and_destroying_leaks_no_descriptor_of_the_cloud(anywhere: Workplace) -> None:
    dice = random.Random(7)

    def cycle(number: int) -> None:
        machine = anywhere.launch(f"i-{number:02}")
        for listener in machine.listeners().values():
            listener.close()
        anywhere.run(machine, "/bin/true")
        if dice.random() < 0.3:
            os.kill(machine.hello()["init"], signal.SIGKILL)
        anywhere.tier.destroy(machine.id)

    cycle(0)
    before = len(census.own_descriptors())
    for number in range(1, 8):
        cycle(number)
    assert len(census.own_descriptors()) == before


def _hostname(workplace: Workplace, machine: Machine) -> str:
    if workplace.report.name == "plain":
        return machine.plan["hostname"] if workplace.sh(machine, "echo up") == "up\n" else ""
    return workplace.sh(machine, "hostname").strip()
