"""Files between here and a bucket: what would move, and then that it does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from runctl.errors import NotFoundError, RefusedError, RunctlError, UsageError
from runctl.model.paths import check_relative
from runctl.model.quantities import format_size
from runctl.model.transfer import Action, Choice, Move, TransferReport, TransferRequest
from runctl.store.transfer.far import FarBucket, FarObject, SourceFile
from runctl.store.transfer.known import Known
from runctl.store.transfer.listing import Chosen, files_only, list_here, list_there, look
from runctl.store.transfer.moving import Mover
from runctl.store.transfer.plan import Direction, Sides, plan_deletes, plan_moves
from runctl.store.transfer.selecting import fixed_folder, fixed_prefix, is_meant, is_pattern

_One = tuple[Path, str, dict[str, SourceFile], dict[str, FarObject]]


@dataclass(frozen=True)
class Address:
    """A place in a bucket; ``path`` is a key, or what keys begin with."""

    bucket: str
    path: str

    @property
    def folder(self) -> str:
        """The prefix of all that is below it: empty, or with a slash at its end."""
        return f"{self.path.rstrip('/')}/" if self.path else ""

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.path}" if self.path else f"s3://{self.bucket}"


def read_url(url: str) -> Address:
    """Read ``s3://bucket/path``, or raise UsageError. The path stays as it was typed."""
    bucket, _, path = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise UsageError(
            f"{url!r} names no place in S3", hint="write s3://bucket, or s3://bucket/folder"
        )
    return Address(bucket, path)


def objects_at(bucket: FarBucket, address: Address, choice: Choice) -> list[FarObject]:
    """Return the objects that an address means, and the choice among them.

    A key with a ``*`` in it is meant by itself, and no pattern.
    """
    path = address.path
    listed = list(bucket.list(fixed_prefix(path)))
    found = [one for one in listed if one.key == path or one.key.startswith(address.folder)]
    folder = address.folder
    if not found and is_pattern(path):
        found = [one for one in listed if is_meant(one.key, path)]
        folder = fixed_folder(path)
    chosen = Chosen(choice.include, choice.exclude)
    return [one for one in found if (one.key.removeprefix(folder) or one.key) in chosen]


