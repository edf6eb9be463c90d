"""A folder kept in step: each change goes as soon as it is seen."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from runctl.engine.syncing.moving import Mirror
from runctl.errors import TransportError, TryAgain
from runctl.model.sync import Synced

PAUSE_S, LONGEST_PAUSE_S = 0.4, 8.0
SHARE = 15
"""A glance may take one part in so many of the time."""
FULL_LOOK_S = 10.0

Glance = tuple[object, ...]


def watch(
    mirror: Mirror, tell: Callable[[str], None], check_lives: Callable[[], None]
) -> Iterator[Synced]:
    """Sync, and again whenever something has changed; only what changed anything is yielded.

    A lost connection is told and waited out for as long as ``check_lives`` does not raise.
    """
    yield mirror.once()
    while True:
        _wait_for_change(mirror)
        synced = _bring(mirror, tell, check_lives)
        if synced.changed or synced.removed:
            yield synced


def _bring(mirror: Mirror, tell: Callable[[str], None], check_lives: Callable[[], None]) -> Synced:
    pause = PAUSE_S
    while True:
        try:
            return mirror.once()
        except TransportError as error:
            check_lives()
            if pause == PAUSE_S:
                tell(f"{error.message}; trying again until it answers")
        except TryAgain:
            pass  # it is being written right now
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)


def _wait_for_change(mirror: Mirror) -> None:
    """Return once a file or a folder looks different, or the rules let in something new.

    A glance sees what is known already. What appears in a folder in which nothing travelled is
    found by a whole look, now and then.
    """
    last, cost_s = _glance(mirror)
    looked = time.monotonic()
    while True:
        time.sleep(max(PAUSE_S, SHARE * cost_s))
        now, cost_s = _glance(mirror)
        if now != last:
            return
        if time.monotonic() - looked > max(FULL_LOOK_S, SHARE * cost_s):
            if mirror.look():
                return
            looked = time.monotonic()


def _glance(mirror: Mirror) -> tuple[Glance, float]:
    began = time.perf_counter()
    root = os.fspath(mirror.project)
    seen = tuple(map(_stamp, (root, *(f"{root}/{path}" for path in mirror.tree))))
    return seen, time.perf_counter() - began


def _stamp(path: str) -> object:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size
