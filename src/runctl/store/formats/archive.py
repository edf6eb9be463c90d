"""Zip archives by their central directory, read in bounded memory and never extracted."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from runctl.errors import FormatNotJudged, IntegrityError
from runctl.store.formats.source import CHUNK_BYTES, FileSource, Source, StreamSource

MAGIC = b"PK\x03\x04"
EMPTY_MAGIC = b"PK\x05\x06"
MEMBERS_LIMIT = 100_000
DIRECTORY_LIMIT_BYTES = 32 << 20
STORED, DEFLATED = 0, 8
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_WIDE = 0xFFFFFFFF


class Member(msgspec.Struct):
    """One entry of the central directory; ``offset`` is where its local header begins."""

    name: str
    method: int
    crc: int
    packed_bytes: int
    size_bytes: int
    offset: int


class Directory(msgspec.Struct):
    """Where the central directory lies in the file, and how many entries it must have."""

    offset: int
    size_bytes: int
    count: int
    end: int


class Archive:
    """An open zip file whose directory is consistent with its size and its members' headers."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._size = handle.seek(0, 2)
        self._directory = self._find_directory()
        self.members = {member.name: member for member in self._read_members()}
        self._check_bounds()

    def source(self, member: Member) -> Source:
        """The content of a member, expanded as it is read."""
        start = self._data_offset(member)
        if member.method == STORED:
            return FileSource(self._handle, start, start + member.packed_bytes)
        return StreamSource(self._inflate(member, start))

    @property
    def has_checksums(self) -> bool:
        """False for what torch writes with set_crc32_options(False): each CRC is then 0."""
        return any(member.crc for member in self.members.values())

    def check_contents(self) -> None:
        """Read every member and compare its length and CRC with the directory's."""
        has_checksums = self.has_checksums
        for member in self.members.values():
            crc = size = 0
            for piece in self._content(member):
                crc, size = zlib.crc32(piece, crc), size + len(piece)
            if size != member.size_bytes or (has_checksums and crc != member.crc):
                raise IntegrityError(f"member {member.name!r} does not match its checksum")

    def _content(self, member: Member) -> Iterator[bytes]:
        start = self._data_offset(member)
        if member.method != STORED:
            return self._inflate(member, start)
        return self._raw(start, member.packed_bytes)

    def _raw(self, start: int, size_bytes: int) -> Iterator[bytes]:
        self._handle.seek(start)
        while size_bytes > 0:
            piece = self._handle.read(min(CHUNK_BYTES, size_bytes))
            if not piece:
                raise IntegrityError(f"ends {size_bytes} bytes before a member does")
            size_bytes -= len(piece)
            yield piece

    def _inflate(self, member: Member, start: int) -> Iterator[bytes]:
        if member.method != DEFLATED:
            raise FormatNotJudged(f"member {member.name!r} is compressed in a way runctl lacks")
        decoder, left = zlib.decompressobj(-15), member.size_bytes
        position, end = start, start + member.packed_bytes
        while not decoder.eof:
            data = decoder.unconsumed_tail
            if not data:
                data = self._piece(position, end)
                position += len(data)
            try:
                piece = decoder.decompress(data, CHUNK_BYTES)
            except zlib.error as error:
                raise IntegrityError(f"member {member.name!r} is damaged: {error}") from error
            left -= len(piece)
            if left < 0 or not (data or piece):
                raise IntegrityError(f"member {member.name!r} is not as long as it says")
            yield piece

    def _piece(self, position: int, end: int) -> bytes:
        self._handle.seek(position)
        return self._handle.read(min(CHUNK_BYTES, end - position))

    def _find_directory(self) -> Directory:
        start = max(0, self._size - 0xFFFF - _END.size)
        tail = FileSource(self._handle, start, self._size).read(self._size - start)
        at = tail.rfind(EMPTY_MAGIC)
        if at < 0 or len(tail) - at < _END.size:
            raise IntegrityError("has no central directory: the end of the file is missing")
        _, disk, first, _, count, size, offset, comment = _END.unpack_from(tail, at)
        if disk or first or at + _END.size + comment != len(tail):
            raise IntegrityError("its central directory does not end where the file does")
        found = Directory(offset, size, count, start + at)
        return self._bounded(self._find_wide(found))

    def _find_wide(self, narrow: Directory) -> Directory:
        """The zip64 directory where there is one; torch writes it for small files too."""
        place = narrow.end - _LOCATOR.size
        if place < 0:
            return narrow
        magic, _, offset, _ = _LOCATOR.unpack(self._at(place, _LOCATOR.size))
        if magic != b"PK\x06\x07":
            return narrow
        record = _END64.unpack(self._at(offset, _END64.size))
        if record[0] != b"PK\x06\x06":
            raise IntegrityError("its zip64 central directory is damaged")
        return Directory(record[9], record[8], record[7], offset)

    def _bounded(self, found: Directory) -> Directory:
        if found.offset + found.size_bytes != found.end:
            raise IntegrityError("its central directory is not where the end of the file says")
        if found.count > MEMBERS_LIMIT or found.size_bytes > DIRECTORY_LIMIT_BYTES:
            raise FormatNotJudged(f"has {found.count} members: more than runctl reads")
        return found

    def _read_members(self) -> Iterator[Member]:
        directory = self._directory
        source = FileSource(self._handle, directory.offset, directory.end)
        for _ in range(directory.count):
            yield _read_member(source)
        if not source.is_at_end():
            raise IntegrityError("its central directory is longer than its members")

    def _check_bounds(self) -> None:
        if len(self.members) != self._directory.count:
            raise IntegrityError("two members have the same name")
        end = 0
        for member in sorted(self.members.values(), key=lambda each: each.offset):
            if member.offset < end:
                raise IntegrityError(f"member {member.name!r} lies over another")
            end = self._data_offset(member) + member.packed_bytes
            if end > self._directory.offset:
                raise IntegrityError(f"member {member.name!r} ends outside of the file")

    def _data_offset(self, member: Member) -> int:
        fields = _LOCAL.unpack(self._at(member.offset, _LOCAL.size))
        if fields[0] != MAGIC:
            raise IntegrityError(f"member {member.name!r} is not where the directory says")
        return member.offset + _LOCAL.size + int(fields[9]) + int(fields[10])

    def _at(self, offset: int, count: int) -> bytes:
        return FileSource(self._handle, offset, self._size).read(count)


