"""Where ``runctl``, and ``python -m runctl``, begin."""

from __future__ import annotations

import sys

INTERRUPTED = 130


def main() -> int:
    """Run the command line; a Ctrl-C while it is still being loaded ends it in silence."""
    try:
        from runctl.cli.main import main as run  # noqa: PLC0415 - so that it is inside
    except KeyboardInterrupt:
        return INTERRUPTED
    return run()


if __name__ == "__main__":
    sys.exit(main())
