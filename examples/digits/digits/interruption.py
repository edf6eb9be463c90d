"""SIGTERM as a request to save and go, which is how a machine about to vanish says so."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import NoReturn

_SLICE_SECONDS = 0.02


class Interruption:
    """Notes SIGTERM; the training loop looks at `is_requested` between two steps."""

    def __init__(self) -> None:
        self.is_requested = False
        signal.signal(signal.SIGTERM, self._note)

    def pause(self, seconds: float) -> None:
        """Sleep, but not past a SIGTERM (a plain sleep would go on after the handler returns)."""
        end = time.monotonic() + seconds
        while not self.is_requested and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE_SECONDS))

    def obey(self) -> NoReturn:
        """Die of SIGTERM after all, so that whoever reaps this process sees the true reason."""
        sys.stdout.flush()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
        raise SystemExit(128 + signal.SIGTERM)  # only if the signal is blocked

    def _note(self, *_: object) -> None:
        self.is_requested = True
