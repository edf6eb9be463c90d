"""What every test has in common: the Hypothesis profiles.

``HYPOTHESIS_PROFILE`` chooses one; the Makefile sets it. In CI the examples are the same each
time, so that a red build is about the change at hand; elsewhere they are new each time, and
what they find is kept in ``.hypothesis`` and tried first.
"""

from __future__ import annotations

import os

from hypothesis import settings

EXAMPLES = {"quick": 40, "full": 200, "soak": 5000}

for name, examples in EXAMPLES.items():
    settings.register_profile(
        name, max_examples=examples, deadline=None, derandomize="CI" in os.environ
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))
