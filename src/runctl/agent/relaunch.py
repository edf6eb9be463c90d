"""The next attempt on the same instance, where the run has retries left."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

import msgspec

from runctl.agent import reaper, reboot
from runctl.agent.arrival import make_order, read_answer, reaper_command
from runctl.agent.folder import AttemptFolder
from runctl.agent.plan import Plan
from runctl.agent.supervisor import utc_now
from runctl.errors import ObjectExists
from runctl.model.events import Claim
from runctl.model.run import Relaunch, Run, next_actions
from runctl.store.ledger import Ledger, next_claim


@dataclass(frozen=True)
class Relauncher:
    """Claims and starts attempt n+1 after attempt n has ended, once."""

    plan: Plan
    folder: AttemptFolder
    ledger: Ledger

    def run(self) -> None:
        run = self.ledger.load(self.plan.run_id)
        if self._was_told_to_stop():
            return
        for action in next_actions(run):
            if action.is_here and self._claim(run, action):
                self._start(run)

    def _was_told_to_stop(self) -> bool:
        """A request that came when the attempt was over already is meant for the whole run."""
        requests = self.ledger.requests(self.plan.run_id)
        return any(request.attempt == self.plan.attempt for request in requests)

    def _nonce(self) -> str:
        return f"relaunch-by-{self.plan.attempt}"

    def _claim(self, run: Run, action: Relaunch) -> bool:
        """Claim the next attempt; one that an agent killed here has claimed is ours too."""
        wanted = Claim(
            nonce=self._nonce(),
            attempt=action.attempt,
            claimed_at=utc_now(),
            instance=self.plan.instance,
            reason=action.reason,
            volumes=run.attempts[-1].volumes,
        )
        record = next_claim(self.ledger, run, wanted)
        try:
            self.ledger.claim(run.run_id, record)
        except ObjectExists:
            return self.ledger.claims(run.run_id)[record.attempt - 1].nonce == self._nonce()
        return True

    def _start(self, run: Run) -> None:
        plan = msgspec.structs.replace(self.plan, attempt=self.plan.attempt + 1)
        secrets = reaper.read_json(str(self.folder.secrets)) or {}
        # Queued: the locks are free as soon as this attempt's reaper is gone.
        order = make_order(plan, secrets, gpus=run.spec.gpus, is_queued=True)
        command = reaper_command(sys.executable, "start")
        if plan.is_taken_up:
            reboot.remember(plan, command, order, os.environ)
        answer = subprocess.run(command, input=order, capture_output=True, check=True)
        read_answer(answer.stdout)
