"""The keeper as a program of its own, without site-packages:

python -I -S …/keeper start FOLDER          start the instance of that folder; answers in JSON
python -I -S …/keeper inside DESCRIPTOR     be the first process of an instance in bubblewrap
python -I -S …/keeper remove FOLDER USERS   remove a folder whose files are of a user namespace
"""

from __future__ import annotations

import os
import sys

# Last on the path: no file beside runctl may stand in for the standard library's.
sys.path.append(os.path.abspath(f"{os.path.dirname(__file__)}/../../../.."))

from runctl.localcloud.machines.keeper.beginning import main

raise SystemExit(main(sys.argv))
