"""A way of making instances: launches, finds, destroys."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network

from runctl.localcloud.machines import addresses, residue
from runctl.localcloud.machines.addresses import Addresses
from runctl.localcloud.machines.errors import MachineError
from runctl.localcloud.machines.keeper import folder as places
from runctl.localcloud.machines.machine import Machine
from runctl.localcloud.machines.plan import Plan
from runctl.localcloud.machines.results import Event, Feature, State, TierReport
from runctl.localcloud.machines.spec import CloudPlace, MachineSpec
from runctl.localcloud.machines.watch import Watch

KEEPER = os.path.join(os.path.dirname(__file__), "keeper")
_LAUNCH_TIMEOUT_S = 120


class Tier:
    """Makes the instances of one cloud. Its methods may be called from many threads at once."""

    FEATURES: frozenset[Feature] = frozenset()
    """What it has at best."""
    ssh_port = 22

    def __init__(self, cloud: CloudPlace, report: TierReport) -> None:
        self.cloud = cloud
        self.report = report
        os.makedirs(cloud.machines, exist_ok=True)
        self.addresses = Addresses(cloud.shared, self._choose_network)
        self._watch = Watch()
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    @property
    def network(self) -> IPv4Network:
        """The cloud's own block of addresses."""
        return self.addresses.network

    def reserve_address(self, instance_id: str, within: IPv4Network | None = None) -> str:
        """Return the address that an instance has, or will have, until it is destroyed."""
        return self.addresses.reserve(instance_id, within)

    def release_address(self, instance_id: str) -> None:
        """Give back the address of an instance that was never launched."""
        self.addresses.release(instance_id)

    def listen(self, hear: Callable[[Event], None]) -> None:
        """Call, on a thread of the tier's, for what happens to machines launched or found here."""
        self._watch.listen(hear)

    def launch(self, spec: MachineSpec) -> Machine:
        """Start an instance, and return once it is up; one that is up already stays as it is.

        One that had ended is started again on its own disk. Raises ``MachineError``.
        """
        self._refuse(spec)
        path = self.cloud.machine(spec.instance_id)
        with self._alone(spec.instance_id):
            running = self.find(spec.instance_id)
            if running is not None and running.state == State.RUNNING:
                running.wait_until_up()
                return running
            self._prepare()
            self._write_plan(spec, path)
            if self._start_keeper(path):
                Machine(path).wait_until_up()
            return self._found(path)

    def find(self, instance_id: str) -> Machine | None:
        """Return an instance that was launched and not destroyed, whatever its state."""
        path = self.cloud.machine(instance_id)
        if not os.path.exists(os.path.join(path, places.PLAN)):
            return None
        return self._found(path)

    def all(self) -> list[Machine]:
        """Return all instances that were launched and not destroyed."""
        found = [self.find(name) for name in sorted(os.listdir(self.cloud.machines))]
        return [machine for machine in found if machine is not None]

    def destroy(self, instance_id: str) -> None:
        """Kill an instance, and remove all that it has; nothing happens where it is gone."""
        path = self.cloud.machine(instance_id)
        with self._alone(instance_id):
            self._watch.forget(path)
            self._remove_residue(instance_id)
            self._remove_folder(path)
            if os.path.lexists(path):
                raise MachineError("destroy", f"{path} cannot be removed")
            self.addresses.release(instance_id)

    def purge(self) -> None:
        """Remove all that this cloud's machines have left on the host, known or not."""
        for name in os.listdir(self.cloud.machines) if os.path.isdir(self.cloud.machines) else ():
            self.destroy(name)
        self._remove_residue(None)
        for folder in (self.cloud.machines, self.cloud.shared):
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Listen no more. Instances go on."""
        self._watch.close()

    def _choose_network(self) -> IPv4Network:
        raise NotImplementedError

    def _prepare(self) -> None:
        """Make what all instances of the cloud share."""

    def _remove_residue(self, instance_id: str | None) -> None:
        """Kill and unmount what an instance, or the cloud, has on the host."""
        residue.remove(self.cloud, instance_id)

    def _complete(self, plan: Plan) -> None:
        """Add to the plan what is the tier's own."""

    def _refuse(self, spec: MachineSpec) -> None:
        """Raise where the spec asks for what this tier lacks."""
        wanted = {Feature.SYSTEMD} if spec.init == "systemd" else set()
        wanted |= set() if spec.has_python else {Feature.HIDE_PYTHON}
        wanted |= {Feature.VOLUMES} if spec.volumes else set()
        lacking = sorted(wanted - self.report.features)
        if lacking:
            raise MachineError("launch", f"the {self.report.name} tier has no {', '.join(lacking)}")

    def _remove_folder(self, path: str) -> None:
        shutil.rmtree(path, ignore_errors=True)

    def _write_plan(self, spec: MachineSpec, path: str) -> None:
        os.makedirs(path, mode=0o700, exist_ok=True)
        plan = _plan(spec, self.cloud.id, self.report)
        plan["ssh_port"] = self.ssh_port
        self._complete(plan)
        target = os.path.join(path, places.PLAN)
        with open(f"{target}.new", "w", encoding="utf-8") as file:
            json.dump(plan, file)
        os.replace(f"{target}.new", target)

    def _start_keeper(self, path: str) -> bool:
        """Start it, and wait until the instance is up; return whether there was one already."""
        argv = [sys.executable, "-I", "-S", KEEPER, "start", path]
        try:
            result = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                timeout=_LAUNCH_TIMEOUT_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired as fault:
            raise MachineError("keeper", str(fault)) from fault
        try:
            outcome = json.loads(result.stdout)
        except ValueError:
            raise MachineError("keeper", result.stderr.strip() or "it said nothing") from None
        if not outcome["ok"]:
            raise MachineError(outcome["step"], outcome["words"])
        return "was_there" in outcome

    def _found(self, path: str) -> Machine:
        machine = Machine(path)
        if machine.state == State.RUNNING:
            self._watch.add(machine.id, path)
        return machine

    @contextmanager
    def _alone(self, instance_id: str) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(instance_id, threading.Lock())
        with lock:
            yield


def _plan(spec: MachineSpec, cloud_id: str, report: TierReport) -> Plan:
    fields = dataclasses.asdict(spec)
    tier = {
        "cloud_id": cloud_id, "tier": report.name, "users": report.users,
        "prefix": addresses.PREFIX, "gateway": None, "switch": None, "disk_image": None,
        "ssh_port": 0,
        "ssh_user": spec.login,
        "has_volumes": Feature.VOLUMES in report.features,
    }  # fmt: skip
    plan: Plan = {**fields, **tier}  # type: ignore[typeddict-item]
    return plan
