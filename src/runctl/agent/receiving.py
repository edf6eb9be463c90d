"""What `runctl sync` runs on an instance: it holds a folder to what the laptop has.

Its text is sent to instances and run by whatever Python is there, from 3.9 on: it needs the
standard library alone, and nothing of runctl. It reads one request and writes one answer. What
takes long to import is imported where it is needed, and what it keeps here, its own text compiled
too, is written by marshal, which every Python has built in.

An entry is [path, kind, mode, size, what]: ``what`` is the SHA-256 of a file ("f"), the target of
a link ("l"), nothing for a folder ("d"). The folder's own records lie in it, in PLACE: the state
(what syncs have brought, with the times of each file), staged bytes, and, while files are put
into place, the journal that a later sync takes up where this one was cut.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import hashlib
import marshal
import os
import stat
import sys
import time
import zlib

TYPE_CHECKING = False  # typing is one more import for each sync
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, BinaryIO

    Entry = list[Any]
    Entries = dict[str, Entry]

PLACE = ".runctl-sync"
PATIENCE_S = 20.0
"""How long another sync of the same folder is waited for."""
SPARE_BYTES = 1 << 20
OLDEST = 2
"""The version of marshal's format that all Pythons read."""
BATCH_BYTES = 1 << 19
_CHUNK = 1 << 18
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_ROOM = (errno.ENOSPC, errno.EDQUOT)


class Refusal(Exception):
    """Ends the sync before anything is changed; ``answer`` says why."""

    def __init__(self, kind: str, **fields: Any) -> None:
        super().__init__(kind)
        self.answer = {"kind": kind, **fields}


def receive(stream: BinaryIO) -> dict[str, Any]:
    """Do what is asked; return the answer."""
    opening = _load(stream.read(int(stream.readline())))
    root = os.path.realpath(os.path.expanduser(opening["folder"]))
    try:
        place = _make_place(root)
        with open(os.path.join(place, "lock"), "w") as lock:
            _wait_for(lock, PATIENCE_S)
            folder = Folder(root, place, opening)
            answer = folder.serve(Source(stream, opening["codec"]))
    except Refusal as refusal:
        answer = refusal.answer
    except OSError as error:
        kind = "full" if error.errno in _ROOM else "failed"
        answer = {"kind": kind, "message": f"{error.filename or root}: {error.strerror}"}
    return {**answer, "root": root}


def in_json(answer: dict[str, Any]) -> str:
    """Return it as the other side reads it, without the module json where it is plain."""
    if not all(isinstance(value, str) for value in answer.values()):
        import json  # noqa: PLC0415

        return json.dumps(answer)
    from _json import encode_basestring_ascii as quoted  # noqa: PLC0415

    return "{" + ",".join(f"{quoted(name)}:{quoted(one)}" for name, one in answer.items()) + "}"


def _load(data: bytes) -> Any:
    return marshal.loads(data)  # noqa: S302 - from who has sent this program, or from itself


def keep_program(code: Any, path: str) -> None:
    """Keep this program as compiled, so that a later sync neither sends nor compiles it."""
    place, name = os.path.split(path)
    if not name or os.path.exists(path) or not os.path.isdir(place):
        return
    for other in os.listdir(place):
        if other.startswith("receiver-"):
            os.unlink(os.path.join(place, other))
    with open(path + ".part", "wb") as file:
        file.write(marshal.dumps(code))
    os.replace(path + ".part", path)


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


def zstd() -> Callable[[bytes], bytes]:
    """Return what decompresses, by the system's own library: no Python before 3.14 can."""
    import ctypes  # noqa: PLC0415

    class Buffer(ctypes.Structure):
        _fields_ = [
            ("at", ctypes.c_void_p), ("size", ctypes.c_size_t), ("position", ctypes.c_size_t)
        ]  # fmt: skip

    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_createDStream.restype = ctypes.c_void_p
    library.ZSTD_decompressStream.restype = ctypes.c_size_t
    stream = ctypes.c_void_p(library.ZSTD_createDStream())
    room = ctypes.create_string_buffer(_CHUNK)

    def decompress(data: bytes) -> bytes:
        given = ctypes.create_string_buffer(data, len(data))
        source = Buffer(ctypes.addressof(given), len(data), 0)
        parts = []
        while True:
            target = Buffer(ctypes.addressof(room), _CHUNK, 0)
            code = library.ZSTD_decompressStream(stream, ctypes.byref(target), ctypes.byref(source))
            if library.ZSTD_isError(ctypes.c_size_t(code)):
                raise Refusal("damaged", path=None)
            parts.append(ctypes.string_at(room, target.position))
            if source.position == len(data) and target.position < _CHUNK:
                return b"".join(parts)

    return decompress


