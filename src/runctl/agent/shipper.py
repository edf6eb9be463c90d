"""The log on its way to the ledger: within a second of being printed, never dropped.

The command writes straight to a local file, so that nothing of ours can slow it down or
break its output. A chunk is sent when a second has passed or 4 MiB have come; small ones
are compacted in tiers, so that a slow log costs few objects.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from runctl.agent.journal import retry_until_done
from runctl.errors import RunctlError
from runctl.store.blobs import Clock
from runctl.store.logs import CHUNK_BYTES, Chunk, Log, pack_frame
from runctl.store.pace import pace_of

POLL_S = 0.05
TIER_COUNT = 32
TIERS = 3


class Shipper:
    """Tails one file into one log."""

    def __init__(self, path: Path, log: Log, clock: Clock) -> None:
        self._path = path
        self._log = log
        self._clock = clock
        self._every_s = pace_of(log.url).ship_s
        self._is_ending = threading.Event()
        self._tiers = _no_tiers()
        self._thread = threading.Thread(target=self._run, name="shipper", daemon=True)
        self.shipped_bytes = 0

    def start(self) -> None:
        self._thread.start()

    def finish(self, is_cancelled: Callable[[], bool]) -> bool:
        """Ship what is left, to the last byte; return False if cancelled before."""
        self._is_ending.set()
        while self._thread.is_alive():
            if is_cancelled():
                return False
            self._thread.join(POLL_S)
        return True

    def _run(self) -> None:
        retry_until_done(self._recover)
        shipped_at = 0.0
        while True:
            is_last = self._is_ending.is_set()
            is_due = is_last or time.monotonic() - shipped_at >= self._every_s
            if is_due and self._ship_available():
                shipped_at = time.monotonic()
            if is_last:
                return
            self._is_ending.wait(POLL_S)

    def _recover(self) -> None:
        """Take up where an earlier agent of this attempt ended."""
        self.shipped_bytes = max((chunk.end for chunk in self._log.chunks()), default=0)

    def _ship_available(self) -> bool:
        """Ship all that the file holds by now; return whether there was anything."""
        has_shipped = False
        while data := self._read():
            self._ship(self.shipped_bytes, pack_frame(data, self._clock()), len(data))
            has_shipped = True
        return has_shipped

    def _ship(self, start: int, frame: bytes, length: int) -> None:
        sent: list[Chunk] = []
        retry_until_done(lambda: sent.append(self._log.append(start, frame, length)))
        self.shipped_bytes += length
        try:
            self._compact(sent[0])
        except (RunctlError, OSError):
            self._tiers = _no_tiers()  # the small chunks stay: as readable, only more of them

    def _read(self) -> bytes:
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(descriptor, CHUNK_BYTES, self.shipped_bytes)
        finally:
            os.close(descriptor)

    def _compact(self, chunk: Chunk) -> None:
        """Merge TIER_COUNT neighbours into one, tier by tier, as they come together."""
        if chunk.length >= CHUNK_BYTES:
            self._tiers = _no_tiers()  # what is smaller no longer adjoins what comes
            return
        for tier in self._tiers:
            tier.append(chunk)
            if len(tier) < TIER_COUNT and tier[-1].end - tier[0].start < CHUNK_BYTES:
                return
            chunk = self._log.compact(tier)
            tier.clear()


def _no_tiers() -> list[list[Chunk]]:
    return [[] for _ in range(TIERS)]
