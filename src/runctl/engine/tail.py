"""The end of a run's records: what is new since the last look, folded as it comes."""

from __future__ import annotations

from runctl.model.events import Event
from runctl.model.run import Run, begin, claim, step
from runctl.store.ledger import Ledger


class Tail:
    """A run that is folded event by event: a look costs what is new, not what there is."""

    def __init__(self, ledger: Ledger, run_id: str) -> None:
        self._ledger = ledger
        self._seen = ""
        self.run: Run = begin(ledger.spec(run_id))
        self.advance_attempt()

    @property
    def attempt(self) -> int:
        return len(self.run.attempts)

    def new_events(self) -> list[Event]:
        """Return the events of the last attempt that came since the last look; fold them."""
        keys = self._ledger.event_keys(self.run.run_id, self.attempt, after=self._seen)
        events = self._ledger.events(keys)
        for event in events:
            self.run, _ = step(self.run, event)
        self._seen = keys[-1] if keys else self._seen
        return events

    def advance_attempt(self) -> bool:
        """Go on to the next attempt, if it was claimed; its predecessor is then sealed."""
        if not self._ledger.is_claimed(self.run.run_id, self.attempt + 1):
            return False
        record = self._ledger.claims(self.run.run_id)[self.attempt]
        self.run, self._seen = claim(self.run, record), ""
        return True
