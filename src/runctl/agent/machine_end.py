"""The end of the instance: how its keeper announces it to a run, and how a run asks for it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from runctl.agent import reaper
from runctl.agent.folder import AttemptFolder
from runctl.agent.orders import Order, Orders
from runctl.agent.plan import Plan
from runctl.model.events import Cause
from runctl.model.run import State
from runctl.store.ledger import Ledger

ENDING = Path("/var/lib/runctl-keeper/ending")
"""Why the instance ends, in root's words; not there as long as it does not."""
END = "end"
"""Beside the attempts: asks the keeper to end the instance."""
LOOK_S = 1.0


def watch_for_end(orders: Orders, announcement: Path = ENDING) -> None:
    """See to it that the order to end is given as soon as the end of the instance is announced."""
    watch = (orders, announcement)
    threading.Thread(target=_watch, args=watch, name="machine-end", daemon=True).start()


def _watch(orders: Orders, announcement: Path) -> None:
    while True:
        try:
            why = announcement.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            time.sleep(LOOK_S)
        else:
            orders.give(Order(Cause.LIMIT, f"the instance ends: {why}"))
            return


def ask_for_end(plan: Plan, folder: AttemptFolder, ledger: Ledger) -> None:
    """Ask for the end of an instance that is there for a run which does not go on on it."""
    if not plan.ends_instance or _is_left(plan, ledger) or _has_others(plan, folder):
        return
    end = Path(plan.instance_root) / END
    part = end.with_suffix(".part")
    try:
        part.write_text(plan.run_id, encoding="ascii")
        part.replace(end)
    except OSError:  # a full disk has room for a name
        end.touch()


def take_back(instance_root: Path) -> None:
    """Withdraw what an earlier run has asked for: another one is about to start."""
    (instance_root / END).unlink(missing_ok=True)


def _is_left(plan: Plan, ledger: Ledger) -> bool:
    """Tell whether the instance is to be left alone: the run goes on here, or it is taken back.

    What its provider takes back costs less than what ends by itself.
    """
    run = ledger.load(plan.run_id)
    last, own = run.last, run.attempts[plan.attempt - 1]
    goes_on = last is not None and last.number > plan.attempt and last.instance == plan.instance
    return goes_on or own.state is State.INTERRUPTED


def _has_others(plan: Plan, folder: AttemptFolder) -> bool:
    """Tell whether another attempt lives here, such as one that waits for its turn."""
    found = Path(plan.instance_root).glob(f"attempts/*/*/{reaper.LOCK}")
    return any(reaper.is_locked(str(lock)) for lock in found if lock != folder.lock)
