"""Events on their way to the ledger: first on the local disk, then sent, in order.

A restarted agent reads the journal, sends what the ledger lacks, and goes on. A lost
network costs nothing but time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from runctl.errors import ObjectExists, RecordError, RunctlError
from runctl.model.codec import Record, decode, encode
from runctl.model.events import AttemptEnded, Body, CheckpointCommitted, CommandExited, Event
from runctl.model.paths import number_in
from runctl.store.blobs import Clock
from runctl.store.ledger import Ledger

WRITER = "agent"
RETRY_S, RETRY_MAX_S = 0.2, 30.0
_DURABLE = (CheckpointCommitted, CommandExited, AttemptEnded)


class Entry(Record, frozen=True, kw_only=True):
    """An event and its place in the order."""

    seq: int
    event: Event


class Journal:
    """The one writer of an attempt's events."""

    def __init__(self, path: Path, ledger: Ledger, run_id: str, attempt: int, clock: Clock) -> None:
        self._path = path
        self._ledger = ledger
        self._run_id = run_id
        self._attempt = attempt
        self._clock = clock
        self._lock = threading.Condition()
        self._entries = read_journal(path)
        self._pending = list(self._entries)
        self._next = max((entry.seq for entry in self._entries), default=0) + 1
        self._thread = threading.Thread(target=self._send_all, name="journal", daemon=True)

    @property
    def bodies(self) -> list[Body]:
        return [entry.event.body for entry in self._entries]

    def start(self) -> None:
        self._thread.start()

    def append(self, body: Body) -> None:
        """Note an event; it is on the local disk when this returns, and sent soon after."""
        with self._lock:
            event = Event(
                nonce=os.urandom(8).hex(), at=self._clock(), attempt=self._attempt, body=body
            )
            entry = Entry(seq=self._next, event=event)
            self._next += 1
            self._write(entry)
            self._entries.append(entry)
            self._pending.append(entry)
            self._lock.notify_all()

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until all is in the ledger; return whether it is."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._pending, timeout_s)

    def _write(self, entry: Entry) -> None:
        try:
            with self._path.open("ab") as file:
                # The newline first: what a crash has torn off must not swallow this one.
                file.write(b"\n" + encode(entry))
        except OSError:
            # A full disk must not cost the event: it is still sent from memory.
            return

    def _send_all(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: bool(self._pending))
                entry = self._pending[0]
            self._send(entry)
            with self._lock:
                self._pending.pop(0)
                self._lock.notify_all()

    def _send(self, entry: Entry) -> None:
        retry_until_done(lambda: self._send_once(entry))

    def _send_once(self, entry: Entry) -> None:
        is_durable = isinstance(entry.event.body, _DURABLE)
        try:
            self._ledger.append_event(
                self._run_id, WRITER, entry.seq, entry.event, durable=is_durable
            )
        except ObjectExists:
            # The journal lost its end (power, a full disk): go on behind what was sent.
            keys = self._ledger.event_keys(self._run_id, self._attempt)
            if not self._is_among(entry, keys):
                self._append_behind(entry, keys, is_durable)

    def _is_among(self, entry: Entry, keys: list[str]) -> bool:
        """Tell whether the event was sent behind others before, and only the answer was lost."""
        later = [key for key in keys if number_in(key) > entry.seq]
        return any(self._ledger.event(key).nonce == entry.event.nonce for key in later)

    def _append_behind(self, entry: Entry, keys: list[str], is_durable: bool) -> None:
        seq = max(map(number_in, keys), default=0) + 1
        with self._lock:
            self._next = max(self._next, seq + 1)
        self._ledger.append_event(self._run_id, WRITER, seq, entry.event, durable=is_durable)


def read_journal(path: Path) -> list[Entry]:
    """Return the entries; a torn last line, left by a crash, is dropped."""
    if not path.exists():
        return []
    entries = []
    for line in path.read_bytes().splitlines():
        try:
            entries.append(decode(line, Entry, key=str(path)))
        except RecordError:
            continue
    return entries


def retry_until_done(
    action: Callable[[], object], *, is_ended: threading.Event | None = None
) -> bool:
    """Call until it succeeds, waiting longer each time; return False if ended before."""
    ended, delay_s = is_ended or threading.Event(), RETRY_S
    while True:
        try:
            action()
        except (RunctlError, OSError, msgspec.MsgspecError):
            if ended.wait(delay_s):
                return False
            delay_s = min(RETRY_MAX_S, delay_s * 2)
        else:
            return True
