"""One sync: what has changed here is put there, or nothing is."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from runctl.engine.syncing.answers import refusal
from runctl.engine.syncing.exchange import Streaming, exchange
from runctl.engine.syncing.memory import Memory, memory_path
from runctl.engine.syncing.tree import Entries, Entry, digest_of, read_tree
from runctl.errors import IntegrityError, TransportError, TryAgain
from runctl.model.sync import Synced
from runctl.project import Selection

TRIES = 4
_CHUNK = 1 << 20

Choose = Callable[[], Selection]
Approve = Callable[[Selection, Sequence[str]], None]


@dataclass(frozen=True)
class Place:
    """A folder of an instance, and what leads there; ``reference`` is what the user typed."""

    transport: Streaming
    instance_id: str
    reference: str
    folder: str
    is_forced: bool = False


@dataclass
class Mirror:
    """Holds a folder there to what ``choose`` selects here, each time ``once`` is called.

    ``approve`` raises where a selection's files (it gets those that would be sent) must stay.
    """

    place: Place
    project: Path
    cache: Path
    choose: Choose
    approve: Approve
    memory: Memory = field(init=False)
    tree: Entries = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.memory = Memory.load(self._memory_path)
        self._digest: tuple[Entries | None, str] = (None, "")

    def look(self) -> bool:
        """Read the tree anew; tell whether the folder is not known to equal it."""
        self._selection = self.choose()
        self.tree, self._known = read_tree(self._selection, self.memory.known, time.time_ns())
        return self.memory.entries != self.tree

    def once(self) -> Synced:
        """Bring the folder into step.

        Raises ConflictError, TryAgain, CapacityError, IntegrityError, TransportError: nothing
        there has changed, or the next sync ends what this one began.
        """
        try:
            return self._bring()
        except TransportError:
            # What has arrived is asked for next time, and not sent again.
            self.memory.entries = None
            self.memory.save(self._memory_path)
            raise

    def _bring(self) -> Synced:
        had, staged, sent = self._ask() if self.memory.entries is None else (None, [], 0)
        is_read = had is not None
        for _ in range(TRIES):
            base = (self.memory.entries or {}) if had is None else had
            parts = self._parts(base, staged, is_read=is_read, is_resuming=had is not None)
            answer, more = exchange(self.place.transport, self._opening, parts)
            is_read, sent = True, sent + more
            if answer["kind"] != "have":
                return self._conclude(answer, base, sent)
            had, staged = _entries(answer), answer["staged"]
        raise TryAgain(
            f"{self.place.folder} on {self.place.instance_id} changes while it is synced",
            hint=f"runctl sync {self.place.reference}",
        )

    def _ask(self) -> tuple[Entries, list[str], int]:
        """Ask what is there, and read what is here meanwhile."""
        with ThreadPoolExecutor(1) as threads:
            asked = threads.submit(
                exchange, self.place.transport, self._opening, [b'{"base":""}\n']
            )
            self.look()
            answer, sent = asked.result()
        self.memory.codec = answer["codec"]
        if answer["kind"] != "have":
            raise refusal(answer, self.place)
        return _entries(answer), answer["staged"], sent

    def _parts(
        self, base: Entries, staged: Sequence[str], *, is_read: bool, is_resuming: bool
    ) -> Iterator[bytes]:
        """Yield the request, and the bytes of the files that are not there."""
        if not is_read:
            self.look()
        changed = [one for path, one in self.tree.items() if base.get(path) != one]
        sent = list(_to_send(changed, {*staged, *(one.what for one in base.values())}))
        self.approve(self._selection, [one.path for one in sent])
        names = {one.path for one in sent}
        request = {
            "base": self._digest_of(base),
            "is_resuming": is_resuming,
            "set": [(*one, 1) if one.path in names else one for one in changed],
            "drop": [path for path in base if path not in self.tree],
        }
        yield json.dumps(request, separators=(",", ":")).encode() + b"\n"
        for one in sent:
            yield from self._bytes_of(one)

    def _bytes_of(self, entry: Entry) -> Iterator[bytes]:
        left, found = entry.size_bytes, hashlib.sha256()
        try:
            with open(os.path.join(self.project, entry.path), "rb", buffering=0) as file:
                while left and (data := file.read(min(left, _CHUNK))):
                    left -= len(data)
                    found.update(data)
                    yield data
        except FileNotFoundError:
            left = -1
        if left or found.hexdigest() != entry.what:
            raise TryAgain(
                f"{entry.path} changed while it was sent",
                hint=f"runctl sync {self.place.reference}",
            )

    def _conclude(self, answer: dict[str, Any], base: Entries, sent: int) -> Synced:
        self.memory.codec = answer["codec"]
        if answer["kind"] not in ("done", "same"):
            raise refusal(answer, self.place)
        if answer["digest"] != self._digest_of(self.tree):
            raise IntegrityError(
                f"{answer['root']} on {self.place.instance_id} is not what was sent",
                hint=f"runctl sync {self.place.reference}",
            )
        is_news = self.memory.entries != self.tree or self.memory.known != self._known
        self.memory.entries, self.memory.known = self.tree, self._known
        if is_news:
            self.memory.save(self._memory_path)
        return Synced(
            instance_id=self.place.instance_id,
            project_root=str(self.project),
            folder=answer["root"],
            file_count=sum(one.kind != "d" for one in self.tree.values()),
            changed=tuple(path for path, one in self.tree.items() if base.get(path) != one),
            removed=tuple(path for path in base if path not in self.tree),
            sent_bytes=sent,
        )

    def _digest_of(self, entries: Entries) -> str:
        """Return the tree's digest, which is computed once where what is there is the same."""
        if entries != self.tree:
            return digest_of(entries)
        if self._digest[0] is not self.tree:
            self._digest = (self.tree, digest_of(self.tree))
        return self._digest[1]

    @property
    def _opening(self) -> dict[str, Any]:
        return {
            "folder": self.place.folder,
            "project": self.project.name,
            "codec": self.memory.codec,
            "is_forced": self.place.is_forced,
        }

    @cached_property
    def _memory_path(self) -> Path:
        return memory_path(self.cache, self.project, self.place.instance_id, self.place.folder)


def _entries(answer: dict[str, Any]) -> Entries:
    return {one[0]: Entry(*one) for one in answer["entries"]}


def _to_send(changed: Iterable[Entry], there: set[str]) -> Iterator[Entry]:
    """Yield the files whose bytes are not there, each content once."""
    for one in changed:
        if one.kind == "f" and one.what not in there:
            there.add(one.what)
            yield one
