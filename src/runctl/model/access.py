"""What leads into an instance: ports that are forwarded, and a Host block of ssh_config."""

from __future__ import annotations

from runctl.model.codec import Value


class Forward(Value, frozen=True, kw_only=True):
    """A port of this machine's loopback that leads to one of the instance's."""

    local_port: int
    remote_port: int

    @property
    def address(self) -> str:
        """What to open here."""
        return f"http://127.0.0.1:{self.local_port}"


class SshHost(Value, frozen=True, kw_only=True):
    """An instance as OpenSSH's own files name it; ``options`` are keywords of ssh_config."""

    alias: str
    instance_id: str
    options: dict[str, str]
