"""Speaks with a keeper: one connection for each question."""

from __future__ import annotations

import array
import errno
import json
import os
import socket

from runctl.localcloud.machines.errors import MachineError, MachineGone, VolumeBusy
from runctl.localcloud.machines.keeper.folder import CONTROL
from runctl.localcloud.machines.plan import Message

_CHUNK_BYTES = 65536
_DESCRIPTORS = 16


def connect(folder: str) -> socket.socket:
    """Return a connection to the keeper of a folder; raise ``MachineGone`` where there is none."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # A socket's name is at most 107 bytes long, and a folder's may be longer.
        place = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            made.connect(f"/proc/self/fd/{place}/{CONTROL}")
        finally:
            os.close(place)
    except OSError as fault:
        made.close()
        raise MachineGone("keeper", str(fault)) from fault
    return made


def ask(folder: str, message: Message, timeout_s: float | None = 60) -> Message:
    """Ask, and return the answer; raise ``MachineError`` where the keeper refuses."""
    answer, descriptors = ask_for_descriptors(folder, message, timeout_s)
    for descriptor in descriptors:
        os.close(descriptor)
    return answer


def ask_for_descriptors(
    folder: str, message: Message, timeout_s: float | None = 60
) -> tuple[Message, list[int]]:
    """Ask, and return the answer with the descriptors that came with it: they are the caller's."""
    with connect(folder) as connection:
        connection.settimeout(timeout_s)
        try:
            connection.sendall(json.dumps(message).encode() + b"\n")
            raw, descriptors = _receive_line(connection)
        except OSError as fault:
            raise MachineGone(message["op"], str(fault)) from fault
    if not raw:
        raise MachineGone(message["op"], "the keeper hung up")
    answer: Message = json.loads(raw)
    if not answer["ok"]:
        kind = VolumeBusy if answer.get("errno") == errno.EBUSY else MachineError
        raise kind(message["op"], answer["error"])
    return answer, descriptors


def _receive_line(connection: socket.socket) -> tuple[bytes, list[int]]:
    descriptors = array.array("i")
    raw = b""
    while not raw.endswith(b"\n"):
        chunk, ancillary, _, _ = connection.recvmsg(
            _CHUNK_BYTES, socket.CMSG_LEN(_DESCRIPTORS * descriptors.itemsize)
        )
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        if not chunk:
            break
        raw += chunk
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return raw, list(descriptors)
