"""The commands of an instance: started inside, their output and their end kept in its folder."""

from __future__ import annotations

import errno
import os
import signal
from time import time

from runctl.localcloud.machines.keeper import folder as places
from runctl.localcloud.machines.keeper.output import Output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runctl.localcloud.machines.keeper.channel import Channel
    from runctl.localcloud.machines.keeper.folder import Folder
    from runctl.localcloud.machines.keeper.reactor import Reactor
    from runctl.localcloud.machines.plan import Message

STATUS, REQUEST = "status.json", "request.json"
OUTPUT_LIMIT_BYTES = 1 << 30


class Command:
    """One command that runs."""

    def __init__(self, name: str, status: Message) -> None:
        self.name = name
        self.status = status
        self.outputs: list[Output] = []
        self.timer: int | None = None
        self.raw_status: int | None = None
        self.then: Callable[[], None] | None = None

    def is_over(self) -> bool:
        """Whether it has ended, and nothing holds its streams any more that we wait for."""
        if self.raw_status is None:
            return False
        is_cut = self.status["timed_out"] or self.status["cancelled"]
        return is_cut or all(output.is_closed for output in self.outputs)


class Commands:
    """All commands of one boot. A command ends once its process and both its streams have."""

    def __init__(self, folder: Folder, reactor: Reactor, tell: Callable[[Message], None]) -> None:
        self._folder = folder
        self._environment = folder.plan()["environment"]
        self._reactor = reactor
        self._tell = tell
        self._running: dict[str, Command] = {}
        self.channel: Channel | None = None
        """To what is inside; None between two boots."""

    def start(
        self,
        request: Message,
        console: Callable[[bytes], None] | None = None,
        then: Callable[[], None] | None = None,
    ) -> Message:
        """Start a command, or say how the one of that id is doing.

        What it writes goes to the console too, if one is given; ``then`` is called at its end.
        """
        name = request["id"]
        known = self._folder.read(places.COMMANDS, name, STATUS)
        if known is not None:
            return known
        if self.channel is None:
            raise OSError(errno.ESHUTDOWN, "the instance is going down")
        os.makedirs(self._folder.at(places.COMMANDS, name), exist_ok=True)
        command = Command(name, _fresh_status())
        command.then = then
        self._running[name] = command
        asked = {**request, "environment": {**self._environment, **request["environment"]}}
        self._folder.write(asked, places.COMMANDS, name, REQUEST)
        self._write(command)
        self._launch(command, request, console)
        return command.status

    def signal(self, name: str, number: int) -> bool:
        """Send a signal to a command's processes; return whether it runs."""
        command = self._running.get(name)
        if command is None or self.channel is None:
            return False
        command.status["cancelled"] |= number in (signal.SIGKILL, signal.SIGTERM)
        self._send({"signal": name, "number": number})
        return True

    def hear(self, message: Message) -> None:
        """Take in what came from inside."""
        command = self._running.get(message.get("started") or message.get("ended", ""))
        if command is None:
            return
        if "ended" in message:
            command.raw_status = message["status"]
            self._look(command)
        else:
            command.status["pid"] = message["pid"]
            self._write(command)

    def end_all(self) -> None:
        """Write down that the instance went from under the commands."""
        for command in list(self._running.values()):
            self._finish(command, "lost")
        self.channel = None

    def _launch(
        self, command: Command, request: Message, console: Callable[[bytes], None] | None
    ) -> None:
        place = self._folder.at(places.COMMANDS, command.name)
        streams = [_stdin(place, request.get("stdin"))]
        for kind in ("stdout", "stderr"):
            limit = request.get(f"{kind}_limit_bytes") or OUTPUT_LIMIT_BYTES
            output = Output(f"{place}/{kind}", limit, console)
            command.outputs.append(output)
            streams.append(output.writing_end)
            self._watch(command, output)
        asked = os.open(f"{place}/{REQUEST}", os.O_RDONLY | os.O_CLOEXEC)
        is_sent = self._send({"run": command.name}, [asked, *streams])
        for descriptor in (asked, *streams):
            os.close(descriptor)
        if not is_sent:
            self._finish(command, "lost")
        elif request.get("timeout_s"):
            command.timer = self._reactor.after(
                request["timeout_s"], lambda: self._time_out(command)
            )

    def _watch(self, command: Command, output: Output) -> None:
        self._reactor.watch(output.descriptor, lambda: self._copy(command, output))

    def _send(self, message: Message, descriptors: list[int] | None = None) -> bool:
        """Send, unless the instance is about to end, or takes nothing more while it is frozen."""
        try:
            if self.channel is not None:
                self.channel.send(message, descriptors or ())
        except OSError:
            return False
        return self.channel is not None

    def _copy(self, command: Command, output: Output) -> None:
        if not output.copy():
            self._reactor.forget(output.descriptor)
            output.close()
            self._look(command)

    def _time_out(self, command: Command) -> None:
        command.status["timed_out"] = True
        self._send({"signal": command.name, "number": signal.SIGKILL})
        self._look(command)

    def _look(self, command: Command) -> None:
        if command.is_over():
            self._finish(command, "ended")

    def _finish(self, command: Command, state: str) -> None:
        self._reactor.cancel(command.timer)
        for output in command.outputs:
            if not output.is_closed:
                output.drain()
                self._reactor.forget(output.descriptor)
                output.close()
        raw = command.raw_status
        if raw is not None and os.WIFEXITED(raw):
            command.status["exit_status"] = os.WEXITSTATUS(raw)
        elif raw is not None:
            command.status["signal"] = os.WTERMSIG(raw)
        command.status |= {"state": state, "ended": time()}
        self._running.pop(command.name, None)
        self._send({"forget": command.name})
        self._write(command)
        self._tell({"event": "command", "id": command.name, "status": command.status})
        if command.then is not None and state == "ended":
            command.then()

    def _write(self, command: Command) -> None:
        self._folder.write(command.status, places.COMMANDS, command.name, STATUS)


def _fresh_status() -> Message:
    return {
        "state": "running",
        "pid": None,
        "exit_status": None,
        "signal": None,
        "timed_out": False,
        "cancelled": False,
        "started": time(),
        "ended": None,
    }


def _stdin(place: str, text: str | None) -> int:
    if text is None:
        return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    with open(f"{place}/stdin", "w", encoding="utf-8") as file:
        file.write(text)
    return os.open(f"{place}/stdin", os.O_RDONLY | os.O_CLOEXEC)
