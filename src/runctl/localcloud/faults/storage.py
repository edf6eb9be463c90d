"""What a fault does to a request to S3."""

from __future__ import annotations

from typing import ClassVar

from runctl.localcloud.faults.answers import throttled, wanted
from runctl.localcloud.faults.orders import Order
from runctl.localcloud.wire.errors import AwsError

_HALF = 1024


class Disturbance:
    """All that happens to one request. The delay comes first; a reset is instead of an answer."""

    EFFECTS: ClassVar = ("delay", "throttle", "deny", "error", "reset", "truncate")

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.error: AwsError | None = None
        self.is_reset = False
        self.cut_after: int | None = None
        """So many bytes of the body are sent, and then the connection is reset."""

    @property
    def is_any(self) -> bool:
        """Whether anything is to happen."""
        others = (self.error is not None, self.is_reset, self.cut_after is not None)
        return self.delay_s > 0 or any(others)

    def add(self, order: Order) -> None:
        """Add what one fault does."""
        if order.effect == "delay":
            self.delay_s += order.delay_s or 0.0
        elif order.effect == "reset":
            self.is_reset = True
        elif order.effect == "truncate":
            self.cut_after = _HALF if order.bytes is None else order.bytes
        elif self.error is None:
            self.error = _error(order)


def _error(order: Order) -> AwsError:
    if order.effect == "throttle":
        return throttled("s3")
    if order.effect == "deny":
        return AwsError("AccessDenied", "Access Denied", 403)
    return wanted(order)
