"""The notice that a spot instance is taken back, seen on the instance itself.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html: two
minutes before the end, and to be looked for each five seconds. We look each second.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Annotated

import msgspec

from runctl.agent.journal import Journal
from runctl.agent.metadata import Metadata
from runctl.agent.orders import Order, Orders
from runctl.model.events import Cause, InterruptionNoticed, Warned
from runctl.store.blobs import Clock

LOOK_S = 1.0
LONGEST = timedelta(minutes=2)
MARGIN_SHARE = 0.1
"""Of the time that is left, so much is for telling the end of the attempt."""
ACTION, REBALANCE = "spot/instance-action", "events/recommendations/rebalance"


class _Action(msgspec.Struct, frozen=True):
    """What stands there; AWS may add to it."""

    action: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]


class NoticeWatch:
    """Tells the ledger of a notice, once, and gives the order to end."""

    def __init__(self, metadata: Metadata, journal: Journal, orders: Orders, clock: Clock) -> None:
        self._metadata = metadata
        self._journal = journal
        self._orders = orders
        self._clock = clock

    def start(self) -> None:
        threading.Thread(target=self._run, name="notice", daemon=True).start()

    def _run(self) -> None:
        while not self.look():
            time.sleep(LOOK_S)

    def look(self) -> bool:
        """Look once; return whether there was a notice: no other can follow."""
        try:
            notice = _read_action(self._metadata.read(ACTION))
            if notice is None:
                self._look_for_advice()
                return False
        except (OSError, HTTPException):
            return False  # a service that does not answer now may do so at the next look
        self._give(notice)
        return True

    def _look_for_advice(self) -> None:
        is_advised = self._metadata.read(REBALANCE) is not None
        told = (body.code for body in self._journal.bodies if isinstance(body, Warned))
        if is_advised and "rebalance" not in told:
            message = "the provider says that the instance may soon be taken back"
            self._journal.append(Warned(code="rebalance", message=message))

    def _give(self, notice: _Action) -> None:
        left = min(notice.time - self._clock(), LONGEST)
        # A time that has passed is of a wrong clock: then there is no deadline, and all is tried.
        usable_s = left.total_seconds() * (1 - MARGIN_SHARE)
        deadline = time.monotonic() + usable_s if usable_s > 0 else None
        reason = f"the instance is taken back at {notice.time:%H:%M:%S} UTC"
        self._orders.give(Order(Cause.INTERRUPTED, reason, deadline=deadline))
        if not any(isinstance(body, InterruptionNoticed) for body in self._journal.bodies):
            noticed = InterruptionNoticed(action=notice.action, ends_at=notice.time)
            self._journal.append(noticed)


def _read_action(text: str | None) -> _Action | None:
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=_Action)
    except msgspec.MsgspecError:
        return None  # such as "none", where nothing is to happen