class Source:
    """The bytes after the opening, decompressed as they come."""

    def __init__(self, stream: BinaryIO, codec: str) -> None:
        self._stream = stream
        self._decompress = zstd() if codec == "zstd" else zlib.decompressobj().decompress
        self._held = b""

    def request(self) -> dict[str, Any]:
        """Return what is asked; Refusal where the sender went away."""
        while b"\n" not in self._held:
            self._held += self._more()
        size, _, self._held = self._held.partition(b"\n")
        asked: dict[str, Any] = _load(b"".join(self.take(int(size))))
        return asked

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


def _seen(status: os.stat_result) -> str:
    """Say what ``stat --printf '%f %s %.9Y %.9Z %i\\n'`` says of it."""
    modified, changed = status.st_mtime_ns, status.st_ctime_ns
    return (
        f"{status.st_mode:x} {status.st_size} {modified // 10**9}.{modified % 10**9:09d} "
        f"{changed // 10**9}.{changed % 10**9:09d} {status.st_ino}\n"
    )


def _is_as_it_was(full: str, known: Entry) -> bool:
    """Is it the file of the state? Most are, and this asks for nothing else."""
    if known[1] != "f" or len(known) < 6:
        return False
    try:
        return bool(_seen(os.lstat(full)) == known[5])
    except OSError:
        return False


def look_at(full: str, path: str, known: Entry | None = None) -> Entry | None:
    """Return the entry of what stands there, with how it looks; None for nothing.

    A file that looks as the known one is not read again.
    """
    try:
        status = os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return None
    mode = status.st_mode & 0o777
    if stat.S_ISREG(status.st_mode):
        seen = _seen(status)
        what = known[4] if known is not None and known[5:] == [seen] else _hash(full)
        return [path, "f", mode, status.st_size, what, seen]
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


