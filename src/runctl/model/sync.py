"""What a sync did: to a folder of an instance, once."""

from __future__ import annotations

from runctl.model.codec import Value
from runctl.model.travel import TravelRequest


class SyncRequest(Value, frozen=True, kw_only=True):
    """Which files go, and into which folder there: relative to the login user's home.

    ``folder``: None is a folder of the project's name. ``is_forced`` replaces what was written
    there and not by a sync.
    """

    files: TravelRequest
    folder: str | None = None
    is_forced: bool = False
    is_watching: bool = False


class Synced(Value, frozen=True, kw_only=True):
    """The folder equals the project's selection. Paths are relative to ``project_root``.

    ``sent_bytes`` counts what was written to the connection, compressed; ``changed`` are the
    files, links and folders that were added or changed, ``removed`` those taken away.
    """

    instance_id: str
    project_root: str
    folder: str
    file_count: int
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    sent_bytes: int
