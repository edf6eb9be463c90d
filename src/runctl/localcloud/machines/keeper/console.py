"""The console of an instance: what GetConsoleOutput shows."""

from __future__ import annotations

import os

_LIMIT_BYTES = 1 << 20


class Console:
    """A file that only grows, up to a limit."""

    def __init__(self, path: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)

    def say(self, *lines: str) -> None:
        """Write lines."""
        self.write("".join(f"{line}\n" for line in lines).encode())

    def write(self, raw: bytes) -> None:
        """Write what a command has written."""
        left = _LIMIT_BYTES - os.fstat(self._file).st_size
        if left > 0:
            os.write(self._file, raw[:left])

    def show_host_keys(self, public: str) -> None:
        """Print the host's key as cloud-init does."""
        self.say("-----BEGIN SSH HOST KEY KEYS-----", public, "-----END SSH HOST KEY KEYS-----")

    def show_login(self, user: str, keys: int) -> None:
        """Print whose keys let in, as cloud-init does."""
        if keys:
            path = f"/home/{user}/.ssh/authorized_keys"
            self.say(f"ci-info: ++++Authorized keys from {path} for user {user}++++")
        else:
            self.say(f"ci-info: no authorized SSH keys fingerprints found for user {user}.")
