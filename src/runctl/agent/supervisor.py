"""One attempt from its first phase to its last event.

Every step may be done again: an agent that was killed comes back, reads the journal and
the files that the reaper writes, and goes on from there.
"""

from __future__ import annotations

import os
import platform
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec

from runctl.agent import reaper
from runctl.agent.checkpoint_watch import CheckpointWatch
from runctl.agent.command import watched_folders
from runctl.agent.confidential import of_script
from runctl.agent.diagnosis import Diagnosis
from runctl.agent.faults import print_fault
from runctl.agent.folder import AttemptFolder
from runctl.agent.hanging import HangWatch
from runctl.agent.homecoming import Attempted, Homecoming
from runctl.agent.interruption import NoticeWatch
from runctl.agent.journal import Journal
from runctl.agent.launchers import choose_launcher
from runctl.agent.link import ReaperLink
from runctl.agent.loss_watch import LossWatch
from runctl.agent.machine_end import watch_for_end
from runctl.agent.mailbox import Mailbox
from runctl.agent.metadata import Metadata
from runctl.agent.orders import Order, Orders
from runctl.agent.phases import Halted, Phases
from runctl.agent.plan import Plan
from runctl.agent.saving_alarm import SavingAlarm
from runctl.agent.shipper import Shipper
from runctl.agent.stacks import dump_stacks
from runctl.agent.stopper import Stopper, explain_exit, read_exit
from runctl.errors import IntegrityError, PhaseFailed
from runctl.model import VERSION
from runctl.model.codec import escape_name
from runctl.model.events import (
    AttemptEnded,
    AttemptStarted,
    Body,
    Cause,
    CommandExited,
    CommandStarted,
    Phase,
    StopBegun,
    VolumeMounted,
    Warned,
)
from runctl.model.quantities import format_duration
from runctl.model.spec import Spec
from runctl.model.volume import VolumePlace
from runctl.store.blobs import Blobs
from runctl.store.checkpoints import Checkpoints
from runctl.store.ledger import Ledger
from runctl.store.logs import Log

TICK_S = 0.1


def utc_now() -> datetime:
    return datetime.now(UTC)


