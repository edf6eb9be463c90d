"""Disks that hold what is not ours to know, written byte by byte: no tool is needed for them."""

from __future__ import annotations

import struct
from pathlib import Path


def write_vfat(path: Path) -> None:
    """Write the boot sector and the tables of an empty file system."""
    sectors = path.stat().st_size // 512
    table = 256
    sector = bytearray(512)
    sector[:11] = b"\xeb\x3c\x90MSDOS5.0"
    fields = (512, 64, 1, 2, 512, 0, 0xF8, table, 63, 255, 0, sectors)
    struct.pack_into("<HBHBHHBHHHII", sector, 11, *fields)
    struct.pack_into("<BBBI11s8s", sector, 36, 0x80, 0, 0x29, 7, b"SOMEBODYS  ", b"FAT16   ")
    sector[510:] = b"\x55\xaa"
    with path.open("r+b") as file:
        file.write(sector)
        for number in range(2):
            file.seek(512 * (1 + number * table))
            file.write(b"\xf8\xff\xff\xff")


def write_lvm(path: Path) -> None:
    """Write the label of a physical volume."""
    _write(path, 512, b"LABELONE" + struct.pack("<QII8s", 1, 0, 32, b"LVM2 001"))


def write_table(path: Path) -> None:
    """Write a partition table with one partition."""
    entry = struct.pack("<B3sB3sII", 0, bytes(3), 0x83, bytes(3), 2048, 4096)
    _write(path, 446, entry + bytes(48) + b"\x55\xaa")


def write_bytes(path: Path) -> None:
    """Write what has no format, in the middle."""
    _write(path, path.stat().st_size // 2 - (1 << 20), b"x" * (2 << 20))


def write_last(path: Path) -> None:
    """Write one byte, the last."""
    _write(path, path.stat().st_size - 1, b"x")


def _write(path: Path, place: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(data)
