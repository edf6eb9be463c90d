"""Where a cloud keeps what it has: one folder, with a short id that names all it makes."""

from __future__ import annotations

import os
import secrets
import zlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

STAMP = "cloud.json"
_BEFORE_THE_STAMP = {"cloud.log", "cloud.new", "lock"}


class Stamp(msgspec.Struct, frozen=True):
    """What is decided once, when the folder is made."""

    id: str
    """Four hexadecimal digits; in the name of everything that is made on the host."""
    account: str
    token: str
    """Opens the control endpoint."""
    port: int = 0
    """Chosen at the first start, and kept: instances know it."""
    tier: str = ""
    """The name of the tier, and the users that it has; chosen at the first start, too."""
    users: str | None = None


@dataclass(frozen=True)
class Place:
    """The folder of a cloud, and what is written on it."""

    folder: Path
    stamp: Stamp

    @property
    def stamp_path(self) -> Path:
        return self.folder / STAMP

    def with_stamp(self, stamp: Stamp) -> Place:
        """Write a new stamp; return the place that has it."""
        write_stamp(self.stamp_path, stamp)
        return Place(self.folder, stamp)


class FolderRefused(Exception):
    """A folder that is not ours to fill, and to remove one day."""


def make_folder(folder: Path) -> None:
    """Make the folder of a cloud; raise ``FolderRefused`` where it holds what is no cloud's."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    check_folder(folder)


def check_folder(folder: Path) -> None:
    """Raise ``FolderRefused`` where a folder holds what is no cloud's."""
    names = set(os.listdir(folder))
    if STAMP not in names and names - _BEFORE_THE_STAMP:
        raise FolderRefused("it is not empty, and no local cloud's")


def open_place(folder: Path) -> Place:
    """Read the folder of a cloud; make it where there is none."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    path = folder / STAMP
    if not path.exists():
        ident = f"{zlib.crc32(os.fsencode(folder.resolve()) + secrets.token_bytes(4)) & 0xFFFF:04x}"
        account = f"{secrets.randbelow(9 * 10**11) + 10**11}"
        write_stamp(path, Stamp(id=ident, account=account, token=secrets.token_hex(24)))
    return Place(folder, read_stamp(folder))


def read_stamp(folder: Path) -> Stamp:
    """Read the stamp of a folder; raise OSError or ``msgspec.MsgspecError`` where it has none."""
    return msgspec.json.decode((folder / STAMP).read_bytes(), type=Stamp)


def write_stamp(path: Path, stamp: Stamp) -> None:
    """Put a stamp in its place, whole or not at all; only the user may read the token."""
    temporary = path.with_suffix(".new")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(stamp))
    os.replace(temporary, path)
