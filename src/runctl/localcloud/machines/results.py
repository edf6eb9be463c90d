"""What is told about tiers, machines and commands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Feature(StrEnum):
    """What an instance of a tier may have."""

    OWN_FILES = "own_files"
    """A root of its own: what it changes, nobody else sees."""
    OWN_PROCESSES = "own_processes"
    OWN_NETWORK = "own_network"
    """169.254.169.254:80 inside, and the cloud's ports of 127.0.0.1 for this instance alone."""
    PEERS = "peers"
    """Instances reach each other by their addresses."""
    USERS = "users"
    """Root and the login user are different ones, and what one owns the other does not."""
    SUDO = "sudo"
    """From the login user to root, and back, without a password."""
    SSH = "ssh"
    SYSTEMD = "systemd"
    DISK_LIMIT = "disk_limit"
    """The disk has a size, and can be full."""
    MEMORY_LIMIT = "memory_limit"
    FREEZER = "freezer"
    """All processes stop in one moment; without it, one after the other."""
    VOLUMES = "volumes"
    """They can be attached, given a file system of the ext family, and mounted by root."""
    BLOCK_DEVICES = "block_devices"
    """Volumes are block devices, with all that goes with it; without it they are files."""
    HIDE_PYTHON = "hide_python"


@dataclass(frozen=True, slots=True)
class TierReport:
    """Whether a tier can be had here, and what it has."""

    name: str
    is_usable: bool
    reason: str
    """Why not, in the system's own words; else how it is made."""
    features: frozenset[Feature] = frozenset()
    users: str | None = None
    """Of its user namespace: ``all``, ``subordinate``, ``single``; None where it has none."""


class State(StrEnum):
    """How a machine is."""

    RUNNING = "running"
    ENDED = "ended"
    """It was stopped, or switched itself off; its disk is there."""
    LOST = "lost"
    """Its keeper or its first process was killed."""


@dataclass(frozen=True, slots=True)
class End:
    """How a machine ended: ``poweroff``, ``stop`` or ``lost``, and when (epoch seconds)."""

    reason: str
    time: float | None


@dataclass(frozen=True, slots=True)
class CommandStatus:
    """How a command is doing; times are epoch seconds."""

    state: str
    """``running``, ``ended``, or ``lost``: the instance went from under it."""
    pid: int | None
    """As the instance numbers it."""
    exit_status: int | None
    signal: int | None
    timed_out: bool
    cancelled: bool
    started: float
    ended: float | None
    stdout: str
    """The file that holds what it wrote so far."""
    stderr: str


@dataclass(frozen=True, slots=True)
class Event:
    """What happened to a machine: ``command``, ``going down``, ``booted``, ``ended``."""

    instance_id: str
    kind: str
    command_id: str | None = None
    reason: str | None = None
