"""What a run has cost: the time of its attempts, at the price their instances had at launch.

Machines alone; disks, requests and traffic are not in it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from runctl.model.run import Attempt, Run

# https://aws.amazon.com/ec2/pricing/on-demand/: by the second, and for a minute at least
_LEAST = timedelta(minutes=1)


def attempt_cost(attempt: Attempt, now: datetime) -> Decimal | None:
    """Return US dollars; None where nothing is rented, or the price is unknown."""
    rental = attempt.rental
    if rental is None or rental.usd_per_hour is None:
        return None
    end = now if attempt.end is None else attempt.updated_at or now
    seconds = max(end - rental.since, _LEAST).total_seconds()
    return rental.usd_per_hour * Decimal(round(seconds)) / 3600


def run_cost(run: Run, now: datetime) -> Decimal | None:
    """Return the sum over the attempts that are paid for; None if one of them is unknown."""
    paid = [attempt for attempt in run.attempts if attempt.rental is not None]
    costs = [attempt_cost(attempt, now) for attempt in paid]
    if not costs or None in costs:
        return None
    return sum((cost for cost in costs if cost is not None), Decimal(0))
