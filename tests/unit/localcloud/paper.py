"""Machines on paper: they are up at once, and do nothing but remember."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from runctl.localcloud.machines.errors import MachineError, MachineGone, VolumeBusy
from runctl.localcloud.machines.machine import CommandRequest
from runctl.localcloud.machines.results import End, Event, Feature, State, TierReport
from runctl.localcloud.machines.spec import MachineSpec, Volume


@dataclass
class PaperMachine:
    """One machine."""

    spec: MachineSpec
    state: State = State.RUNNING
    end: End | None = None
    console: str = "/nonexistent"
    done: list[str] = field(default_factory=list)
    """What was done to it, in words."""
    is_without_disk: bool = False
    volumes: dict[str, Volume] = field(default_factory=dict)
    """Those that are attached now."""
    busy: set[str] = field(default_factory=set)
    """Those of them that are mounted."""
    refused: set[str] = field(default_factory=set)
    """Those that cannot be attached."""

    @property
    def id(self) -> str:
        return self.spec.instance_id

    def stop(self, grace_s: float = 0.0) -> None:
        self.done.append("stop")
        self.state, self.end = State.ENDED, End("stop", None)

    def reboot(self, grace_s: float = 0.0) -> None:
        self.done.append("reboot")

    def freeze(self) -> None:
        self.done.append("freeze")

    def thaw(self) -> None:
        self.done.append("thaw")

    def fill_disk(self) -> None:
        if self.is_without_disk:
            raise MachineError("disk", "the disk has no size of its own")
        self.done.append("fill disk")

    def free_disk(self) -> None:
        self.done.append("free disk")

    def set_connected(self, *, is_connected: bool) -> None:
        self.done.append("connect" if is_connected else "cut")

    def hello(self) -> dict[str, int]:
        return {"init": 4711}

    def attach(self, volume: Volume) -> None:
        if volume.volume_id in self.refused:
            raise MachineError("attach", "refused")
        self.done.append(f"attach {volume.device}")
        self.volumes[volume.volume_id] = volume

    def detach(self, volume_id: str, *, is_forced: bool = False) -> None:
        if volume_id in self.busy and not is_forced:
            raise VolumeBusy("detach", "mounted")
        self.done.append(f"detach {volume_id}")
        self.volumes.pop(volume_id, None)

    def exec(self, request: CommandRequest) -> None:
        raise MachineGone("exec", "nothing runs on paper")


class PaperTier:
    """A tier whose machines are on paper. ``refusal`` makes the next launches fail."""

    def __init__(self) -> None:
        features = frozenset(Feature) - {Feature.SYSTEMD}
        self.report = TierReport("paper", True, "for tests", features)
        self.machines: dict[str, PaperMachine] = {}
        self.network = IPv4Network("10.64.0.0/16")
        self.addresses: dict[str, str] = {}
        self.refusal: MachineError | None = None
        self._hearers: list[Callable[[Event], None]] = []

    def reserve_address(self, instance_id: str, within: IPv4Network | None = None) -> str:
        block = within or self.network
        free = (str(one) for one in block if str(one) not in self.addresses.values())
        return self.addresses.setdefault(instance_id, next(itertools.islice(free, 4, None)))

    def release_address(self, instance_id: str) -> None:
        self.addresses.pop(instance_id, None)

    def listen(self, hear: Callable[[Event], None]) -> None:
        self._hearers.append(hear)

    def launch(self, spec: MachineSpec) -> PaperMachine:
        if self.refusal is not None:
            raise self.refusal
        known = self.machines.get(spec.instance_id)
        if known is None or known.state != State.RUNNING:
            self.machines[spec.instance_id] = PaperMachine(spec)
        return self.machines[spec.instance_id]

    def find(self, instance_id: str) -> PaperMachine | None:
        return self.machines.get(instance_id)

    def all(self) -> list[PaperMachine]:
        return list(self.machines.values())

    def destroy(self, instance_id: str) -> None:
        self.machines.pop(instance_id, None)
        self.addresses.pop(instance_id, None)

    def lose(self, instance_id: str, reason: str = "lost") -> None:
        """End a machine from inside, and tell who listens."""
        machine = self.machines[instance_id]
        is_lost = reason == "lost"
        machine.state = State.LOST if is_lost else State.ENDED
        machine.end = None if is_lost else End(reason, None)
        for hear in self._hearers:
            hear(Event(instance_id, "ended", reason=reason))
