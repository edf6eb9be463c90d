"""What both digit trainers share: data, options, checkpoints and the training loop.

Importing this package pins the numeric libraries to one thread, because the order in which threads
add floats is not fixed and the last bits of a sum depend on it. The libraries read these variables
once, when they are first loaded, so the trainers import numpy only through this package.
"""

from __future__ import annotations

import os

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
os.environ.setdefault("VECLIB_MAXIMUM_THREADS", "1")