class Supervisor:
    """Everything that an attempt needs, put together; ``run`` is its story."""

    def __init__(
        self, folder: AttemptFolder, plan: Plan, spec: Spec, ledger: Ledger, link: ReaperLink
    ) -> None:
        self._folder, self._plan, self._spec = folder, plan, spec
        self._ledger, self._link = ledger, link
        run_id, attempt = plan.run_id, plan.attempt
        self._orders = Orders()
        self._journal = Journal(folder.journal, ledger, run_id, attempt, utc_now)
        self._mailbox = Mailbox(ledger, run_id, attempt, self._orders, utc_now, folder.path)
        self._shipper = Shipper(folder.output, Log(ledger.objects, run_id, attempt), utc_now)
        self._checkpoints = Checkpoints(ledger, run_id, utc_now)
        self._watch = CheckpointWatch(
            watched_folders(spec, folder),
            self._checkpoints,
            self._journal,
            attempt,
            spec.checkpoint,
            self._session,
            self._is_command_alive,
        )
        self._blobs = Blobs(ledger.objects, utc_now)
        self._phases = Phases(plan, spec, folder, ledger, self._journal, self._orders, self._blobs)
        self._diagnosis = Diagnosis(folder)
        self._launcher = choose_launcher(self._phases, plan, spec, folder)
        self._homecoming = Homecoming(
            Attempted(folder, plan, spec, ledger, self._journal, self._orders),
            self._watch,
            self._shipper,
            self._checkpoints,
            self._blobs,
        )

    def run(self) -> None:
        """Bring the attempt to its end, and its end into the ledger."""
        self._journal.start()
        if not self._has_told(AttemptEnded):
            self._journal.append(self._live_or_say_why_not())
        self._journal.flush()

    def _live_or_say_why_not(self) -> AttemptEnded:
        """A fault of ours before the command ends the run by name; later, the next agent mends."""
        try:
            return self._live()
        except Exception as error:
            if self._folder.started.exists():
                raise
            print_fault()
            message = f"a fault of runctl's own: {type(error).__name__}: {error}"
            return AttemptEnded(cause=Cause.PHASE, phase=self._phases.current, message=message)

    def _live(self) -> AttemptEnded:
        if not self._journal.bodies:
            self._journal.append(self._greeting())
        self._mailbox.count_log_bytes = lambda: self._shipper.shipped_bytes
        self._mailbox.start()
        self._shipper.start()
        self._homecoming.start()
        watch_for_end(self._orders)
        if self._plan.is_spot:
            NoticeWatch(Metadata(os.environ), self._journal, self._orders, utc_now).start()
        try:
            end = self._train()
        except PhaseFailed as error:
            end = _phase_failed(error, self._phases.current)
        except Halted:
            end = self._halted()
        end = self._upload(end)
        self._let_go_of_volumes()
        return end

    def _greeting(self) -> AttemptStarted:
        return AttemptStarted(
            host=socket.gethostname(),
            folder=str(self._folder.path),
            runctl_version=VERSION,
            platform=f"{platform.system()} {platform.machine()} Python {platform.python_version()}",
        )

    # -- before the command

    def _train(self) -> AttemptEnded:
        self._phases.wait_for_turn(self._link)
        if self._link.is_gone and self._is_bereaved():
            return self._end_bereaved()
        self._limit_time()  # not before: who waits in a queue spends nothing
        if not self._folder.command.exists():
            self._prepare()
        with self._phases.phase(Phase.RUNNING):
            self._mailbox.phase = Phase.RUNNING
            return self._run_command()

    def _prepare(self) -> None:
        self._phases.mount_volumes(self._volumes)
        self._phases.bring_code()
        build = self._launcher.prepare(self._note_output)
        resume_from = self._phases.bring_data(self._checkpoints)
        secrets = of_script(reaper.read_json(str(self._folder.secrets)) or {})
        for place in (self._folder.checkpoints, self._folder.outputs, self._folder.data):
            place.mkdir(exist_ok=True)
        command = build(resume_from=resume_from, secrets=secrets)
        self._phases.check_halted()
        reaper.write_json(str(self._folder.command), msgspec.to_builtins(command))

    def _note_output(self, output: bytes) -> None:
        """Put the installer's words into the log, before the command's own."""
        with self._folder.output.open("ab") as log:
            log.write(output)

    # -- the command

    def _run_command(self) -> AttemptEnded:
        self._watch.start()
        self._diagnosis.note_before()
        self._link.start_command()
        limits = self._spec.limits
        stopper = Stopper(self._link, self._journal, limits.grace, limits.stop_signal)
        looks = self._looks()
        while not self._has_exited():
            self._link.wait(TICK_S)
            for look in looks:
                look()
            self._tell_started()
            if self._is_bereaved():
                return self._end_bereaved()
            if self._link.has_said("full"):
                raise PhaseFailed("the command was not started: the instance's disk is full")
            if self._link.has_said("terminate"):
                self._orders.give(self._order_to_go_down())
            stopper.enforce(self._orders.current)
        self._tell_started()
        return self._tell_exit()

    def _looks(self) -> list[Callable[[], None]]:
        """What is looked at while the command runs; each has a pace of its own."""
        limits, output = self._spec.limits, self._folder.output
        folders = [*watched_folders(self._spec, self._folder), self._folder.outputs]
        dump = partial(dump_stacks, self._folder, self._session)
        return [
            SavingAlarm(self._journal, is_spot=self._plan.is_spot).look,
            HangWatch(limits.hang_timeout, output, folders, self._orders, dump).look,
            LossWatch(output, self._orders, is_on="nan" in limits.fail_on).look,
        ]

    def _order_to_go_down(self) -> Order:
        """What is taken up after a reboot was not ended by anybody who meant it."""
        if self._plan.is_taken_up:
            return Order(Cause.LOST, "the instance was going down")
        return Order(Cause.STOP, "the machine or its user ended the reaper")

    def _has_exited(self) -> bool:
        return self._link.has_said("exited") or (self._link.is_gone and self._folder.exit.exists())

    def _is_bereaved(self) -> bool:
        is_gone = self._link.is_gone or self._link.has_said("lost")
        return is_gone and not self._folder.exit.exists()

    def _tell_started(self) -> None:
        if self._has_told(CommandStarted):
            return
        started = reaper.read_json(str(self._folder.started))
        if started:
            command = reaper.read_json(str(self._folder.command)) or {}
            argv = tuple(map(escape_name, command["argv"]))
            self._journal.append(CommandStarted(pid=started["pid"], argv=argv))

    def _tell_exit(self) -> AttemptEnded:
        stop = next((b for b in self._journal.bodies if isinstance(b, StopBegun)), None)
        told = next((b for b in self._journal.bodies if isinstance(b, CommandExited)), None)
        if told is None:
            record, memory = self._launcher.judge(read_exit(self._folder))
            told = self._diagnosis.examine(record, stop, memory)
            self._journal.append(told)
        self._launcher.clear()
        if stop is not None:
            return AttemptEnded(cause=stop.cause, message=_join(stop.reason, told.advice))
        if told.exit.was_told_to_end:  # whoever went down took this agent along
            order = self._order_to_go_down()
            return AttemptEnded(cause=order.cause, message=order.reason)
        return AttemptEnded(cause=Cause.EXIT, message=_join(explain_exit(told), told.advice))

    def _end_bereaved(self) -> AttemptEnded:
        """The reaper is gone: how the command ends cannot be known. End it, keep its work."""
        started = reaper.read_json(str(self._folder.started)) or {"pid": 0, "ticks": None}
        deadline = time.monotonic() + self._spec.limits.grace.total_seconds()
        while _is_alive(started) and time.monotonic() < deadline:
            time.sleep(TICK_S)  # it was sent SIGTERM by the kernel, when its parent died
        reaper.kill_command(started)
        self._launcher.clear()
        return AttemptEnded(
            cause=Cause.LOST,
            message="the reaper was killed, so that the command's exit status cannot be known",
            hint=f"runctl resume {self._spec.run_id}",
        )

    # -- after the command

    def _upload(self, end: AttemptEnded) -> AttemptEnded:
        """Bring all home; wait for the store as long as it takes."""
        with self._phases.phase(Phase.UPLOADING):
            self._mailbox.phase = Phase.UPLOADING
            end = self._homecoming.finish(end)
        self._mailbox.finish()
        return self._homecoming.sum_up(end)

    @property
    def _volumes(self) -> tuple[VolumePlace, ...]:
        """What was attached for this attempt."""
        return self._ledger.claims(self._spec.run_id)[self._plan.attempt - 1].volumes

    def _let_go_of_volumes(self) -> None:
        """Leave them whole, for the next instance that they are attached to."""
        told = [one for one in self._journal.bodies if isinstance(one, VolumeMounted)]
        own = [one for one in told if not one.was_mounted]
        if not own or self._orders.is_superseded():
            return
        from runctl.agent.volumes import unmount_volumes  # noqa: PLC0415 - few runs have any

        for problem in unmount_volumes(own):
            self._journal.append(Warned(code="volumes", message=problem))

    def _halted(self) -> AttemptEnded:
        order = self._orders.current or Order(Cause.STOP, "")
        return AttemptEnded(cause=order.cause, phase=self._phases.current, message=order.reason)

    # -- limits

    def _limit_time(self) -> None:
        """Give the order to end when the time of all attempts together is used up."""
        max_time = self._spec.limits.max_time
        if max_time is None:
            return
        earlier = self._ledger.load(self._spec.run_id).attempts[: self._plan.attempt - 1]
        used_s = sum(attempt.end.seconds for attempt in earlier if attempt.end)
        left_s = max_time.total_seconds() - used_s - reaper.read_age_s(str(self._folder.path))
        reason = f"--max-time {format_duration(max_time)} is used up"
        timer = threading.Timer(left_s, self._orders.give, [Order(Cause.LIMIT, reason)])
        timer.daemon = True
        timer.start()

    def _is_command_alive(self) -> bool:
        started = reaper.read_json(str(self._folder.started))
        return started is not None and reaper.is_running(started)

    def _session(self) -> int | None:
        return self._launcher.find_leader()

    def _has_told(self, kind: type[Body]) -> bool:
        return any(isinstance(body, kind) for body in self._journal.bodies)


def _is_alive(started: dict[str, Any]) -> bool:
    return started["ticks"] is not None and reaper.start_ticks(started["pid"]) == started["ticks"]


def _join(what: str, advice: str) -> str:
    return f"{what}; {advice}" if advice else what


def _phase_failed(error: PhaseFailed, phase: Phase | None) -> AttemptEnded:
    return AttemptEnded(
        cause=Cause.PHASE,
        phase=phase,
        is_damage=isinstance(error.__cause__, IntegrityError),
        message=error.message,
        hint=error.hint,
    )
