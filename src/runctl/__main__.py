"""``python -m runctl`` is ``runctl``."""

from __future__ import annotations

import sys

from runctl.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