class Transfer:
    """One transfer: planned when it is made, done by ``run``.

    ``url`` names a folder, unless one object or one file is meant: then it is that alone.
    """

    def __init__(self, bucket: FarBucket, request: TransferRequest, state_dir: Path) -> None:
        self._request, self._bucket = request, bucket
        self._direction = cast(Direction, request.direction)
        self._folder = Path(request.folder)
        address = read_url(request.url)
        if address.path.rstrip("/"):
            check_relative(address.path.rstrip("/"))
        self._sides, self._prefix = self._look(address, state_dir)
        self._mover = Mover(self._sides, self._folder, self._prefix, state_dir)
        for name, error in self._problems.items():
            self._mover.done.fail(name, error)
        self.copies = plan_moves(self._sides, self._direction, request.prefer)
        self.deletes = self._plan_deletes() if request.has_deletes else []

    def report(self) -> TransferReport:
        """Say what would be done."""
        return self._report((*self.copies, *self.deletes), is_dry_run=True)

    def run(
        self,
        on_move: Callable[[Move], None] = lambda _: None,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> TransferReport:
        """Copy, then delete if all copies came through; single failures are in the report."""
        self._check_space()
        try:
            self._mover.copy(self.copies, on_move, on_bytes)
            self._mover.delete(self.deletes, on_move)
        finally:
            self._sides.known.save()
        return self._report(tuple(self._mover.done.moves), is_dry_run=False)

    def _report(self, moves: tuple[Move, ...], *, is_dry_run: bool) -> TransferReport:
        done = self._mover.done
        changed = {move.name for move in self.copies}
        common = self._sides.here.keys() & self._sides.there.keys()
        return TransferReport(
            folder=str(self._folder),
            url=self._request.url,
            is_dry_run=is_dry_run,
            moves=moves,
            unchanged_count=len(common - changed),
            moved_bytes=done.moved_bytes,
            resumed_bytes=done.resumed_bytes,
            unverified=tuple(sorted(done.unverified)),
            troubles=tuple(sorted(done.troubles, key=lambda trouble: trouble.name)),
        )

    # -- looking at both sides

    def _look(self, address: Address, state_dir: Path) -> tuple[Sides, str]:
        self._problems: dict[str, RunctlError] = {}
        single = self._look_at_one(address)
        if single is not None:
            self._folder, prefix, here, there = single
        else:
            chosen = Chosen(self._request.include, self._request.exclude)
            prefix = address.folder
            here = list_here(self._folder, chosen, self._problems.__setitem__)
            there = list_there(self._bucket, prefix, chosen)
        self._check_something(bool(here), bool(there))
        if self._direction != "up":
            there = files_only(there, self._folder, self._problems.__setitem__)
        known = Known(state_dir.parent, self._folder, f"s3://{address.bucket}/{prefix}")
        return Sides(self._bucket, here, there, known), prefix

    def _look_at_one(self, address: Address) -> _One | None:
        """Return the sides of a single file or object, if the request is of one."""
        here, is_folder_there = Path(self._request.folder), address.folder == address.path
        if self._direction == "up" and here.is_file():
            key = address.path + here.name if is_folder_there else address.path
            prefix, _, name = key.rpartition("/")
            prefix = f"{prefix}/" if prefix else ""
            found = next(iter(self._bucket.list(key)), None)
            there = {name: found} if found is not None and found.key == key else {}
            return here.parent, prefix, {name: look(here)}, there
        if self._direction != "down" or is_folder_there:
            return None
        first = next(iter(self._bucket.list(address.path)), None)
        if first is None or first.key != address.path:
            return None
        is_folder_here = here.is_dir() or self._request.folder.endswith("/")
        target = here / address.path.rpartition("/")[2] if is_folder_here else here
        files = {target.name: look(target)} if target.is_file() else {}
        return target.parent, address.path[: -len(target.name)], files, {target.name: first}

    def _check_something(self, is_here: bool, is_there: bool) -> None:
        """Refuse to take nothing for all that there should be: above all where it would delete."""
        if self._direction == "up" and not (is_here or self._folder.is_dir()):
            raise NotFoundError(f"{self._folder} does not exist", hint="runctl s3 upload --help")
        if self._direction == "down" and not is_there:
            raise NotFoundError(
                f"there is nothing to fetch under {self._request.url}",
                hint=f"runctl s3 list {self._request.url}",
            )
        if self._direction == "both" or not self._request.has_deletes:
            return
        if self._direction == "up" and not is_here and not self._problems:
            raise RefusedError(
                f"{self._folder} is empty, and --delete would delete all of {self._request.url}",
                hint=f"runctl s3 rm -r {self._request.url}",
            )

    def _plan_deletes(self) -> list[Move]:
        request = self._request
        if self._direction == "both":
            raise UsageError(
                "with --direction both nothing tells what is to be deleted",
                hint="runctl s3 sync --direction up --delete, or --direction down --delete",
            )
        deletes = plan_deletes(self._sides, self._direction)
        # What cannot be moved is not deleted either.
        deletes = [move for move in deletes if move.name not in self._problems]
        if len(deletes) > request.max_deletes:
            raise RefusedError(
                f"{len(deletes)} would be deleted, more than {request.max_deletes}",
                hint=f"look with --dry-run, then type the same with --max-delete {len(deletes)}",
            )
        return deletes

    def _check_space(self) -> None:
        """Refuse before the first byte what would fill the disk."""
        needed = sum(move.size_bytes for move in self.copies if move.action is Action.DOWNLOAD)
        place = self._folder.absolute()
        while not place.is_dir():
            place = place.parent
        free = shutil.disk_usage(place).free
        if needed > free:
            raise RefusedError(
                f"{format_size(needed)} would come to {place}, where {format_size(free)} are free",
                hint="make room there, or name another folder",
            )
