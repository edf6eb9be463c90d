"""What `runctl sync` runs on an instance: it holds a folder to what the laptop has.

Its text is sent to instances and run by whatever Python is there, from 3.9 on: it needs the
standard library alone, and nothing of runctl. It reads one request and writes one answer.

An entry is [path, kind, mode, size, what]: ``what`` is the SHA-256 of a file ("f"), the target of
a link ("l"), nothing for a folder ("d"). The folder's own records lie in it, in PLACE: the state
(what syncs have brought, with the times of each file), staged bytes, and, while files are put
into place, the journal that a later sync takes up where this one was cut.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import gc
import hashlib
import json
import os
import stat
import sys
import time
import zlib

TYPE_CHECKING = False  # typing is one more import for each sync
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

    Entry = list[Any]
    Entries = dict[str, Entry]

PLACE = ".runctl-sync"
PATIENCE_S = 20.0
"""How long another sync of the same folder is waited for."""
SPARE_BYTES = 1 << 20
_CHUNK = 1 << 18
_ROOM = (errno.ENOSPC, errno.EDQUOT)


class Refusal(Exception):
    """Ends the sync before anything is changed; ``answer`` says why."""

    def __init__(self, kind: str, **fields: Any) -> None:
        super().__init__(kind)
        self.answer = {"kind": kind, **fields}


def receive(stream: BinaryIO) -> dict[str, Any]:
    """Do what is asked; return the answer."""
    opening = json.loads(stream.readline())
    root = os.path.realpath(os.path.expanduser(opening["folder"]))
    try:
        place = _make_place(root)
        with open(os.path.join(place, "lock"), "w") as lock:
            _wait_for(lock, PATIENCE_S)
            folder = Folder(root, place, opening["project"], is_forced=opening["is_forced"])
            answer = folder.serve(Source(stream, opening["codec"]))
    except Refusal as refusal:
        answer = refusal.answer
    except OSError as error:
        kind = "full" if error.errno in _ROOM else "failed"
        answer = {"kind": kind, "message": f"{error.filename or root}: {error.strerror}"}
    return {**answer, "root": root, "codec": "zstd" if Zstd.library() else "zlib"}


def _make_place(root: str) -> str:
    place = os.path.join(root, PLACE)
    os.makedirs(os.path.join(place, "staged"), exist_ok=True)
    ignore = os.path.join(place, ".gitignore")
    if not os.path.exists(ignore):
        with open(ignore, "w") as file:
            file.write("*\n")
    return place


def _wait_for(lock: Any, patience_s: float) -> None:
    end = time.monotonic() + patience_s
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EAGAIN):
                raise
            if time.monotonic() > end:
                raise Refusal("busy") from None
            time.sleep(0.05)


# -- what comes in


class Zstd:
    """The system's own library, for a Python that cannot read zstd itself."""

    class Buffer(ctypes.Structure):
        _fields_ = [
            ("at", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t)
        ]  # fmt: skip

    @staticmethod
    def library() -> Any:
        try:
            found = ctypes.CDLL("libzstd.so.1")
        except OSError:
            return None
        found.ZSTD_createDStream.restype = ctypes.c_void_p
        found.ZSTD_decompressStream.restype = ctypes.c_size_t
        return found

    def __init__(self) -> None:
        self._library = self.library()
        self._stream = ctypes.c_void_p(self._library.ZSTD_createDStream())
        self._room = ctypes.create_string_buffer(_CHUNK)

    def decompress(self, data: bytes) -> bytes:
        given = ctypes.create_string_buffer(data, len(data))
        source = self.Buffer(ctypes.addressof(given), len(data), 0)
        parts = []
        while True:
            target = self.Buffer(ctypes.addressof(self._room), _CHUNK, 0)
            code = self._library.ZSTD_decompressStream(
                self._stream, ctypes.byref(target), ctypes.byref(source)
            )
            if self._library.ZSTD_isError(ctypes.c_size_t(code)):
                raise Refusal("damaged", path=None)
            parts.append(ctypes.string_at(self._room, target.position))
            if source.position == len(data) and target.position < _CHUNK:
                return b"".join(parts)


