"""Who may do what: the account's root everything, a role what its policies allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runctl.localcloud.api import Call
    from runctl.localcloud.cloud import Cloud


class Access:
    """Checks calls against the policies of the caller."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def check(self, call: Call) -> None:
        """Raise the service's own error where the caller may not do it."""
