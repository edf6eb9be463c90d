"""The files that hold the bytes of objects: written once, never changed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from runctl.localcloud.s3.rows import Piece

_FANS = 256


class Files:
    """Files by name, in folders by the first two digits of it."""

    def __init__(self, folder: Path, *, is_durable: bool = False) -> None:
        self._folder = folder
        self._is_durable = is_durable
        self._numbers, self._stamp = count(), secrets.token_hex(9)
        for number in range(_FANS):
            (folder / f"{number:02x}").mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> str:
        """Return where a file is."""
        return f"{self._folder}/{name[:2]}/{name}"

    def _new_name(self) -> str:
        """Return a name that no file has, nor had; its number comes first, to fill all folders."""
        number = next(self._numbers)
        return f"{number % _FANS:02x}{number:012x}{self._stamp}"

    @contextmanager
    def new(self) -> Iterator[tuple[str, int]]:
        """Yield the name and the descriptor of a new file; it is gone where the body fails.

        Nothing refers to it before its row is written, so that a file without a row is of no use,
        and is swept at the next start.
        """
        name = self._new_name()
        path = self.path(name)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            yield name, descriptor
            if self._is_durable:
                os.fsync(descriptor)
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(descriptor)

    def link(self, pieces: Iterable[Piece]) -> list[Piece]:
        """Give the files of an object second names, for a copy of it."""
        made = list[Piece]()
        try:
            for piece in pieces:
                name = self._new_name()
                os.link(self.path(piece.file), self.path(name))
                made.append(Piece(name, piece.size))
        except BaseException:
            self.remove(made)
            raise
        return made

    def remove(self, pieces: Iterable[Piece]) -> None:
        """Remove files; who is being sent one still gets all of it."""
        for piece in pieces:
            try:
                os.unlink(self.path(piece.file))
            except FileNotFoundError:
                continue  # it was removed before

    def sweep(self, known: set[str]) -> int:
        """Remove the files that nothing refers to; return how many there were."""
        count = 0
        for number in range(_FANS):
            for entry in os.scandir(self._folder / f"{number:02x}"):
                if entry.name not in known:
                    os.unlink(entry.path)
                    count += 1
        return count
