"""One instance, to look inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from runctl.errors import ConflictError
from runctl.model.access import Forward, SshHost
from runctl.model.instance import Instance
from runctl.model.machine import MachineLook
from runctl.model.sync import Synced, SyncRequest

# Imported where they are used: a command pays only for what it does.
if TYPE_CHECKING:
    from pathlib import Path

    from runctl.engine.session import Session
    from runctl.model.terms import Accept, Tell
    from runctl.transports.ssh import SshTransport
    from runctl.transports.ssm import SsmTransport


class Machine:
    """What ``Client.machine`` returns. ``alias`` is the name of the run that led here, or the id.

    It is reached when it is first needed, by the way that the setting ``aws.transport`` says.
    """

    def __init__(self, session: Session, cwd: Path, instance: Instance, alias: str) -> None:
        self._session = session
        self._cwd = cwd
        self.instance = instance
        self.alias = alias

    @property
    def way(self) -> str:
        """How it is reached, in words: ``over SSH as ec2-user``."""
        return self.transport.way

    def exec(self, argv: Sequence[str]) -> int:
        """Run a command on the caller's own streams; return its status, negative for a signal."""
        return self.transport.attach(argv)

    def shell(self) -> int:
        """Open a shell on the caller's own streams; return its status."""
        return self.transport.shell()

    def forward(self, forwards: Sequence[Forward], argv: Sequence[str] = ()) -> int:
        """Keep ports open while a command runs; without one, until KeyboardInterrupt.

        Raises ConflictError, with the next free one, where a port of this machine is taken.
        """
        from runctl.engine.visiting import check_ports  # noqa: PLC0415

        check_ports(forwards, self.alias)
        return self.transport.forward(forwards, argv)

    def ssh_host(self) -> SshHost:
        """Return what leads other programs here over SSH, with the pinned keys."""
        from runctl.transports.ssh import SshTransport  # noqa: PLC0415

        if not isinstance(self.transport, SshTransport):
            raise ConflictError(
                f"{self.alias} is reached {self.way}, and not over SSH",
                hint=f"runctl ssh {self.alias} --config --transport ssh",
            )
        return SshHost(
            alias=self.alias,
            instance_id=self.instance.instance_id,
            options=self.transport.target.config(),
        )

    def look(self, *, is_detailed: bool = False) -> MachineLook:
        """Return how processor, memory, disks, GPUs and networks are used, and by which processes.

        They are those of runs, and with ``is_detailed`` all but the kernel's.
        """
        from runctl.engine import looking  # noqa: PLC0415

        ident, at = self.instance.instance_id, self._session.clock()
        return looking.look(self.transport, ident, at, is_detailed=is_detailed)

    def watch(self, interval: timedelta, *, is_detailed: bool = False) -> Iterator[MachineLook]:
        """Look again and again, until the instance ends: InstanceLost."""
        from runctl.engine import looking  # noqa: PLC0415

        provider = self._session.provider(self.instance.provider)
        return looking.watch(
            lambda: self.look(is_detailed=is_detailed),
            lambda: provider.describe(self.instance.instance_id),
            interval,
        )

    def sync(
        self, request: SyncRequest, accept: Accept | None = None, tell: Tell | None = None
    ) -> Iterator[Synced]:
        """Bring a project's files into a folder, exactly; ``is_watching``: again and again.

        Once, one result is yielded. ``accept`` hears of what looks like a secret, before it is
        sent; ``tell`` gets a sentence when a watch loses the connection. What a sync did not bring
        is never replaced unless ``is_forced``: ConflictError.
        """
        from runctl.engine import looking  # noqa: PLC0415
        from runctl.engine.syncing import opening, watching  # noqa: PLC0415
        from runctl.engine.syncing.moving import Place  # noqa: PLC0415
        from runctl.engine.travel import locate_project  # noqa: PLC0415
        from runctl.model.terms import Terms  # noqa: PLC0415

        silent, ident = Terms(), self.instance.instance_id
        root = locate_project(self._cwd, request.files.project_root)
        folder = request.folder or opening.default_folder(root)
        place = Place(self.transport, ident, self.alias, folder, request.is_forced)
        mirror = opening.open_mirror(
            self._session, place, root, request.files, accept or silent.accept
        )
        if not request.is_watching:
            yield mirror.once()
            return
        provider = self._session.provider(self.instance.provider)
        yield from watching.watch(
            mirror,
            tell or silent.tell,
            lambda: looking.check_runs(lambda: provider.describe(ident)),
        )

    @cached_property
    def transport(self) -> SsmTransport | SshTransport:
        """What reaches it."""
        return self._session.ways().reach(self.instance.instance_id)
