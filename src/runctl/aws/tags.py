"""How the tags are called that runctl reads and writes."""

from __future__ import annotations

OWNER_TAG = "runctl:owner"
PROJECT_TAG = "runctl:project"
TOKEN_TAG = "runctl:token"  # noqa: S105 - no secret: what tells one launch from another
