"""``make demo``: on a local cloud where there can be one, else on this machine itself."""

from __future__ import annotations

import platform

from scripts import demo_cloud, demo_here


def main() -> None:
    if platform.system() == "Linux":
        demo_cloud.main()
        return
    print("# The instances of a local cloud are Linux: here the demo is of this machine alone.\n")
    demo_here.main()


if __name__ == "__main__":
    main()
