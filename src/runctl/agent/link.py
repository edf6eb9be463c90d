"""The line between the agent and its reaper: words, one a line, over two pipes."""

from __future__ import annotations

import os
import select
import signal


class ReaperLink:
    """What the reaper has said so far, and whether it is still there."""

    def __init__(self, read_descriptor: int, write_descriptor: int) -> None:
        self._read = read_descriptor
        self._write = write_descriptor
        self._buffer = b""
        self._heard: set[str] = set()
        self.is_gone = False

    def has_said(self, word: str) -> bool:
        return word in self._heard

    def wait(self, timeout_s: float) -> None:
        """Listen for at most this long; return as soon as something was said."""
        if self.is_gone:
            return
        ready, _, _ = select.select([self._read], [], [], timeout_s)
        if ready:
            self._hear()

    def start_command(self) -> None:
        self._say("start")

    def send_signal(self, number: signal.Signals, *, is_group: bool) -> None:
        self._say(f"signal {number.value} {'group' if is_group else 'process'}")

    def _hear(self) -> None:
        data = os.read(self._read, 4096)
        self.is_gone = not data
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        self._heard.update(line.decode() for line in lines)

    def _say(self, word: str) -> None:
        try:
            os.write(self._write, f"{word}\n".encode())
        except BrokenPipeError:
            self.is_gone = True
