"""Container images that are built out of a project: what is asked for, and what there is."""

from __future__ import annotations

from datetime import datetime

from runctl.model.codec import Value


class BuildRequest(Value, frozen=True, kw_only=True):
    """What an image is built of and called.

    ``repository`` and ``tag`` are its name beside the tag that says what is in it; without a
    repository it is for this machine alone. ``dockerfile`` of None is looked for.
    """

    dockerfile: str | None = None
    build_args: dict[str, str] = {}
    target: str | None = None
    platform: str | None = None
    repository: str | None = None
    tag: str = "latest"
    project_root: str | None = None


class ImagePlan(Value, frozen=True, kw_only=True):
    """``reference`` has the tag that the content decides; ``is_present``: it need not be built."""

    reference: str
    dockerfile: str
    file_count: int
    total_bytes: int
    is_present: bool


class BuiltImage(Value, frozen=True, kw_only=True):
    """``is_new``: it was not there before."""

    reference: str
    image_id: str
    dockerfile: str
    is_new: bool


class PushedImage(Value, frozen=True, kw_only=True):
    """``pinned`` is ``repository@sha256:…``; ``is_new``: the registry did not have it."""

    reference: str
    pinned: str
    is_new: bool


class ImageSummary(Value, frozen=True, kw_only=True):
    """An image on this machine that was built here."""

    reference: str
    image_id: str
    project: str
    created_at: datetime
    size_bytes: int
