"""What is asked of the receiver on an instance, by what was seen there and what is here."""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from runctl.agent.receiving import OLDEST
from runctl.engine.syncing.exchange import Asked, Seen
from runctl.engine.syncing.memory import Memory
from runctl.engine.syncing.tree import Entries, Entry, digest_of
from runctl.errors import TryAgain

_CHUNK = 1 << 20
_WORTH_ZSTD_BYTES = 1 << 20
"""Of less, the library is longer loaded there than it saves."""


class Had(NamedTuple):
    """What the receiver has told that it has: entries, and files that are not in place yet."""

    entries: Entries
    staged: Sequence[str]


@dataclass
class Asking:
    """``look`` returns what is here, once it is read; ``approve`` raises where a file must stay.

    ``opening`` says which folder is meant; ``base`` is what is there, as far as is known.
    """

    project: Path
    opening: dict[str, Any]
    memory: Memory
    look: Callable[[], Entries]
    approve: Callable[[Sequence[str]], None]
    again: str
    had: Had | None = None
    base: Entries = field(default_factory=dict)

    def ask(self, seen: Seen) -> Asked | None:
        """Return what is to be sent; None where all is known to be in step."""
        if not self._know_base(seen):
            return self._open(seen, "zlib"), [_record({"base": "", "is_resuming": False})]
        tree = self.look()
        if self.had is None and seen.look and seen.look == self.memory.look and self.base == tree:
            return None
        changed = [one for path, one in tree.items() if self.base.get(path) != one]
        staged = () if self.had is None else self.had.staged
        sent = list(_to_send(changed, {*staged, *(one.what for one in self.base.values())}))
        self.approve([one.path for one in sent])
        is_large = sum(one.size_bytes for one in sent) > _WORTH_ZSTD_BYTES
        return self._open(seen, seen.codec if is_large else "zlib"), self._parts(
            self._request(tree, changed, sent), sent
        )

    def _know_base(self, seen: Seen) -> bool:
        if self.had is not None:
            self.base = self.had.entries
        elif seen.look != "none":
            self.base = self.memory.entries or {}
            return self.memory.entries is not None
        return True

    def _open(self, seen: Seen, codec: str) -> dict[str, Any]:
        return {**self.opening, "look": seen.look, "codec": codec}

    def _request(
        self, tree: Entries, changed: Iterable[Entry], sent: Iterable[Entry]
    ) -> dict[str, Any]:
        names = {one.path for one in sent}
        is_remembered = self.base is self.memory.entries
        return {
            "base": self.memory.digest if is_remembered else digest_of(self.base),
            "is_resuming": self.had is not None,
            "set": [(*one, 1) if one.path in names else tuple(one) for one in changed],
            "drop": [path for path in self.base if path not in tree],
        }

    def _parts(self, request: dict[str, Any], sent: Iterable[Entry]) -> Iterator[bytes]:
        yield _record(request)
        for one in sent:
            yield from self._bytes_of(one)

    def _bytes_of(self, entry: Entry) -> Iterator[bytes]:
        left, found = entry.size_bytes, hashlib.sha256()
        try:
            with open(f"{self.project}/{entry.path}", "rb", buffering=0) as file:
                while left and (data := file.read(min(left, _CHUNK))):
                    left -= len(data)
                    found.update(data)
                    yield data
        except FileNotFoundError:
            left = -1
        if left or found.hexdigest() != entry.what:
            raise TryAgain(f"{entry.path} changed while it was sent", hint=self.again)


def _record(value: dict[str, Any]) -> bytes:
    data = marshal.dumps(value, OLDEST)
    return b"%d\n%b" % (len(data), data)


def _to_send(changed: Iterable[Entry], there: set[str]) -> Iterator[Entry]:
    """Yield the files whose bytes are not there, each content once."""
    for one in changed:
        if one.kind == "f" and one.what not in there:
            there.add(one.what)
            yield one