def _read_member(source: Source) -> Member:
    fields = _CENTRAL.unpack(source.read(_CENTRAL.size))
    if fields[0] != b"PK\x01\x02":
        raise IntegrityError("its central directory is damaged")
    name = source.read(fields[10])
    extra = source.read(fields[11])
    source.skip(fields[12])
    crc, packed, size, offset = fields[7], fields[8], fields[9], fields[16]
    size, packed, offset = _widened(extra, size, packed, offset)
    if fields[4] == STORED and size != packed:
        raise IntegrityError("a stored member has two lengths")
    return Member(name.decode("utf-8", "replace"), fields[4], crc, packed, size, offset)


def _widened(extra: bytes, *values: int) -> list[int]:
    """Sizes and offset with those that did not fit 32 bits taken from the zip64 field."""
    wide = _zip64_field(extra)
    widened = []
    for value in values:
        if value != _WIDE:
            widened.append(value)
            continue
        if len(wide) < 8:
            raise IntegrityError("a zip64 length is missing")
        widened.append(int.from_bytes(wide[:8], "little"))
        wide = wide[8:]
    return widened


def _zip64_field(extra: bytes) -> bytes:
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == 1:
            return extra[4 : 4 + size]
        extra = extra[4 + size :]
    return b""


def first_name(head: bytes) -> str:
    """The name of the first member, from the first bytes of the file; "" where it is cut."""
    if len(head) < _LOCAL.size or not head.startswith(MAGIC):
        return ""
    length = _LOCAL.unpack_from(head)[9]
    return head[_LOCAL.size : _LOCAL.size + length].decode("utf-8", "replace")
