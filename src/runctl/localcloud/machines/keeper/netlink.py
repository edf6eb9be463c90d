"""Links, addresses and routes, by rtnetlink: no tool is started for them."""

from __future__ import annotations

import os
import socket
import struct

_NEWLINK, _DELLINK, _GETLINK, _NEWADDR, _NEWROUTE = 16, 17, 18, 20, 24
_REQUEST, _ACK, _REPLACE, _EXCL, _CREATE = 1, 4, 0x100, 0x200, 0x400
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 10, 18, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_GATEWAY, _RTA_OIF = 5, 4
_IFF_UP = 1


class Network:
    """The network namespace in which it was made, until it is closed."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        """Let go of the namespace."""
        self._socket.close()

    def index(self, name: str) -> int:
        """Return the number of a link; raise ``OSError`` where there is none."""
        body = _link(0) + _attribute(_IFLA_IFNAME, name.encode() + b"\0")
        answer = self._ask(_GETLINK, _REQUEST, body)
        return int(struct.unpack_from("=BxHi", answer, 16)[2])

    def add_bridge(self, name: str) -> None:
        """Make a bridge."""
        info = _attribute(_IFLA_INFO_KIND, b"bridge")
        self._create(_attribute(_IFLA_IFNAME, name.encode() + b"\0"), info)

    def add_pair(self, name: str, peer: str, peer_namespace: int, mac: bytes | None = None) -> None:
        """Make a veth here whose other end is in the namespace behind a descriptor."""
        other = _link(0) + _attribute(_IFLA_IFNAME, peer.encode() + b"\0")
        other += _attribute(_IFLA_NET_NS_FD, struct.pack("=I", peer_namespace))
        if mac is not None:
            other += _attribute(_IFLA_ADDRESS, mac)
        data = _attribute(_VETH_INFO_PEER, other)
        info = _attribute(_IFLA_INFO_KIND, b"veth") + _attribute(_IFLA_INFO_DATA, data)
        self._create(_attribute(_IFLA_IFNAME, name.encode() + b"\0"), info)

    def set_master(self, name: str, bridge: str) -> None:
        """Plug a link into a bridge."""
        master = _attribute(_IFLA_MASTER, struct.pack("=I", self.index(bridge)))
        self._ask(_NEWLINK, _REQUEST | _ACK, _link(self.index(name)) + master)

    def set_up(self, name: str, *, is_up: bool = True) -> None:
        """Switch a link on, or off."""
        flags = _IFF_UP if is_up else 0
        self._ask(_NEWLINK, _REQUEST | _ACK, _link(self.index(name), flags, _IFF_UP))

    def delete(self, name: str) -> None:
        """Remove a link, and its peer; raise ``OSError`` where there is none."""
        self._ask(_DELLINK, _REQUEST | _ACK, _link(self.index(name)))

    def add_address(self, name: str, address: str, prefix: int) -> None:
        """Give a link an address; one that it has already stays."""
        raw = socket.inet_aton(address)
        body = struct.pack("=BBBBI", socket.AF_INET, prefix, 0, 0, self.index(name))
        body += _attribute(_IFA_LOCAL, raw) + _attribute(_IFA_ADDRESS, raw)
        self._ask(_NEWADDR, _REQUEST | _ACK | _CREATE | _REPLACE, body)

    def add_default_route(self, gateway: str, name: str) -> None:
        """Send what is for elsewhere to a gateway."""
        body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 3, 0, 1, 0)
        body += _attribute(_RTA_GATEWAY, socket.inet_aton(gateway))
        body += _attribute(_RTA_OIF, struct.pack("=I", self.index(name)))
        self._ask(_NEWROUTE, _REQUEST | _ACK | _CREATE | _REPLACE, body)

    def _create(self, attributes: bytes, info: bytes) -> None:
        body = _link(0) + attributes + _attribute(_IFLA_LINKINFO, info)
        self._ask(_NEWLINK, _REQUEST | _ACK | _CREATE | _EXCL, body)

    def _ask(self, kind: int, flags: int, body: bytes) -> bytes:
        self._sequence += 1
        head = struct.pack("=IHHII", 16 + len(body), kind, flags, self._sequence, 0)
        self._socket.send(head + body)
        answer = self._socket.recv(65536)
        if struct.unpack_from("=H", answer, 4)[0] == 2:  # NLMSG_ERROR
            number = -struct.unpack_from("=i", answer, 16)[0]
            if number:
                raise OSError(number, f"rtnetlink {kind}: {os.strerror(number)}")
        return answer


def _link(index: int, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


def _attribute(kind: int, value: bytes) -> bytes:
    raw = struct.pack("=HH", 4 + len(value), kind) + value
    return raw + bytes(-len(raw) % 4)
