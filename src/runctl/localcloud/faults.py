"""Faults that were asked for: what AWS does on a bad day, when the user says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runctl.localcloud.api import Call
    from runctl.localcloud.cloud import Cloud

KIND = "fault"


class Faults:
    """The faults in force; they are records, and survive the cloud's own restart."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def before(self, call: Call) -> None:
        """Refuse or delay a call, if a fault says so."""
