"""One instance of a tier, started to see what it really has."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from threading import Event as Signal

from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.keeper import cgroups
from runctl.localcloud.machines.machine import CommandRequest, Machine
from runctl.localcloud.machines.results import Feature, TierReport
from runctl.localcloud.machines.spec import CloudPlace, MachineSpec
from runctl.localcloud.machines.tier import Tier

_PATIENCE_S = 30.0
_FUSE = "command -v fuse2fs > /dev/null && (exec 3<> /dev/fuse) 2> /dev/null && echo fuse"
_SYSTEMD = ("/lib/systemd/systemd", "/usr/lib/systemd/systemd")


def run(kind: type[Tier], candidate: TierReport, cloud: CloudPlace) -> TierReport:
    """Return the report of what works; raise ``MachineError`` where not even a command does."""
    tier = kind(cloud, candidate)
    try:
        address = tier.reserve_address("i-trial")
        spec = MachineSpec(instance_id="i-trial", address=address, hostname="trial")
        machine = tier.launch(spec)
        if _output(tier, machine, "root", "echo works") != "works\n":
            raise MachineError("exec", "a command did not run")
        return replace(candidate, features=_features(tier, machine, candidate.features))
    finally:
        tier.purge()
        tier.close()


def _features(tier: Tier, machine: Machine, promised: frozenset[Feature]) -> frozenset[Feature]:
    found = set(promised)
    if _output(tier, machine, machine.plan["login"], "sudo -n id -u") != "0\n":
        found.discard(Feature.SUDO)
    if not _answers_ssh(machine):
        found.discard(Feature.SSH)
    if Feature.BLOCK_DEVICES not in found and _output(tier, machine, "root", _FUSE) != "fuse\n":
        found.discard(Feature.VOLUMES)
    if not any(map(os.path.exists, _SYSTEMD)):
        found.discard(Feature.SYSTEMD)
    groups = cgroups.Cgroup(f"rcl{tier.cloud.id}/i-trial").found()
    if not groups & {"freezer", "v2"}:
        found.discard(Feature.FREEZER)
    if "memory" not in groups:
        found.discard(Feature.MEMORY_LIMIT)
    return frozenset(found)


def _output(tier: Tier, machine: Machine, user: str, script: str) -> str:
    """Return what a command writes."""
    over = Signal()
    name = f"trial-{len(machine.commands())}"
    tier.listen(lambda event: over.set() if event.command_id == name else None)
    request = CommandRequest(id=name, argv=("/bin/sh", "-c", script), user=user)
    status = machine.exec(request)
    if status.state == "running" and not over.wait(_PATIENCE_S):
        raise MachineError("exec", "a command did not end")
    with open(status.stdout, encoding="utf-8") as file:
        return file.read()


def _answers_ssh(machine: Machine) -> bool:
    place = (machine.address, machine.ssh_port)
    try:
        with socket.create_connection(place, _PATIENCE_S) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
