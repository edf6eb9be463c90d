"""Do something in the instance's mount namespace, though all in it may be frozen."""

from __future__ import annotations

import json
import os

from runctl.localcloud.machines.keeper import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runctl.localcloud.machines.plan import Message


def run_inside(init: int, has_users: bool, work: Callable[[], Message]) -> Message:
    """Return what ``work`` does, called in a process that sees what the first process sees.

    ``has_users`` says whether the instance has a user namespace. Raises ``OSError`` as it does.
    """
    heard, said = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _be_inside(init, said, has_users, work)
    os.close(said)
    with open(heard, encoding="utf-8") as file:
        answer: Message = json.loads(file.read() or '{"fault": [0, "it ended at once"]}')
    os.waitpid(pid, 0)
    if "fault" in answer:
        raise OSError(*answer["fault"])
    return answer


def _be_inside(init: int, said: int, has_users: bool, work: Callable[[], Message]) -> None:
    """Go in, and work; never returns."""
    try:
        for name in ("user", "mnt") if has_users else ("mnt",):
            kernel.enter(os.open(f"/proc/{init}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC), name)
        answer = work()
    except OSError as fault:
        answer = {"fault": [fault.errno or 0, fault.strerror or str(fault)]}
    os.write(said, json.dumps(answer).encode())
    os._exit(0)
