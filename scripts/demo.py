"""``make demo``: on a local cloud where there can be one, else on this machine itself."""

from __future__ import annotations

import platform
import signal
import sys
from types import FrameType

from scripts import demo_cloud, demo_here


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    if platform.system() == "Linux":
        demo_cloud.main()
        return
    print("# The instances of a local cloud are Linux: here the demo is of this machine alone.\n")
    demo_here.main()


def leave(number: int, _frame: FrameType | None) -> None:
    """End, and clear away on the way out what was started."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
