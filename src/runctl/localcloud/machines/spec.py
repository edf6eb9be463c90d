"""What the cloud says about an instance, and where a cloud lives."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

_SHORT_ID = re.compile(r"[a-z0-9]{1,8}")
_INSTANCE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
LOGINS = ("ec2-user", "ubuntu")


@dataclass(frozen=True, slots=True)
class CloudPlace:
    """A cloud: its short id, which is in the name of all that it makes on the host."""

    id: str
    """At most 8 of a-z and 0-9; unlike that of any other cloud of this host."""
    folder: str
    """Where its machines are kept, in a folder of their own."""

    def __post_init__(self) -> None:
        if not _SHORT_ID.fullmatch(self.id):
            raise ValueError(f"not a short id: {self.id!r}")

    @property
    def machines(self) -> str:
        """The folder that holds one folder for each instance."""
        return os.path.join(os.path.abspath(self.folder), "machines")

    @property
    def shared(self) -> str:
        """The folder of what its machines have in common."""
        return os.path.join(os.path.abspath(self.folder), "machines-shared")

    def machine(self, instance_id: str) -> str:
        """Return the folder of an instance."""
        if not _INSTANCE_ID.fullmatch(instance_id):
            raise ValueError(f"not an instance id: {instance_id!r}")
        return os.path.join(self.machines, instance_id)


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder of the host that the instance sees."""

    source: str
    target: str
    is_read_only: bool = True


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume, whose bytes are those of a file: a sparse one, of the volume's size."""

    volume_id: str
    path: str
    device: str | None = None
    """The name that was asked for, such as ``/dev/sdf``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpec:
    """What an instance is to be. It is read at its launch only."""

    instance_id: str
    address: str
    """One that ``Tier.reserve_address`` gave for it."""
    hostname: str
    login: str = "ec2-user"
    authorized_keys: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    """What every command, login and unit has, such as ``AWS_ENDPOINT_URL``."""
    endpoint_port: int | None = None
    """Of 127.0.0.1 inside, for the cloud's endpoint; the same as outside."""
    proxy_port: int | None = None
    """Of 127.0.0.1 inside, for a proxy that the cloud may have."""
    user_data: str | None = None
    """In base64, as it came with RunInstances."""
    init: str = "tiny"
    """``tiny``, or ``systemd`` where the tier has it."""
    has_python: bool = True
    """Whether a Python of 3.11 or newer is to be found."""
    has_device_links: bool = True
    """Whether a volume has a link of the name that was asked for, as on Amazon Linux."""
    disk_bytes: int = 8 << 30
    memory_bytes: int | None = None
    binds: tuple[Bind, ...] = ()
    volumes: tuple[Volume, ...] = ()
    """Those that it has from the start; more may be attached later."""
    instance_store: tuple[int, ...] = ()
    """Bytes of each local disk that the type has; seen where the tier has block devices."""
