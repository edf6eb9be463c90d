"""The reaper as a program of its own, without site-packages:

python -I -S …/reaper start  < order.json    start an attempt; answers one JSON line
python -I -S …/reaper probe FOLDER           who is alive, and the exit record
python -I -S …/reaper end FOLDER             kill a command that outlived its reaper
"""

from __future__ import annotations

import os
import sys

# Last on the path: no file beside runctl may stand in for the standard library's.
sys.path.append(os.path.abspath(f"{os.path.dirname(__file__)}/../../.."))

from runctl.agent.reaper.verbs import main

raise SystemExit(main(sys.argv))
