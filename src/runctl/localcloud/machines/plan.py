"""What a keeper is told: the ``spec.json`` of an instance's folder."""

from __future__ import annotations

TYPE_CHECKING = False  # the keeper pays for no import that it can do without
if TYPE_CHECKING:
    from typing import Any, TypedDict

    class Bind(TypedDict):
        """A file or folder of the host that the instance sees."""

        source: str
        target: str
        is_read_only: bool

    class Volume(TypedDict):
        """A file that is a volume."""

        volume_id: str
        path: str
        device: str | None

    class Plan(TypedDict):
        """All that makes one instance what it is; written once, before its keeper starts."""

        instance_id: str
        cloud_id: str
        tier: str
        """``root``, ``namespace``, ``bubblewrap`` or ``plain``."""
        users: str | None
        """Of its user namespace: ``all``, ``subordinate``, ``single``; None where it has none."""
        address: str
        prefix: int
        gateway: str | None
        switch: str | None
        """The file of the network namespace that holds the cloud's bridge."""
        ssh_port: int
        ssh_user: str
        """Who can log in: the login user, or who we are where that one is a name only."""
        hostname: str
        login: str
        authorized_keys: list[str]
        environment: dict[str, str]
        endpoint_port: int | None
        proxy_port: int | None
        user_data: str | None
        """In base64, as it came with RunInstances."""
        init: str
        """``tiny`` or ``systemd``."""
        has_python: bool
        has_device_links: bool
        """Volumes have a link of the name that the user asked for, as on Amazon Linux."""
        disk_bytes: int
        disk_image: str | None
        """An empty file system to begin with; None where the disk cannot have a size."""
        memory_bytes: int | None
        binds: list[Bind]
        has_volumes: bool
        volumes: list[Volume]
        """Those that it has from the start."""
        instance_store: list[int]
        """Bytes of each local disk that the type has."""

    Message = dict[str, Any]
    """A line of JSON."""
else:
    Plan = Bind = Volume = Message = dict
