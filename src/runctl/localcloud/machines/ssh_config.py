"""What an OpenSSH client must know to reach the instances of a tier."""

from __future__ import annotations

from ipaddress import IPv4Network


def ssh_config(network: IPv4Network, port: int, known_hosts: str | None = None) -> str:
    """Return the text of an ssh_config for all addresses of a cloud's network, a /16.

    ``known_hosts`` is a file that holds the keys of this cloud's instances alone, as addresses
    are used again by other clouds.
    """
    first, second, _, _ = str(network.network_address).split(".")
    lines = [f"Host {first}.{second}.*", f"    Port {port}"]
    if known_hosts is not None:
        lines.append(f'    UserKnownHostsFile "{known_hosts}"')
    return "\n".join([*lines, ""])
