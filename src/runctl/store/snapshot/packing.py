"""Pieces on their way into packs, and packs on theirs into a store."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from runctl.model.checkpoint import Part
from runctl.store.snapshot.memory import PackNote
from runctl.store.snapshot.packs import PACK_BYTES, PACK_PIECES, pack

AT_ONCE = 4

Send = Callable[[bytes], Part]


class Packer:
    """Packs what is not ``known``, and sends full packs beside the reading of the next.

    At most AT_ONCE packs are in memory, and the one that is being filled.
    """

    def __init__(self, send: Send, known: Iterable[PackNote]) -> None:
        self._send = send
        self._kept = list(known)
        self._known = {sha256 for note in self._kept for sha256 in note.pieces}
        self._pieces: dict[str, bytes] = {}
        self._filled_bytes = 0
        self._threads = ThreadPoolExecutor(AT_ONCE)
        self._sending: deque[Future[PackNote]] = deque()

    def has(self, sha256: str) -> bool:
        return sha256 in self._known

    def add(self, sha256: str, data: bytes) -> None:
        if sha256 in self._known or not data:
            return
        is_full = self._filled_bytes + len(data) > PACK_BYTES or len(self._pieces) == PACK_PIECES
        if self._pieces and is_full:
            self._flush()
        self._known.add(sha256)
        self._pieces[sha256] = data
        self._filled_bytes += len(data)

    def finish(self, needed: Iterable[str]) -> tuple[PackNote, ...]:
        """Return the packs that hold what is needed, once they are in the store."""
        if self._pieces:
            self._flush()
        while self._sending:
            self._kept.append(self._sending.popleft().result())
        wanted = frozenset(needed)
        return tuple(note for note in self._kept if not wanted.isdisjoint(note.pieces))

    def _flush(self) -> None:
        pieces, self._pieces, self._filled_bytes = self._pieces, {}, 0
        while len(self._sending) >= AT_ONCE:
            self._kept.append(self._sending.popleft().result())
        self._sending.append(self._threads.submit(self._pack_and_send, pieces))

    def _pack_and_send(self, pieces: dict[str, bytes]) -> PackNote:
        sizes = {sha256: len(data) for sha256, data in pieces.items()}
        return PackNote(self._send(pack(pieces)), sizes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown(cancel_futures=True)
