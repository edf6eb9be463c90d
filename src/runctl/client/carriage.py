"""Files between any two of: a folder here, a bucket, an instance, the outputs of a run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from runctl.errors import NotFoundError, UsageError
from runctl.model.carriage import Carried, Kind, Place, read_place
from runctl.model.transfer import TransferRequest, Trouble

# Imported where they are used: a command pays only for what it does.
if TYPE_CHECKING:
    from runctl.client.client import Client
    from runctl.store.transfer.far import FarObject
    from runctl.transports.api import Transport

DIRECT: frozenset[tuple[Kind, Kind]] = frozenset(
    {("s3", "s3"), ("s3", "instance"), ("instance", "s3")}
)
Sizes = dict[str, int]
"""By name below the source; a single file is ``""``."""


class Carriage:
    """What ``Client.carriage`` returns: one source, one target.

    Of a folder, what is in it comes below the target. A file becomes the target, or comes into it
    where that ends in ``/``. Between buckets and instances no byte comes here; what has no way of
    its own comes through a temporary folder.
    """

    def __init__(self, client: Client, source: str, target: str) -> None:
        self._client, self._told = client, (source, target)
        self.source, self.target = read_place(source), read_place(target)
        if self.target.kind == "run":
            raise UsageError(
                "the outputs of a run are its record: nothing is carried there",
                hint=f"runctl transfer {source} instance:ID:/path",
            )
        if self.source.kind == self.target.kind == "here":
            raise UsageError("both ends are on this machine", hint=f"cp -a {source} {target}")

    def plan(self) -> Carried:
        """Say what would be carried; nothing moves."""
        return self._report(self._sizes(), is_dry_run=True)

    def run(self) -> Carried:
        """Carry all of it. Each file is whole, and proven, before it has its name."""
        sizes = self._sizes()
        self._unverified: list[str] = []
        self._troubles: list[Trouble] = []
        ways: dict[tuple[Kind, Kind], Callable[[Sizes], None]] = {
            ("here", "s3"): self._upload,
            ("s3", "here"): self._download,
            ("s3", "s3"): self._copy,
            ("s3", "instance"): self._let_fetch,
            ("instance", "s3"): self._let_send,
            ("here", "instance"): self._put,
            ("instance", "here"): self._get,
            ("run", "here"): self._pull,
        }
        ways.get((self.source.kind, self.target.kind), self._relay)(sizes)
        return self._report(sizes, is_dry_run=False)

    def _report(self, sizes: Sizes, *, is_dry_run: bool) -> Carried:
        return Carried(
            source=self._told[0],
            target=self._told[1],
            files=tuple(name or self._name for name in sorted(sizes)),
            size_bytes=sum(sizes.values()),
            is_direct=(self.source.kind, self.target.kind) in DIRECT,
            is_dry_run=is_dry_run,
            unverified=() if is_dry_run else tuple(self._unverified),
            troubles=() if is_dry_run else tuple(self._troubles),
        )

    @property
    def _name(self) -> str:
        return PurePosixPath(self.source.path).name

    # -- what there is to carry

    def _sizes(self) -> Sizes:
        place = self.source
        if place.kind == "instance":
            from runctl.engine.direct import sizes_there  # noqa: PLC0415

            found = sizes_there(self._transport(place), place.path)
        elif place.kind == "s3":
            found = {name: one.size_bytes for name, one in self._objects().items()}
        elif place.kind == "run":
            only = [place.path] if place.path else []
            pulled = self._client.outputs(place.name, only=only, is_dry_run=True)
            found = {one.name: one.size_bytes for one in pulled.files}
        else:
            found = _sizes_here(Path(place.path))
        if not found:
            raise NotFoundError(f"there is nothing at {self._told[0]}", hint=_hint(place))
        return found

    def _objects(self) -> dict[str, FarObject]:
        from runctl.engine.transferring import read_url  # noqa: PLC0415

        address = read_url(self.source.path)
        found = self._client.storage().objects(self.source.path)
        return {
            "" if one.key == address.path else one.key.removeprefix(address.folder): one
            for one in found
            if not one.key.endswith("/")
        }

    def _transport(self, place: Place) -> Transport:
        return self._client.machine(place.name).transport

    # -- the ways

    def _upload(self, _sizes: Sizes) -> None:
        self._move(self.source.path, self.target.path, "up")

    def _download(self, _sizes: Sizes) -> None:
        self._move(self.target.path, self.source.path, "down")

    def _move(self, folder: str, url: str, direction: str) -> None:
        request = TransferRequest(folder=folder, url=url, direction=direction)
        report = self._client.storage().plan(request).run()
        self._unverified += report.unverified
        self._troubles += report.troubles

    def _copy(self, _sizes: Sizes) -> None:
        _, troubles = self._client.storage().copy(self.source.path, self.target.path)
        self._troubles += troubles

    def _let_fetch(self, sizes: Sizes) -> None:
        from runctl.engine.direct import fetch_there  # noqa: PLC0415

        objects, folder = self._objects(), self.target.path
        if "" in sizes:
            path = PurePosixPath(folder + self._name if self.target.is_folder else folder)
            objects, folder = {path.name: objects[""]}, str(path.parent)
        bucket = self._client.storage().bucket(self.source.path)
        self._unverified += fetch_there(self._transport(self.target), bucket, objects, folder)

    def _let_send(self, sizes: Sizes) -> None:
        from runctl.engine.direct import send_from_there  # noqa: PLC0415
        from runctl.engine.transferring import read_url  # noqa: PLC0415

        address, folder = read_url(self.target.path), self.source.path
        keys = {name: address.folder + name for name in sizes}
        if "" in sizes:
            folder = str(PurePosixPath(folder).parent)
            is_into = self.target.is_folder or not address.path
            keys = {self._name: address.path + self._name if is_into else address.path}
        bucket = self._client.storage().bucket(self.target.path)
        send_from_there(self._transport(self.source), bucket, keys, folder)

    def _put(self, sizes: Sizes) -> None:
        from runctl.transports.folder_copy import put_tree  # noqa: PLC0415

        is_into = "" in sizes and self.target.is_folder
        path = self.target.path + self._name if is_into else self.target.path
        put_tree(self._transport(self.target), Path(self.source.path), path)

    def _get(self, sizes: Sizes) -> None:
        from runctl.transports.folder_copy import get_tree  # noqa: PLC0415

        target = Path(self.target.path)
        if "" in sizes and (self.target.is_folder or target.is_dir()):
            target /= self._name
        get_tree(self._transport(self.source), self.source.path, target)

    def _pull(self, _sizes: Sizes) -> None:
        only = [self.source.path] if self.source.path else []
        self._client.outputs(self.source.name, Path(self.target.path), only=only)

    def _relay(self, _sizes: Sizes) -> None:
        """Bring all of it here, and on from here."""
        with tempfile.TemporaryDirectory(prefix="runctl-transfer-") as folder:
            middle = str(Path(folder) / (self._name or "all"))
            Carriage(self._client, self._told[0], middle).run()
            onward = Carriage(self._client, middle, self._told[1]).run()
        self._unverified += onward.unverified
        self._troubles += onward.troubles


def _sizes_here(path: Path) -> Sizes:
    from runctl.store.files import files_under  # noqa: PLC0415

    if not path.exists():
        return {}
    return {name: (path / name).stat().st_size for name in files_under(path)}


def _hint(place: Place) -> str:
    return {
        "here": f"ls {place.path}",
        "s3": "runctl s3 list s3://bucket/",
        "instance": f"runctl ssh {place.name} -- ls",
        "run": f"runctl pull {place.name} --dry-run",
    }[place.kind]
