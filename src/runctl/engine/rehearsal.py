"""A local cloud to rehearse against: a process of its own, of which only the outside is known.

That is: the module that starts it, the folder that it is given (``lock`` is held while it runs,
``cloud.json`` has its port and token), and its control endpoint.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runctl.engine.rehearsal_control import Control
from runctl.engine.rehearsal_process import launch, purge
from runctl.errors import CloudNotRunning, TryAgain, UsageError
from runctl.model.cloud import (
    CloudEnd,
    CloudEvent,
    CloudEvents,
    CloudFault,
    CloudKeys,
    CloudStarted,
    CloudStatus,
    FaultOrder,
    Interruption,
)

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}")
_END_S = 30.0
_POLL_S = 0.05
_FOLLOW_S = 10.0


def check_name(name: str) -> None:
    """Raise UsageError for what cannot be the name of a local cloud."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a local cloud",
            hint="use a-z, 0-9, dot, dash and underscore, 63 of them at most",
        )


class Rehearsal:
    """A local cloud: an AWS on this machine, whose instances really run.

    Methods raise CloudNotRunning where it has to run and does not.
    """

    def __init__(self, name: str, folder: Path, environ: Mapping[str, str]) -> None:
        self.name = name
        self.folder = folder
        self._environ = environ

    # -- the process

    def start(self, *, tier: str = "auto", port: int = 0) -> CloudStarted:
        """Start it, as a process of its own, and return once it answers; again is harmless."""
        process, started = launch(self.name, self.folder, self._environ, tier=tier, port=port)
        del process
        return started

    def run(
        self, *, tier: str = "auto", port: int = 0
    ) -> tuple[CloudStarted, subprocess.Popen[bytes] | None]:
        """Start it as a child of this process, which is to be waited for.

        There is no child where it was running already.
        """
        process, started = launch(
            self.name, self.folder, self._environ, tier=tier, port=port, is_child=True
        )
        return started, process

    def stop(self, timeout: timedelta | None = None) -> CloudEnd:
        """End the process; instances run on. One that does not run stays so.

        Where it does not end in time (30 s), it is killed: nothing that it has answered is lost.
        """
        if not self.is_running:
            return self._end(was_running=False, instances=0)
        count = 0
        with suppress(CloudNotRunning, TryAgain):
            count = self._control.ask("POST", "stop", CloudStatus).running
        if not self._has_ended(timeout.total_seconds() if timeout else _END_S):
            self._kill()
        return self._end(was_running=True, instances=count)

    def purge(self) -> CloudEnd:
        """End the process, and remove all there is: instances, disks, buckets, the folder."""
        ended = self.stop()
        count = purge(self.folder, self._environ)
        return self._end(was_running=ended.was_running, instances=count, is_purged=True)

    @property
    def is_running(self) -> bool:
        """Whether a process serves it."""
        try:
            descriptor = os.open(self.folder / "lock", os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    @property
    def is_there(self) -> bool:
        """Whether there is anything of it."""
        return (self.folder / "cloud.json").exists()

    # -- looking

    def status(self) -> CloudStatus:
        """Say how it stands."""
        return self._control.ask("GET", "status", CloudStatus, name=self.name)

    def keys(self, region: str | None = None) -> CloudKeys:
        """Return its address, throw-away credentials, and a region: its first unless named."""
        path = "credentials" if region is None else f"credentials?region={quote(region)}"
        return self._control.ask("GET", path, CloudKeys)

    def events(self, *, since: datetime | None = None) -> Iterator[CloudEvent]:
        """Yield what happened, oldest first, as far as it is kept."""
        return self._read_events(since, is_following=False)

    def follow(self, *, since: datetime | None = None) -> Iterator[CloudEvent]:
        """Yield what happened, and then what happens, until the cloud is stopped."""
        with suppress(CloudNotRunning, TryAgain):
            yield from self._read_events(since, is_following=True)

    # -- changing

    def reset(self) -> None:
        """Take it back to an empty cloud; its address and credentials stay."""
        self._control.ask("POST", "reset", dict, {})

    def interrupt(
        self, instance: str, *, notice: timedelta, is_rebalance: bool = False
    ) -> Interruption:
        """Give a spot instance its notice; ``is_rebalance``: only recommend to leave it."""
        order = {
            "instance": instance,
            "notice_s": notice.total_seconds(),
            "rebalance": is_rebalance,
        }
        return self._control.ask("POST", "interrupt", Interruption, order)

    def add_fault(self, order: FaultOrder) -> CloudFault:
        """Put a fault in force; UsageError for one that does not make sense."""
        return self._control.ask("POST", "faults", CloudFault, order)

    def faults(self) -> list[CloudFault]:
        """Return all faults, also those that are over."""
        return self._control.ask("GET", "faults", dict[str, list[CloudFault]])["faults"]

    def clear_faults(self, idents: Collection[str] = ()) -> list[CloudFault]:
        """End faults, all where none are named, and undo what lasts of them."""
        order = {"ids": list(idents)} if idents else {}
        answer = self._control.ask("POST", "faults/clear", dict[str, list[CloudFault]], order)
        return answer["faults"]

    def set_quota(self, code: str, value: float, *, region: str | None = None) -> None:
        """Give the account another quota of virtual processors, by its code at AWS."""
        if not value >= 0:  # nor is it no number
            raise UsageError(f"a quota is at least 0, not {value:g}")
        where = {} if region is None else {"region": region}
        self._control.ask("PUT", "quotas", dict, {"code": code, "value": value, **where})

    # -- inside

    @property
    def _control(self) -> Control:
        if not self.is_running:
            raise CloudNotRunning(
                f"the local cloud {self.name} does not run",
                hint=f"runctl cloud start{self._option}",
                cloud=self.name,
            )
        return Control(self.name, self.folder)

    @property
    def _option(self) -> str:
        return "" if self.name == "default" else f" --name {self.name}"

    def _read_events(self, since: datetime | None, *, is_following: bool) -> Iterator[CloudEvent]:
        cursor, earliest = "", since.timestamp() if since else 0.0
        while True:
            wait_s = _FOLLOW_S if is_following and cursor else 0.0
            path = f"events?cursor={cursor}&since={earliest}&wait={wait_s}"
            page = self._read_page(path, is_patient=is_following)
            yield from map(_event, page.events)
            is_at_end = page.cursor == cursor
            cursor = page.cursor
            if is_at_end and not is_following:
                return

    def _read_page(self, path: str, *, is_patient: bool) -> CloudEvents:
        """Read some events; where one is patient, again, for as long as there is a process."""
        while True:
            try:
                return self._control.ask("GET", path, CloudEvents)
            except TryAgain:  # as while it is reset
                if not (is_patient and self.is_running):
                    raise
            time.sleep(_POLL_S)

    def _has_ended(self, timeout_s: float) -> bool:
        end = time.monotonic() + timeout_s
        while self.is_running:
            if time.monotonic() > end:
                return False
            time.sleep(_POLL_S)
        return True

    def _kill(self) -> None:
        """Kill a process that does not answer; the lock that it holds says that it is ours."""
        pid = int((self.folder / "lock").read_text(encoding="ascii"))
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        if not self._has_ended(_END_S):
            raise TryAgain(f"process {pid}, which serves {self.folder}, cannot be killed")

    def _end(self, *, was_running: bool, instances: int, is_purged: bool = False) -> CloudEnd:
        return CloudEnd(
            name=self.name,
            folder=str(self.folder),
            was_running=was_running,
            is_purged=is_purged,
            instances=instances,
        )


def _event(said: dict[str, Any]) -> CloudEvent:
    details = {name: value for name, value in said.items() if name not in ("time", "event")}
    return CloudEvent(time=said["time"], event=said["event"], details=details)