class Source:
    """The bytes after the opening, decompressed as they come."""

    def __init__(self, stream: BinaryIO, codec: str) -> None:
        self._stream = stream
        self._decompress = (Zstd() if codec == "zstd" else zlib.decompressobj()).decompress
        self._held = b""

    def line(self) -> bytes:
        """Return all up to a newline; Refusal where the sender went away."""
        parts = [self._held]
        while b"\n" not in parts[-1]:
            parts.append(self._more())
        line, _, self._held = b"".join(parts).partition(b"\n")
        return line

    def take(self, count: int) -> Iterator[bytes]:
        while count:
            if not self._held:
                self._held = self._more()
            part, self._held = self._held[:count], self._held[count:]
            count -= len(part)
            yield part

    def _more(self) -> bytes:
        data = self._stream.read1(_CHUNK)  # type: ignore[attr-defined]
        if not data:
            raise Refusal("cut")
        try:
            return self._decompress(data)
        except zlib.error:
            raise Refusal("damaged", path=None) from None


# -- what is there


def digest_of(entries: Entries) -> str:
    """Name a tree by all its entries."""
    lines = (
        f"{kind}\0{mode}\0{size}\0{what}\0{path}\n"
        for path, kind, mode, size, what in (entries[path][:5] for path in sorted(entries))
    )
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _hash(path: str) -> str:
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            found.update(data)
    return found.hexdigest()


