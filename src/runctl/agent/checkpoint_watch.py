"""Sees checkpoints as the script writes them, and commits each once it is whole.

One is taken only if its structure is whole, two looks in a row found it unchanged, and
nobody holds it open for writing while the command lives; a format that cannot tell must also
have settled. What changes while it is read is dropped and looked at again. Newest first when
behind. Once the command is gone, what its death may have torn must prove itself.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from runctl.agent.candidates import candidates
from runctl.agent.doubt import find_doubt, has_grown
from runctl.agent.journal import RETRY_MAX_S, RETRY_S, Journal
from runctl.agent.numbering import Numbering
from runctl.agent.openfiles import is_open_for_writing
from runctl.agent.priority import lower_thread
from runctl.agent.speed import Speed
from runctl.errors import CheckpointChanged, IntegrityError, ObjectMissing, RunctlError, UnsafePath
from runctl.model.checkpoint import Manifest
from runctl.model.codec import unescape_name
from runctl.model.events import CheckpointCommitted, Warned
from runctl.model.paths import number_in
from runctl.model.spec import CheckpointWish
from runctl.store.checkpoints import Checkpoints
from runctl.store.files import Signature, sign_entry
from runctl.store.formats import Wholeness, check, describe
from runctl.store.summary import summarise

QUICK_S = 0.2
SCAN_SHARE = 20  # of the time, at most one part in so many goes into looking
BACKLOG = 16


@dataclass
class Unit:
    """A file or folder that may be a checkpoint, as last seen."""

    path: Path
    signature: Signature
    seen_at: float  # when this signature was first seen, by a clock that never jumps
    looks: int = 1
    seq: int | None = None
    is_late: bool = False  # written under an earlier agent, perhaps before what that committed
    is_overwritten: bool = False  # parts of an earlier version may stand among the new

    @property
    def written_ns(self) -> int:
        return max((entry[2] for entry in self.signature), default=0)


class CheckpointWatch:
    """The checkpoints of one attempt, from the script's folder into the ledger."""

    def __init__(
        self,
        folders: Sequence[Path],
        checkpoints: Checkpoints,
        journal: Journal,
        attempt: int,
        wish: CheckpointWish,
        session: Callable[[], int | None],
        is_command_alive: Callable[[], bool],
    ) -> None:
        self._folders = folders
        self._checkpoints = checkpoints
        self._journal = journal
        self._attempt = attempt
        self._wish = wish
        self._session = session
        self._is_command_alive = is_command_alive
        self._doubtful_from_ns: int | None = None
        self._units: dict[str, Unit] = {}
        self._done: dict[Path, Signature] = {}
        self._earlier: dict[str, tuple[int, int]] = {}  # name: size, time of writing
        self._numbering = Numbering()
        self._is_first_look = True
        self._warned: set[str] = set()
        self._committing_s = 0.0  # time that bore fruit: no reason to look less often
        self._speed = Speed()
        self._left_s: Callable[[], float | None] = lambda: None
        self._is_cut_off: Callable[[], bool] = lambda: False
        self._is_recovered = False
        self.has_missed = False
        """Whether one was not committed because there was no time for it."""
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(
        self,
        is_cancelled: Callable[[], bool],
        doubtful_from_ns: int | None = None,
        left_s: Callable[[], float | None] = lambda: None,
    ) -> None:
        """Commit all that is whole, now that nobody writes any more.

        ``left_s`` tells for how long the instance is there: what would take longer is not begun.

        What was written after ``doubtful_from_ns`` (ns since 1970) must prove that it is whole:
        the command was killed, and may have been writing. None: it ended by itself.
        """
        self._doubtful_from_ns, self._left_s = doubtful_from_ns, left_s
        self._is_cut_off = is_cancelled
        self._is_ending.set()
        while self._thread.is_alive() and not is_cancelled():
            self._thread.join(QUICK_S)
        delay_s = RETRY_S
        while not is_cancelled() and not self._try(self._sweep):
            time.sleep(delay_s)
            delay_s = min(RETRY_MAX_S, delay_s * 2)

    def _run(self) -> None:
        lower_thread()
        while not self._is_ending.is_set():
            began, committing_s = time.monotonic(), self._committing_s
            is_busy = self._try(self._look) and self._has_candidates()
            cost_s = time.monotonic() - began - (self._committing_s - committing_s)
            pause_s = QUICK_S if is_busy else self._wish.interval.total_seconds()
            self._is_ending.wait(max(pause_s, cost_s * SCAN_SHARE))

    def _try(self, action: Callable[[], None]) -> bool:
        """Do it; a store or disk that fails is warned of once, and tried again later."""
        try:
            self._recover()
            action()
        except (OSError, RunctlError) as error:
            self._warn("checkpoint-store", f"checkpoints cannot be committed: {error}")
            return False
        return True

    def _recover(self) -> None:
        """Learn, once, what an earlier agent of this attempt has committed."""
        if self._is_recovered:
            return
        for key in self._checkpoints.attempt_keys(self._attempt):
            try:
                self._remember(self._checkpoints.read(key))
            except (IntegrityError, ObjectMissing) as error:
                self._numbering.note(number_in(key.rsplit("/", 1)[0]), 0)
                self._warn(f"damaged:{key}", error.message)  # it does not count as committed
        for body in self._journal.bodies:  # one that was cleaned up since is not committed again
            if isinstance(body, CheckpointCommitted):
                self._remember(body)
        self._is_recovered = True

    def _remember(self, found: Manifest | CheckpointCommitted) -> None:
        self._numbering.note(found.seq, found.written_ns)
        name = unescape_name(found.name)
        known_ns = self._earlier.get(name, (0, 0))[1]
        if found.written_ns >= known_ns:
            self._earlier[name] = (found.size_bytes, found.written_ns)

    def _look(self) -> None:
        self._refresh()
        ready = [unit for unit in self._behind() if unit.looks > 1]
        self._commit_all(ready, self._is_ending.is_set)

    def _sweep(self) -> None:
        self._refresh()
        self._commit_all(self._behind(), self._is_cut_off)

    def _commit_all(self, units: Sequence[Unit], is_cancelled: Callable[[], bool]) -> None:
        """Commit the newest first, but number them in the order in which they were written."""
        units = [unit for unit in units if not self._is_settled_already(unit)]
        self._number([unit for unit in units if unit.seq is None])
        for unit in units:
            if is_cancelled():
                return
            if self._has_time_for(unit):
                self._commit(unit, is_cancelled)

    def _has_time_for(self, unit: Unit) -> bool:
        """Tell whether it can be sent in time, as far as that is known."""
        left_s, size_bytes = self._left_s(), sum(entry[1] for entry in unit.signature)
        takes_s = self._speed.seconds_for(size_bytes)
        if left_s is None or takes_s is None or takes_s <= left_s:
            return True
        name = unit.path.name
        message = f"{name} would take {takes_s:.0f} s of the {left_s:.0f} s left; not committed"
        self._warn(f"late:{name}", message)
        self.has_missed = True
        return False

    def _number(self, units: Sequence[Unit]) -> None:
        """Fill gaps from the newest down, so that each leaves room for those before it."""
        numbering = self._numbering
        late = [u for u in units if u.is_late and not numbering.is_newest(u.written_ns)]
        for unit in late:
            unit.seq = numbering.take_between(unit.written_ns)
        for unit in reversed(units):
            if unit.seq is None:
                unit.seq = numbering.take_next(unit.written_ns)

    def _refresh(self) -> None:
        found = dict(self._scan())
        for path, signature in found.items():
            unit = self._units.get(path)
            if unit is not None and unit.signature == signature:
                unit.looks += 1
            else:
                self._units[path] = _next_unit(unit, Path(path), signature)
        for path in self._units.keys() - found.keys():
            del self._units[path]
        if self._is_first_look:
            self._is_first_look = False
            for unit in self._units.values():
                unit.is_late = True

    def _scan(self) -> Iterator[tuple[str, Signature]]:
        for folder in self._folders:
            for entry in candidates(folder):
                try:
                    yield entry.path, sign_entry(entry)
                except FileNotFoundError:
                    continue  # renamed or removed while we looked
                except UnsafePath as error:
                    self._warn(f"unsafe:{entry.path}", error.message)

    def _has_candidates(self) -> bool:
        return any(self._done.get(u.path) != u.signature for u in self._units.values())

    def _behind(self) -> list[Unit]:
        """Return what is not committed, newest first; of a long backlog only the newest."""
        units = [u for u in self._units.values() if self._done.get(u.path) != u.signature]
        units.sort(key=lambda unit: unit.written_ns, reverse=True)
        for unit in units[BACKLOG:]:
            self._done[unit.path] = unit.signature
        if len(units) > BACKLOG:
            count = len(units) - BACKLOG
            self._warn("checkpoint-backlog", f"{count} older checkpoints were passed over")
        return units[:BACKLOG]

    def _commit(self, unit: Unit, is_cancelled: Callable[[], bool]) -> None:
        """Commit a unit if it is whole; leave it for a later look if it is not."""
        if unit.seq is None or not self._is_whole(unit):
            return
        began = time.monotonic()
        try:
            committed = self._checkpoints.commit(
                unit.path,
                name=unit.path.name,
                attempt=self._attempt,
                seq=unit.seq,
                summary=summarise(describe(unit.path)),
                is_cancelled=is_cancelled,
            )
        except (CheckpointChanged, IntegrityError):
            return  # written while it was read
        except FileNotFoundError:
            if unit.path.exists():
                raise  # it is the store that misses something
            return
        took_s = time.monotonic() - began
        self._committing_s += took_s
        self._speed.note(committed.sent_bytes, took_s)
        self._done[unit.path] = unit.signature
        self._tell(committed.manifest, committed.sent_bytes)
        self._prune()

    def _is_settled_already(self, unit: Unit) -> bool:
        """Tell whether an earlier agent has committed it, or nobody can; then it is done."""
        if not self._is_known(unit) and self._is_readable(unit):
            return False
        self._done[unit.path] = unit.signature
        return True

    def _is_known(self, unit: Unit) -> bool:
        size_bytes = sum(entry[1] for entry in unit.signature)
        return self._earlier.get(unit.path.name) == (size_bytes, unit.written_ns)

    def _is_readable(self, unit: Unit) -> bool:
        closed = [e[0] for e in unit.signature if not os.access(unit.path / e[0], os.R_OK)]
        for file in closed:
            name = unit.path.name
            self._warn(f"unreadable:{name}", f"{unit.path / file} cannot be read; not committed")
        return not closed

    def _is_whole(self, unit: Unit) -> bool:
        if self._is_ending.is_set() and not self._thread.is_alive():
            return self._is_whole_at_last(unit)
        verdict = check(unit.path, deep=False)
        if verdict.wholeness is Wholeness.TORN:
            return False
        if verdict.wholeness is Wholeness.UNKNOWN and not self._has_settled(unit):
            return False
        # In this order: what was closed while the command lived was not cut off by its death.
        return not is_open_for_writing(unit.path, self._session()) and self._is_command_alive()

    def _is_whole_at_last(self, unit: Unit) -> bool:
        name = unit.path.name
        try:
            doubt = self._find_doubt(unit)
        except FileNotFoundError:
            return False
        if doubt is not None:
            self._warn(f"torn:{name}", f"{name} may not be whole ({doubt}); not committed")
        return doubt is None

    def _find_doubt(self, unit: Unit) -> str | None:
        if self._doubtful_from_ns is not None and unit.written_ns >= self._doubtful_from_ns:
            is_overwritten = unit.is_overwritten or unit.path.name in self._earlier
            return find_doubt(unit.path, unit.signature, is_overwritten=is_overwritten)
        verdict = check(unit.path, deep=False)
        return verdict.reason if verdict.wholeness is Wholeness.TORN else None

    def _has_settled(self, unit: Unit) -> bool:
        return timedelta(seconds=time.monotonic() - unit.seen_at) >= self._wish.settle

    def _tell(self, manifest: Manifest, sent_bytes: int) -> None:
        lag = manifest.committed_at - manifest.written_at
        self._journal.append(
            CheckpointCommitted(
                name=manifest.name,
                seq=manifest.seq,
                step=manifest.summary.step,
                size_bytes=manifest.size_bytes,
                sent_bytes=sent_bytes,
                written_ns=manifest.written_ns,
                lag_seconds=max(0.0, lag.total_seconds()),
            )
        )

    def _prune(self) -> None:
        """Keep the last N of this attempt, where the user asked for it."""
        if self._wish.keep_last is None:
            return
        keys = self._checkpoints.attempt_keys(self._attempt)
        for key in keys[: -self._wish.keep_last]:
            self._checkpoints.discard(key)

    def _warn(self, code: str, message: str) -> None:
        if code not in self._warned:
            self._warned.add(code)
            self._journal.append(Warned(code=code.split(":", maxsplit=1)[0], message=message))


def _next_unit(before: Unit | None, path: Path, signature: Signature) -> Unit:
    """Return a unit with its new signature; once overwritten, it stays so."""
    is_overwritten = before is not None and (
        before.is_overwritten or not has_grown(before.signature, signature)
    )
    return Unit(path, signature, time.monotonic(), is_overwritten=is_overwritten)
