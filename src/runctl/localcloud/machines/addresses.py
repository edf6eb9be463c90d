"""The addresses of a cloud: a /16 of its own, and one address of it for each instance."""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network

from runctl.localcloud.machines.errors import MachineError

PREFIX = 16
_FIRST_HOST = 4  # as in a VPC: the first ones are the network's
_TAKEN = "addresses"


class Addresses:
    """Keeps, in the cloud's folder, which /16 the cloud has, and who has which address.

    Many threads and processes may use it at once.
    """

    def __init__(self, folder: str, choose: Callable[[], IPv4Network]) -> None:
        self._folder = folder
        self._choose = choose

    @property
    def network(self) -> IPv4Network:
        """The cloud's own; chosen at the first call, and the same ever after."""
        with self._locked():
            path = os.path.join(self._folder, "network.json")
            if not os.path.exists(path):
                with open(f"{path}.new", "w", encoding="utf-8") as file:
                    json.dump({"network": str(self._choose())}, file)
                os.replace(f"{path}.new", path)
            with open(path, encoding="utf-8") as file:
                return IPv4Network(json.load(file)["network"])

    @property
    def gateway(self) -> str:
        """The host's address in it."""
        return str(self.network[1])

    def reserve(self, instance_id: str, within: IPv4Network | None = None) -> str:
        """Return an instance's address; it has it until it is released.

        ``within`` is the part of the network that a new one is to be of.
        """
        network = self.network if within is None else within
        with self._locked():
            taken = self._taken()
            known = [address for address, owner in taken.items() if owner == instance_id]
            address = known[0] if known else self._next(network, taken)
            if not known:
                os.symlink(instance_id, os.path.join(self._folder, _TAKEN, address))
            return address

    def of(self, instance_id: str) -> str | None:
        """Return the address that an instance has; None where it has none."""
        with self._locked():
            taken = self._taken().items()
        return next((address for address, owner in taken if owner == instance_id), None)

    def release(self, instance_id: str) -> None:
        """Give an instance's address back."""
        with self._locked():
            for address, owner in self._taken().items():
                if owner == instance_id:
                    os.unlink(os.path.join(self._folder, _TAKEN, address))

    def _next(self, network: IPv4Network, taken: dict[str, str]) -> str:
        """Return the one after the last one given out, so that none is soon used again."""
        path = os.path.join(self._folder, "last-address")
        last = _FIRST_HOST - 1
        if os.path.exists(path):
            with open(path, encoding="ascii") as file:
                last = int(file.read())
        usable = network.num_addresses - _FIRST_HOST - 1
        for step in range(1, usable):
            number = _FIRST_HOST + (last - _FIRST_HOST + step) % usable
            if str(network[number]) not in taken:
                with open(path, "w", encoding="ascii") as file:
                    file.write(str(number))
                return str(network[number])
        raise MachineError("address", f"all addresses of {network} are taken")

    def _taken(self) -> dict[str, str]:
        folder = os.path.join(self._folder, _TAKEN)
        os.makedirs(folder, exist_ok=True)
        return {name: os.readlink(os.path.join(folder, name)) for name in os.listdir(folder)}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with locked(self._folder, "addresses.lock"):
            yield


@contextmanager
def locked(folder: str, name: str) -> Iterator[None]:
    """Hold a lock of the cloud's folder, against threads and processes alike."""
    os.makedirs(folder, exist_ok=True)
    descriptor = os.open(os.path.join(folder, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def choose_private(used: Iterable[IPv4Network], dice: random.Random) -> IPv4Network:
    """Return a /16 of 10.64.0.0/10 that overlaps with nothing in use."""
    return _choose([IPv4Network(f"10.{number}.0.0/16") for number in range(64, 128)], used, dice)


def choose_loopback(used: Iterable[IPv4Network], dice: random.Random) -> IPv4Network:
    """Return a /16 of the loopback network that overlaps with nothing in use."""
    return _choose([IPv4Network(f"127.{number}.0.0/16") for number in range(2, 250)], used, dice)


def used_by_routes() -> list[IPv4Network]:
    """Return the networks to which this host has a route."""
    found = []
    with open("/proc/net/route", encoding="ascii") as file:
        for line in file.readlines()[1:]:
            fields = line.split()
            mask = ipaddress.IPv4Address(_swapped(fields[7]))
            if int(mask):
                found.append(IPv4Network((_swapped(fields[1]), str(mask)), strict=False))
    return found


def used_by_listeners() -> list[IPv4Network]:
    """Return the /16 of each loopback address on which something listens."""
    found = set()
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file.readlines()[1:]:
            local = ipaddress.IPv4Address(_swapped(line.split()[1].partition(":")[0]))
            if local.is_loopback:
                found.add(IPv4Network((int(local), PREFIX), strict=False))
    return sorted(found)


def _choose(
    candidates: list[IPv4Network], used: Iterable[IPv4Network], dice: random.Random
) -> IPv4Network:
    used = list(used)
    free = [one for one in candidates if not any(one.overlaps(other) for other in used)]
    if not free:
        raise MachineError("address", "no network is free for this cloud")
    return dice.choice(free)


def _swapped(text: str) -> int:
    """Read the kernel's hexadecimal, which is in the byte order of the machine: little."""
    return int.from_bytes(bytes.fromhex(text), "little")