class Writer:
    """Has small files written by a thread of its own, many at a time, while the next come in."""

    def __init__(self, stage: Callable[[str, str, Iterable[bytes], int], None]) -> None:
        self._stage = stage
        self._batch: list[tuple[str, str, list[bytes], int]] = []
        self._bytes = 0
        self._thread: Any = None
        self._failure: Exception | None = None

    def write(self, size: int, path: str, sha256: str, pieces: Iterator[bytes], mode: int) -> None:
        if size > BATCH_BYTES:
            self._stage(path, sha256, pieces, mode)
            return
        self._batch.append((path, sha256, [*pieces], mode))
        self._bytes += size
        if self._bytes > BATCH_BYTES:
            self._hand_over()

    def end(self) -> None:
        """Return once all is written; raise what has failed."""
        self.settle()
        if self._failure is not None:
            raise self._failure

    def settle(self) -> None:
        """Write what has come in whole, also where nothing more comes."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None
        batch, self._batch = self._batch, []
        self._write(batch)

    def _hand_over(self) -> None:
        if self._thread is None:
            import queue  # noqa: PLC0415
            import threading  # noqa: PLC0415

            self._queue: Any = queue.Queue(2)
            self._thread = threading.Thread(target=self._serve)
            self._thread.start()
        self._queue.put(self._batch)
        self._batch, self._bytes = [], 0
        if self._failure is not None:
            raise self._failure

    def _serve(self) -> None:
        while (batch := self._queue.get()) is not None:
            self._write(batch)

    def _write(self, batch: list[tuple[str, str, list[bytes], int]]) -> None:
        try:
            for one in batch if self._failure is None else ():
                self._stage(*one)
        except Exception as failure:  # noqa: BLE001 - it is raised where the thread is waited for
            self._failure = failure


class Folder:
    """The folder that is held in step, while its lock is held."""

    def __init__(self, root: str, place: str, opening: dict[str, Any]) -> None:
        self._root, self._place, self._is_forced = root, place, opening["is_forced"]
        self._project = opening["project"]
        self._umask = os.umask(0)
        os.umask(self._umask)
        self._modes: dict[str, int] = {}
        self._state: Entries = {}
        self._resume()
        state = self._read("state")
        if state is not None:
            if state["project"] != self._project and not self._is_forced:
                raise Refusal("other", project=state["project"])
            self._state = {entry[0]: entry for entry in state["entries"]}
        # The shell that started this has seen that all is as it was: it need not be seen twice.
        is_seen = state is not None and state["look"] == opening["look"]
        self._there = dict(self._state) if is_seen else self._look()
        self._is_same = is_seen or all(
            (now := self._there.get(path, [])) is entry or now[:5] == entry[:5]
            for path, entry in self._state.items()
        )
        self._was = state if state is not None and self._is_same else None
        self._digest = self._was["digest"] if self._was else digest_of(self._there)

    def _look(self) -> Entries:
        found = {}
        for path, known in self._state.items():
            full = self._full(path)
            entry = known if _is_as_it_was(full, known) else look_at(full, path, known)
            if entry is not None:
                found[path] = entry
        return found

    def serve(self, source: Source) -> dict[str, Any]:
        asked = source.request()
        is_resumable = bool(self._staged()) and not asked["is_resuming"]
        if asked["base"] != self._digest or is_resumable:
            return self._have()
        if not asked["set"] and not asked["drop"] and self._was:
            return {"kind": "same", "digest": self._digest, "look": self._was["look"]}
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
        self._write("journal", journal, is_flushed=True)
        return {"kind": "done", **self._carry_out(journal)}

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
        is_folder_lost = bool(dropped) or any(
            path in self._there and self._there[path][1] == "d" and entry[1] != "d"
            for path, entry in wanted.items()
        )
        for path in target if is_folder_lost else wanted:
            parent = path.rpartition("/")[0]
            if parent and target.get(parent, ["", ""])[1] != "d":
                raise Refusal("hostile", path=path)
        found = {path: self._look_for(path) for path in wanted}
        foreign = {path for path, there in found.items() if self._is_foreign(wanted[path], there)}
        conflicts = sorted({*foreign, *filter(self._is_edited, dropped)})
        blocked = [
            path
            for path, there in found.items()
            if there is not None and there[1] == "d" and self._is_blocked(path, wanted[path])
        ]
        if blocked or (conflicts and not self._is_forced):
            raise Refusal("conflict", paths=blocked or conflicts, is_blocked=bool(blocked))

    def _look_for(self, path: str) -> Entry | None:
        return self._there.get(path) or look_at(self._full(path), path)

    def _is_edited(self, path: str) -> bool:
        was, now = self._state[path], self._there[path]
        return bool(was[1] != now[1] or was[4] != now[4])

    def _is_foreign(self, wanted: Entry, there: Entry | None) -> bool:
        """Is there something that a sync did not bring, and is it not what is wanted?"""
        path = wanted[0]
        if there is None or there[1] == "d" or (path in self._there and not self._is_edited(path)):
            return False
        return bool(there[1] != wanted[1] or there[4] != wanted[4])

    def _is_blocked(self, path: str, entry: Entry) -> bool:
        """Does a folder that holds what no sync brought stand where a file must?"""
        full = self._full(path)
        if entry[1] == "d":
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
        staged: set[str] = set()
        writer = Writer(self._stage_one)
        try:
            for entry in wanted.values():
                if entry[1] == "f" and (len(entry) > 5 or entry[4] not in staged):
                    self._bring(entry, at, source, writer)
                    staged.add(entry[4])
            writer.end()
        except BaseException as error:
            writer.settle()
            if isinstance(error, OSError) and error.errno in _ROOM:
                self._empty_staging()
            raise

    def _bring(self, entry: Entry, at: dict[str, str], source: Source, writer: Writer) -> None:
        """Bring a file's bytes from outside if they are sent, else from what is here."""
        path, _, mode, size, sha256, *is_sent = entry
        if is_sent:
            writer.write(size, path, sha256, source.take(size), mode)
        elif os.path.exists(self._staging(sha256)):
            self._check_staged(path, sha256)
        elif self._there.get(path, [None] * 5)[4] != sha256:
            self._stage_one(path, sha256, _pieces(self._full(at.get(sha256) or path)), mode)

    def _stage_one(self, path: str, sha256: str, pieces: Iterable[bytes], mode: int) -> None:
        """Write a file under its digest. One that a cut leaves torn there is found by the next."""
        found, name = hashlib.sha256(), self._staging(sha256)
        file = os.open(name, _NEW, mode)
        try:
            for piece in pieces:
                found.update(piece)
                while piece:  # a disk that fills up cuts a write short
                    piece = piece[os.write(file, piece) :]  # noqa: PLW2901 - the rest of it
        finally:
            os.close(file)
        if found.hexdigest() != sha256:
            os.unlink(name)
            raise Refusal("damaged", path=path)
        self._modes[sha256] = mode & ~self._umask

    def _check_staged(self, path: str, sha256: str) -> None:
        if _hash(self._staging(sha256)) != sha256:
            os.unlink(self._staging(sha256))
            raise Refusal("damaged", path=path)

    def _check_room(self, wanted: Entries) -> None:
        needed = sum(entry[3] for entry in wanted.values() if len(entry) > 5)
        disk = os.statvfs(self._place)
        free = disk.f_bavail * disk.f_frsize
        if needed + SPARE_BYTES > free:
            raise Refusal("full", message=f"{needed} bytes are to come, and {free} are free")

    # -- into place

    def _resume(self) -> None:
        """Carry out a journal that was cut, from its beginning."""
        journal = self._read("journal")
        if journal is not None:
            self._carry_out(journal)

    def _carry_out(self, journal: dict[str, Any]) -> dict[str, str]:
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

    def _settle(self, journal: dict[str, Any], wanted: Entries) -> dict[str, str]:
        entries = self._known_before(journal)
        for path, entry in wanted.items():
            try:
                status = os.lstat(self._full(path))
            except FileNotFoundError:
                entries.pop(path, None)  # somebody took it away in between: it is sent again
                continue
            if entry[1] == "f":
                entries[path] = [*entry, _seen(status)]
        made = {"digest": digest_of(entries), "look": self._list(entries)}
        kept = list(entries.values())
        self._write("state", {"project": journal["project"], **made, "entries": kept})
        os.unlink(os.path.join(self._place, "journal"))
        self._empty_staging()
        return made

    def _list(self, entries: Entries) -> str:
        """Write down what the next start is to look at; return the digest of what it will see."""
        names, folders, lines, modes = [], [], [], []
        for path, kind, _, _, _, *seen in entries.values():
            if kind == "d":
                folders.append(f"{path}\0")
                modes.append(f"{os.lstat(self._full(path)).st_mode:x}\n")
            else:
                names.append(f"{path}\0")
                lines.append(seen[0] if seen else _seen(os.lstat(self._full(path))))
        for name, paths in (("names", names), ("folders", folders)):
            with open(os.path.join(self._place, name), "wb") as file:
                file.write(os.fsencode("".join(paths)))
        return hashlib.sha256("".join((*lines, *modes)).encode()).hexdigest()

    def _known_before(self, journal: dict[str, Any]) -> Entries:
        """Return the state with the journal carried out; a second time it is the same."""
        state = self._state
        if not state:
            read = self._read("state") or {"entries": []}
            state = {entry[0]: entry for entry in read["entries"]}
        entries = dict(state)
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
        staged = self._staged()
        for path, _, mode, _, sha256 in entries:
            full = self._full(path)
            left[sha256] -= 1
            if sha256 in staged:
                self._place_file(sha256, full, mode & 0o777, is_last=not left[sha256])
            elif os.path.isfile(full) and not os.path.islink(full):
                os.chmod(full, mode & 0o777)

    def _place_file(self, sha256: str, full: str, mode: int, *, is_last: bool) -> None:
        staged = self._staging(sha256)
        if not is_last:
            _copy(staged, staged + ".part")
            staged += ".part"
        if not is_last or self._modes.get(sha256) != mode:
            os.chmod(staged, mode)
        self._rename(staged, full)

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
        """Return a record; None where there is none, and where a crash has torn it."""
        try:
            with open(os.path.join(self._place, name), "rb") as file:
                digest, data = file.read(32), file.read()
        except FileNotFoundError:
            return None
        return _load(data) if hashlib.sha256(data).digest() == digest else None

    def _write(self, name: str, value: dict[str, Any], *, is_flushed: bool = False) -> None:
        path, data = os.path.join(self._place, name), marshal.dumps(value, OLDEST)
        with open(path + ".part", "wb") as file:
            file.write(hashlib.sha256(data).digest() + data)
            if is_flushed:
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


def main(code: Any, kept: str) -> None:
    """Serve standard input; ``kept`` is where this program, compiled, is looked for next time."""
    gc.disable()  # there are no cycles, and one lock's time is short
    answer = in_json(receive(sys.stdin.buffer))
    sys.stdout.buffer.write(zlib.compress(answer.encode(), 1))
    keep_program(code, kept)
    sys.stdout.flush()
    os._exit(0)  # to take 50,000 entries apart takes longer than all else
