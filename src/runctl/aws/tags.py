"""How the tags are called that runctl reads and writes."""

from __future__ import annotations

ATTEMPT_TAG = "runctl:attempt"
OWNER_TAG = "runctl:owner"
PRICE_TAG = "runctl:usd-per-hour"  # when it was launched; a spot price moves
PROTECTED_TAG = "runctl:protected"  # of a volume that no clean-up takes
PROJECT_TAG = "runctl:project"
RUN_TAG = "runctl:run"
TOKEN_TAG = "runctl:token"  # noqa: S105 - no secret: what tells one launch from another
