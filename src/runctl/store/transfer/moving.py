"""Moves, several at once; one that fails hinders no other, and nothing is deleted then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Lock

from runctl.errors import ConflictError, RunctlError
from runctl.model.transfer import Action, Move, Trouble
from runctl.store.transfer.download import Fetched, Landing, LargeDownload, fetch_small
from runctl.store.transfer.far import PIECE_BYTES, PIECES_AT_ONCE
from runctl.store.transfer.plan import Sides
from runctl.store.transfer.upload import send

SMALL_AT_ONCE = 16
SMALL_BYTES = 1024**2
"""Files up to this size are cheap to have in memory many at once."""


@dataclass
class Done:
    """What has come of the moves so far."""

    moves: list[Move] = field(default_factory=list)
    unverified: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    moved_bytes: int = 0
    resumed_bytes: int = 0

    def fail(self, name: str, error: RunctlError) -> None:
        self.troubles.append(Trouble(name=name, problem=error.message, exit_code=error.exit_code))


OnMove = Callable[[Move], None]


class Mover:
    """Does moves between ``folder`` and the keys under ``prefix``. ``state_dir`` is a cache."""

    def __init__(self, sides: Sides, folder: Path, prefix: str, state_dir: Path) -> None:
        self._sides, self._folder, self._prefix = sides, folder, prefix
        self._state_dir, self._landing = state_dir, Landing(folder)
        self._lock = Lock()
        self.done = Done()

    def copy(self, moves: Iterable[Move], on_move: OnMove, on_bytes: Callable[[int], None]) -> None:
        """Make the copies: small ones many at once, then the others, a few pieces at once."""
        every = list(moves)

        def count(size: int) -> None:
            with self._lock:
                self.done.moved_bytes += size
            on_bytes(size)

        def one(move: Move) -> None:
            try:
                self._copy(move, count)
            except (RunctlError, OSError) as error:
                with self._lock:
                    self.done.fail(move.name, _problem_of(move.name, error))
                return
            with self._lock:
                self.done.moves.append(move)
                on_move(move)

        small = [move for move in every if move.size_bytes <= SMALL_BYTES]
        with ThreadPoolExecutor(SMALL_AT_ONCE) as pool:
            _run_bounded(pool, one, small, 4 * SMALL_AT_ONCE)
        middling = [move for move in every if SMALL_BYTES < move.size_bytes <= PIECE_BYTES]
        with ThreadPoolExecutor(PIECES_AT_ONCE) as pool:
            _run_bounded(pool, one, middling, PIECES_AT_ONCE)
        for move in every:
            if move.size_bytes > PIECE_BYTES:
                one(move)

    def _copy(self, move: Move, on_bytes: Callable[[int], None]) -> None:
        sides, name = self._sides, move.name
        if move.action is Action.UPLOAD:
            file = sides.here[name]
            stored = send(sides.bucket, self._prefix + name, file, on_bytes)
            with self._lock:
                self.done.resumed_bytes += stored.resumed_bytes
                sides.known.note(name, file, stored.etag)
            return
        found = sides.there[name]
        fetched = self._fetch(name, on_bytes)
        with self._lock:
            self.done.resumed_bytes += fetched.resumed_bytes
            sides.known.note(name, fetched.file, found.etag)
            if not fetched.is_verified:
                self.done.unverified.append(name)

    def _fetch(self, name: str, on_bytes: Callable[[int], None]) -> Fetched:
        bucket, found, target = self._sides.bucket, self._sides.there[name], self._folder / name
        if found.size_bytes <= PIECE_BYTES:
            fetched = fetch_small(bucket, found, self._landing, target)
            on_bytes(found.size_bytes)
            return fetched
        large = LargeDownload(bucket, found, self._folder, target, self._state_dir)
        with ThreadPoolExecutor(PIECES_AT_ONCE) as pool:
            return large.fetch(pool, on_bytes)

    def delete(self, moves: Iterable[Move], on_move: OnMove) -> None:
        """Delete what one side has too much, unless a copy has failed."""
        if self.done.troubles:
            return
        planned = list(moves)
        there = [move for move in planned if move.action is Action.DELETE_THERE]
        failed = self._sides.bucket.delete([self._prefix + move.name for move in there])
        for move in planned:
            error = failed.get(self._prefix + move.name)
            if error is not None:
                self.done.fail(move.name, error)
                continue
            if move.action is Action.DELETE_HERE:
                (self._folder / move.name).unlink(missing_ok=True)
            self._sides.known.forget(move.name)
            self.done.moves.append(move)
            on_move(move)


def _problem_of(name: str, error: RunctlError | OSError) -> RunctlError:
    """Return what one file's own trouble is: a folder in its place, no permission, a full disk."""
    if isinstance(error, RunctlError):
        return error
    return ConflictError(f"{name} cannot be read or written here: {error.strerror}", path=name)


def _run_bounded(
    pool: ThreadPoolExecutor, work: Callable[[Move], None], moves: Iterable[Move], limit: int
) -> None:
    """Do all of it, never with more than ``limit`` waiting: who interrupts waits for few."""
    coming = iter(moves)
    waiting: set[Future[None]] = {pool.submit(work, move) for move in islice(coming, limit)}
    while waiting:
        finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        for future in finished:
            future.result()
        waiting |= {pool.submit(work, move) for move in islice(coming, len(finished))}
