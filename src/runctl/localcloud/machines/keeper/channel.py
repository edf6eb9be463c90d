"""Messages of JSON with descriptors, between the keeper and what it has inside."""

from __future__ import annotations

import array
import json
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runctl.localcloud.machines.plan import Message

_LARGEST = 65536
_DESCRIPTORS = 16


class Channel:
    """One end of a pair."""

    def __init__(self, end: socket.socket, *, is_patient: bool = True) -> None:
        self._socket = end
        self._flags = 0 if is_patient else socket.MSG_DONTWAIT

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._socket.fileno()

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send; raise ``OSError`` where the other end is gone, or does not listen."""
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        raw = [json.dumps(message).encode()]
        self._socket.sendmsg(raw, ancillary if descriptors else [], self._flags)

    def receive(self) -> tuple[Message, list[int]] | None:
        """Return the next message, and its descriptors; None where the other end is gone."""
        descriptors = array.array("i")
        try:
            raw, ancillary, _, _ = self._socket.recvmsg(
                _LARGEST, socket.CMSG_LEN(_DESCRIPTORS * descriptors.itemsize)
            )
        except ConnectionError:
            return None
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        return (json.loads(raw), list(descriptors)) if raw else None

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


def pair() -> tuple[Channel, Channel]:
    """Return two ends that hear each other: the keeper's, which waits for nobody, and the other."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(one, is_patient=False), Channel(other)
