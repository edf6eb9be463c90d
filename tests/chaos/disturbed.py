"""Trainings of the digits on a local cloud, each disturbed as its plan says."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from botocore.exceptions import ClientError

from tests.chaos.random_faults import NOTICE_S, Fault, Plan
from tests.e2e.conftest import Cloud
from tests.e2e.trainee import LIVING, Trainee

EVERY, LAST_STEP = 15, 180
HYPERPARAMS = f"epochs=4,checkpoint_every={EVERY},log_every=1"
TRAINING = ("train.py", "--hyperparams", HYPERPARAMS, "--on", "aws:m5.large", "--spot", "--yes")
RETRIED = ("--retries", "12", "--retry-on", "interruption,lost,exit", "--max-time", "20m")
SLOWLY = ("--", "--step-delay=0.08")
STORY_S = 420.0
"""So long a training may take with all that goes wrong, at most."""
GO_ON_S = 3.0
LAUNCHES = 5
_PATTERNS = {
    "agent": "[-]m runctl[.]agent",
    "reaper": "[a]gent/reaper",
    "command": "[t]rain[.]py --",
    "everything": "[-]m runctl[.]agent|[a]gent/reaper|[t]rain[.]py --",
}


@dataclass
class Story:
    """What was done to a run, and when; ``missed`` is what found nothing to be done to."""

    plan: Plan
    run_id: str = ""
    done: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    took_s: float = 0.0
    is_over: threading.Event = field(default_factory=threading.Event)


class Disturber:
    """Trains, and disturbs. Several plans at once do no harm: each has a run of its own."""

    def __init__(self, user: Trainee, cloud: Cloud, shim: Path | None) -> None:
        assert cloud.control is not None
        self.user, self.control = user, cloud.control
        self._shim = shim

    def train(self, plan: Plan) -> Story:
        """Bring a training to its success through all that its plan has; AssertionError if not."""
        story = Story(plan)
        env = self._clock(plan)
        story.run_id = self._launch(plan, env)
        began = time.monotonic()
        going_on = threading.Thread(target=self._go_on, args=(story, env), daemon=True)
        going_on.start()
        for fault in plan.faults:
            self._wait_until(story, fault, began)
            self._inject(story, fault, env)
        going_on.join(STORY_S)
        story.took_s = time.monotonic() - began
        assert self.state(story.run_id) == "succeeded", self.tell(story)
        return story

    def _launch(self, plan: Plan, env: Mapping[str, str]) -> str:
        """Type it until it is done: what another plan does to S3 may be in the way."""
        words = ("--name", f"chaos-{plan.seed}", "--detach", "--output", "id", *SLOWLY)
        for _ in range(LAUNCHES):
            done = self.user.type("train", *TRAINING, *RETRIED, *words, env=env, timeout_s=STORY_S)
            if done.returncode == 0:
                return done.stdout.decode().split()[0]
            time.sleep(GO_ON_S)
        raise AssertionError(f"seed {plan.seed} was never launched: {done.stderr.decode()}")

    def _clock(self, plan: Plan) -> dict[str, str]:
        """Return what makes the clock of the user's commands wrong."""
        if not plan.skew_s or self._shim is None:
            return {}
        place = self.user.home / f"clock-{plan.seed}"
        place.write_text(f"{plan.skew_s:+d}\n", encoding="ascii")
        return {"LD_PRELOAD": str(self._shim), "CHAOS_CLOCK": str(place)}

    # -- going on

    def _go_on(self, story: Story, env: Mapping[str, str]) -> None:
        """Be the user's cron, until the run has succeeded or its time is over."""
        deadline = time.monotonic() + STORY_S
        while time.monotonic() < deadline and self.state(story.run_id) != "succeeded":
            self.user.type("reconcile", "--yes", env=env, timeout_s=STORY_S)
            time.sleep(GO_ON_S)
        story.is_over.set()

    def state(self, run_id: str) -> str:
        done = self.user.type("status", run_id, "--output", "json", timeout_s=STORY_S)
        return str(json.loads(done.stdout)["state"]) if done.returncode == 0 else "unknown"

    # -- going wrong

    def _wait_until(self, story: Story, fault: Fault, began: float) -> None:
        """Wait for the moment of a fault; a training that is over makes none wait."""
        if fault.after == 0:
            time.sleep(max(0.0, began + fault.delay_s - time.monotonic()))
            return
        while not story.is_over.is_set() and self._count_safe(story.run_id) < fault.after:
            time.sleep(0.2)
        story.is_over.wait(fault.delay_s)

    def _count_safe(self, run_id: str) -> int:
        return len(self.user.keys(f"runs/{run_id}/checkpoints/"))

    def _inject(self, story: Story, fault: Fault, env: Mapping[str, str]) -> None:
        try:
            is_done = self._act(story, fault, env)
        except (ClientError, HTTPError):  # it has ended meanwhile, or cannot be reached
            is_done = False
        place = f"{fault.after}+{fault.delay_s} s: {fault.kind}"
        (story.done if is_done else story.missed).append(place)

    def _act(self, story: Story, fault: Fault, env: Mapping[str, str]) -> bool:
        if fault.kind == "clock":
            return self._shim is not None
        if fault.kind == "s3":
            throttle = {"effect": "throttle", "service": "s3", "rate": 1, "for_s": fault.for_s}
            self.control.control("POST", "faults", throttle)
            return True
        if fault.kind == "kill cli":
            typed = self.user.type_in_background("reconcile", "--yes")
            time.sleep(1.5)
            typed.kill()
            typed.wait()
            return True
        ident = self._instance(story.run_id)
        return ident is not None and self._hit(ident, fault)

    def _hit(self, ident: str, fault: Fault) -> bool:
        """Do something to an instance."""
        if fault.kind == "interrupt":
            order = {"instance": ident, "notice_s": NOTICE_S}
            self.control.control("POST", "interrupt", order)
        elif fault.kind == "terminate":
            self.user.ec2.terminate_instances(InstanceIds=[ident])
        elif fault.kind.startswith("kill "):
            pattern = _PATTERNS[fault.kind.removeprefix("kill ")]
            self.user.session.client("ssm").send_command(
                InstanceIds=[ident],
                DocumentName="AWS-RunShellScript",
                Parameters={"commands": [f"pkill -9 -f '{pattern}'"]},
            )
        else:
            order = {"effect": fault.kind, "instance": ident, "for_s": fault.for_s}
            self.control.control("POST", "faults", order)
        return True

    def _instance(self, run_id: str) -> str | None:
        """Return the instance that the last attempt is on, if it runs."""
        claims = self.user.records(f"runs/{run_id}/attempts/")
        running = {str(one["InstanceId"]) for one in self.user.instances("running")}
        ident = str(claims[-1]["instance"]) if claims else ""
        return ident if ident in running else None

    # -- what became of it

    def tell(self, story: Story) -> str:
        """Say what was done, and how the run stands."""
        status = self.user.type("status", story.run_id, timeout_s=STORY_S).stdout.decode()
        return (
            f"seed {story.plan.seed} failed; to have it again: make soak SEED={story.plan.seed}\n"
            f"done: {story.done}; missed: {story.missed}\n{status}"
        )

    def weights(self, run_id: str) -> str:
        folder = self.user.home / f"outputs-{run_id}"
        self.user.told("pull", run_id, "--into", str(folder))
        return hashlib.sha256((folder / "model.npz").read_bytes()).hexdigest()

    def check(self, story: Story, undisturbed: str) -> None:
        """Hold a run against every promise; AssertionError names the seed."""
        for promise in (self._check_weights, self._check_steps, self._check_fold):
            problem = promise(story, undisturbed)
            assert problem is None, f"{problem}\n{self.tell(story)}"

    def _check_weights(self, story: Story, undisturbed: str) -> str | None:
        if self.weights(story.run_id) != undisturbed:
            return "the final weights are others than those of an undisturbed training"
        done = self.user.type("checkpoint", "verify", story.run_id, "--deep", timeout_s=STORY_S)
        return done.stdout.decode() + done.stderr.decode() if done.returncode else None

    def _check_steps(self, story: Story, _: str) -> str | None:
        """Each attempt goes on from the newest that was committed before it."""
        ledger = Records(self.user, story.run_id)
        safe = 0
        for attempt in range(1, ledger.count + 1):
            chosen = [one["step"] for one in ledger.bodies(attempt, "resume_chosen")]
            if chosen and chosen[0] != safe:
                return f"attempt {attempt} began at step {chosen[0]}, and {safe} was committed"
            safe = max([safe, *ledger.sealed_steps(attempt)])
        report = self.user.told("report", story.run_id)
        if story.plan.is_only_interrupted and report["steps_redone"] != 0:
            return f"{report['steps_redone']} steps are redone after a notice"
        return None if safe == LAST_STEP else f"step {safe} is the last that is safe"

    def _check_fold(self, story: Story, _: str) -> str | None:
        """What a superseded attempt has written later counts nowhere, and one end is told."""
        ledger = Records(self.user, story.run_id)
        told = self.user.told("status", story.run_id)["attempts"]
        for number, attempt in enumerate(told, 1):
            counted = len(ledger.bodies(number, "checkpoint_committed"))
            if attempt["checkpoint_count"] != counted:
                return f"attempt {number} counts {attempt['checkpoint_count']} of {counted}"
            if len(ledger.bodies(number, "attempt_ended")) > 1:
                return f"attempt {number} has ended more than once"
        states = [attempt["state"] for attempt in told]
        return None if states.count("succeeded") == 1 else f"the attempts are {states}"

    def check_nothing_is_left(self) -> None:
        """What a run has left behind that went on elsewhere ends by its own limits, or at once."""
        self.user.wait_for("the end of all instances", lambda: not self.user.instances(*LIVING))
        self.user.check_nothing_is_left()


class Records:
    """The records of a run that count, read from S3 itself: of each attempt, what was sealed."""

    def __init__(self, user: Trainee, run_id: str) -> None:
        self._user, self._place = user, f"runs/{run_id}"
        self._claims = user.records(f"{self._place}/attempts/")

    @property
    def count(self) -> int:
        return len(self._claims)

    def bodies(self, attempt: int, kind: str) -> list[dict[str, Any]]:
        found = self._sealed(attempt, "events", "sealed_events")
        return [one["body"] for one in found if one["body"]["type"] == kind]

    def sealed_steps(self, attempt: int) -> list[int]:
        found = self._sealed(attempt, "checkpoints", "sealed_manifests")
        return [one["manifest"]["summary"]["step"] for one in found]

    def _sealed(self, attempt: int, place: str, name: str) -> list[dict[str, Any]]:
        """Return what the next claim lists; of the last attempt, all."""
        known = self._user.keyed(f"{self._place}/{place}/{attempt:04d}/")
        sealed = self._claims[attempt][name] if attempt < self.count else list(known)
        return [known[key] for key in sealed]