def _stamp(status: os.stat_result) -> list[int]:
    return [status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _is_as_it_was(full: str, known: Entry) -> bool:
    """Is it the file of the state? Most are, and this asks for nothing else."""
    if known[1] != "f" or len(known) < 8:
        return False
    try:
        status = os.lstat(full)
    except OSError:
        return False
    is_mode = status.st_mode == stat.S_IFREG | known[2]
    return is_mode and status.st_size == known[3] and known[5:] == _stamp(status)


def look_at(full: str, path: str, known: Entry | None = None) -> Entry | None:
    """Return the entry of what stands there, with its times; None for nothing.

    A file whose size and times are the known ones is not read again.
    """
    try:
        status = os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return None
    mode = status.st_mode & 0o777
    if stat.S_ISREG(status.st_mode):
        stamp = _stamp(status)
        is_known = known is not None and known[3] == status.st_size and known[5:] == stamp
        what = known[4] if known is not None and is_known else _hash(full)
        return [path, "f", mode, status.st_size, what, *stamp]
    if stat.S_ISLNK(status.st_mode):
        return [path, "l", 0o777, 0, os.readlink(full)]
    return [path, "d" if stat.S_ISDIR(status.st_mode) else "?", mode, 0, ""]


def check_path(path: str) -> None:
    parts = path.split("/")
    if not path or "\0" in path or parts[0] == PLACE or any(p in ("", ".", "..") for p in parts):
        raise Refusal("hostile", path=path)


def check_link(path: str, target: str) -> None:
    inside = os.path.normpath(os.path.join(os.path.dirname(path), target))
    if not target or target.startswith("/") or inside == ".." or inside.startswith("../"):
        raise Refusal("hostile", path=path)


class Folder:
    """The folder that is held in step, while its lock is held."""

    def __init__(self, root: str, place: str, project: str, *, is_forced: bool) -> None:
        self._root, self._place, self._is_forced = root, place, is_forced
        self._project = project
        self._recover()
        self._state: Entries = {}
        state = self._read("state.json")
        if state is not None:
            if state["project"] != project and not is_forced:
                raise Refusal("other", project=state["project"])
            self._state = {entry[0]: entry for entry in state["entries"]}
        self._there = self._look()
        self._is_same = all(
            (now := self._there.get(path, [])) is entry or now[:5] == entry[:5]
            for path, entry in self._state.items()
        )
        is_known = state is not None and self._is_same
        self._digest = state["digest"] if is_known and state else digest_of(self._there)

    def _look(self) -> Entries:
        found = {}
        for path, known in self._state.items():
            full = self._full(path)
            entry = known if _is_as_it_was(full, known) else look_at(full, path, known)
            if entry is not None:
                found[path] = entry
        return found

    def serve(self, source: Source) -> dict[str, Any]:
        asked = json.loads(source.line())
        is_resumable = bool(self._staged()) and not asked.get("is_resuming")
        if asked.get("base") != self._digest or is_resumable:
            return self._have()
        if not asked["set"] and not asked["drop"]:
            return {"kind": "same", "digest": self._digest}
        wanted = {entry[0]: entry for entry in asked["set"]}
        dropped = [path for path in asked["drop"] if path in self._there]
        target = {**self._there, **wanted}
        for path in dropped:
            if path not in wanted:
                del target[path]
        self._check(wanted, target, dropped)
        self._stage(wanted, source)
        journal = {"drop": dropped, "set": list(wanted.values()), "project": self._project}
        journal["gone"] = [path for path in self._state if path not in target]
        # The state has the others: to write 50,000 entries twice takes longer than all else.
        journal["entries"] = [one for path, one in target.items() if self._state.get(path) != one]
        self._write("journal.json", journal)
        return {"kind": "done", "digest": self._recover()}

    def _have(self) -> dict[str, Any]:
        for sha256 in self._staged():
            if _hash(self._staging(sha256)) != sha256:
                os.unlink(self._staging(sha256))
        entries = [entry[:5] for entry in self._there.values()]
        return {"kind": "have", "entries": entries, "staged": sorted(self._staged())}

    # -- before anything is changed

    def _check(self, wanted: Entries, target: Entries, dropped: list[str]) -> None:
        """Raise Refusal for a path that leads out, and for what a sync did not bring."""
        for path, kind, _, _, what, *_ in wanted.values():
            check_path(path)
            if kind == "l":
                check_link(path, what)
        for path in target:
            parent = path.rpartition("/")[0]
            if parent and target.get(parent, ["", ""])[1] != "d":
                raise Refusal("hostile", path=path)
        foreign = {entry[0] for entry in wanted.values() if self._is_foreign(entry)}
        conflicts = sorted({*foreign, *filter(self._is_edited, dropped)})
        blocked = [path for path, entry in wanted.items() if self._is_blocked(path, entry)]
        if blocked or (conflicts and not self._is_forced):
            raise Refusal("conflict", paths=blocked or conflicts, is_blocked=bool(blocked))

    def _is_edited(self, path: str) -> bool:
        was, now = self._state[path], self._there[path]
        return bool(was[1] != now[1] or was[4] != now[4])

    def _is_foreign(self, wanted: Entry) -> bool:
        """Is there something that a sync did not bring, and is it not what is wanted?"""
        path = wanted[0]
        if path in self._there and not self._is_edited(path):
            return False
        there = self._there.get(path) or look_at(self._full(path), path)
        if there is None or there[1] == "d":
            return False
        return bool(there[1] != wanted[1] or there[4] != wanted[4])

    def _is_blocked(self, path: str, entry: Entry) -> bool:
        """Does a folder that holds what no sync brought stand where a file must?"""
        full = self._full(path)
        if entry[1] == "d" or os.path.islink(full) or not os.path.isdir(full):
            return False
        inside = os.walk(full)
        return any(
            os.path.relpath(os.path.join(at, name), self._root) not in self._there
            for at, folders, files in inside
            for name in (*folders, *files)
        )

    # -- bytes

    def _staged(self) -> set[str]:
        return {name for name in os.listdir(self._staging("")) if not name.endswith(".part")}

    def _stage(self, wanted: Entries, source: Source) -> None:
        """Bring the bytes of all files beside their places, each held to its digest."""
        self._check_room(wanted)
        at = {entry[4]: entry[0] for entry in self._there.values() if entry[1] == "f"}
        staged = self._staged()
        try:
            for path, kind, _, size, sha256, *is_sent in wanted.values():
                if kind != "f" or (sha256 in staged and not is_sent):
                    continue
                if is_sent:
                    self._stage_one(path, sha256, source.take(size))
                elif self._there.get(path, [None] * 5)[4] != sha256:
                    self._stage_one(path, sha256, _pieces(self._full(at.get(sha256) or path)))
                staged.add(sha256)
        except OSError as error:
            if error.errno in _ROOM:
                self._empty_staging()
            raise

    def _stage_one(self, path: str, sha256: str, pieces: Iterator[bytes]) -> None:
        found, name = hashlib.sha256(), self._staging(sha256)
        with open(name + ".part", "wb") as file:  # buffered: a full disk cuts no write short
            for piece in pieces:
                found.update(piece)
                file.write(piece)
        if found.hexdigest() != sha256:
            os.unlink(name + ".part")
            raise Refusal("damaged", path=path)
        os.rename(name + ".part", name)

    def _check_room(self, wanted: Entries) -> None:
        needed = sum(entry[3] for entry in wanted.values() if len(entry) > 5)
        disk = os.statvfs(self._place)
        free = disk.f_bavail * disk.f_frsize
        if needed + SPARE_BYTES > free:
            raise Refusal("full", message=f"{needed} bytes are to come, and {free} are free")

    # -- into place

    def _recover(self) -> str:
        """Carry out the journal, from its beginning or from where it was cut."""
        journal = self._read("journal.json")
        if journal is None:
            return ""
        wanted = {entry[0]: entry[:5] for entry in journal["set"]}
        for path in sorted(journal["drop"], reverse=True):
            if path not in wanted:
                _remove(self._full(path))
        for path in sorted(wanted):
            if wanted[path][1] == "d":
                self._place_folder(wanted[path])
        self._place_files([one for one in wanted.values() if one[1] == "f"])
        for entry in wanted.values():
            if entry[1] == "l":
                self._place_link(entry)
        return self._settle(journal, wanted)

    def _settle(self, journal: dict[str, Any], wanted: Entries) -> str:
        entries = self._known_before(journal)
        for path, entry in wanted.items():
            if not os.path.lexists(self._full(path)):
                entries.pop(path, None)  # somebody took it away in between: it is sent again
            elif entry[1] == "f":
                entries[path] = [*entry, *_stamp(os.lstat(self._full(path)))]
        digest = digest_of(entries)
        state = {"project": journal["project"], "digest": digest}
        self._write("state.json", {**state, "entries": list(entries.values())})
        os.unlink(os.path.join(self._place, "journal.json"))
        self._empty_staging()
        return digest

    def _known_before(self, journal: dict[str, Any]) -> Entries:
        """Return the state with the journal carried out; a second time it is the same."""
        state = self._read("state.json") or {"entries": []}
        entries = {entry[0]: entry for entry in state["entries"]}
        for path in journal["gone"]:
            entries.pop(path, None)
        entries.update((entry[0], entry) for entry in journal["entries"])
        return entries

    def _place_folder(self, entry: Entry) -> None:
        full = self._full(entry[0])
        if os.path.islink(full) or (os.path.lexists(full) and not os.path.isdir(full)):
            os.unlink(full)
        if not os.path.isdir(full):
            os.mkdir(full)
        os.chmod(full, entry[2] & 0o777 | 0o700)  # else it could not be filled, or removed

    def _place_files(self, entries: list[Entry]) -> None:
        """Give each its name; bytes that several have are copied for all but the last."""
        left: dict[str, int] = {}
        for entry in entries:
            left[entry[4]] = left.get(entry[4], 0) + 1
        for path, _, mode, _, sha256 in entries:
            staged, full = self._staging(sha256), self._full(path)
            left[sha256] -= 1
            if os.path.exists(staged):
                if left[sha256]:
                    _copy(staged, staged + ".part")
                    staged += ".part"
                os.chmod(staged, mode & 0o777)
                self._rename(staged, full)
            elif os.path.isfile(full) and not os.path.islink(full):
                os.chmod(full, mode & 0o777)

    def _place_link(self, entry: Entry) -> None:
        made = self._staging("link.part")
        if os.path.lexists(made):
            os.unlink(made)
        os.symlink(entry[4], made)
        self._rename(made, self._full(entry[0]))

    def _rename(self, source: str, full: str) -> None:
        try:
            os.rename(source, full)
        except IsADirectoryError:
            os.rmdir(full)
            os.rename(source, full)

    # -- names

    def _full(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _staging(self, name: str) -> str:
        return f"{self._place}/staged/{name}"

    def _empty_staging(self) -> None:
        for name in os.listdir(self._staging("")):
            os.unlink(self._staging(name))

    def _read(self, name: str) -> Any:
        try:
            with open(os.path.join(self._place, name)) as file:
                return json.load(file)
        except FileNotFoundError:
            return None

    def _write(self, name: str, value: object) -> None:
        path = os.path.join(self._place, name)
        with open(path + ".part", "w") as file:
            file.write(json.dumps(value))  # what dump() does too, but in Python
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".part", path)


def _remove(full: str) -> None:
    """Take away a file, a link or a folder; one that holds what no sync brought stays."""
    try:
        if os.path.isdir(full) and not os.path.islink(full):
            os.rmdir(full)
        else:
            os.unlink(full)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST):
            raise


def _copy(source: str, target: str) -> None:
    """Do as shutil does, whose import takes longer than a sync's copies."""
    with open(target, "wb") as file:
        file.writelines(_pieces(source))


def _pieces(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while data := file.read(_CHUNK):
            yield data


if __name__ == "__main__":
    gc.disable()  # there are no cycles, and one lock's time is short
    sys.stdout.buffer.write(zlib.compress(json.dumps(receive(sys.stdin.buffer)).encode(), 1))
