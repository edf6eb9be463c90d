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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from runctl.agent import reaper
from runctl.agent.checkpoint_watch import CheckpointWatch
from runctl.agent.command import watched_folders
from runctl.agent.confidential import of_script
from runctl.agent.diagnosis import Diagnosis
from runctl.agent.faults import print_fault
from runctl.agent.folder import AttemptFolder
from runctl.agent.hanging import HangWatch
from runctl.agent.interruption import NoticeWatch
from runctl.agent.journal import Journal, retry_until_done
from runctl.agent.launchers import choose_launcher
from runctl.agent.ledger_access import access_of
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
from runctl.errors import IntegrityError, PhaseFailed, UnsafePath
from runctl.model import VERSION
from runctl.model.codec import escape_name
from runctl.model.events import (
    AttemptEnded,
    AttemptStarted,
    Body,
    Cause,
    CheckpointCommitted,
    CommandExited,
    CommandStarted,
    OutputsStored,
    Phase,
    ResumeChosen,
    StopBegun,
    VolumeMounted,
    Warned,
)
from runctl.model.progress import TAIL_BYTES, find_step
from runctl.model.quantities import format_duration
from runctl.model.spec import Spec
from runctl.model.volume import VolumePlace
from runctl.store.blobs import Blobs
from runctl.store.checkpoints import Checkpoints
from runctl.store.ledger import Ledger
from runctl.store.logs import Log
from runctl.store.outputs import Outputs, read_outputs, store_outputs

if TYPE_CHECKING:
    from runctl.agent.publishing import Publisher

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
        self._publisher: Publisher | None = None

    def _make_publisher(self) -> Publisher | None:
        url = self._spec.published_to
        if url is None:
            return None
        from runctl.agent.publishing import Publisher  # noqa: PLC0415 - few runs publish

        place = (self._spec.run_id, self._plan.attempt)
        access = access_of(self._plan.bucket_of_data)
        return Publisher(url, access, *place, self._checkpoints, self._blobs)

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
        self._publisher = self._make_publisher()
        if self._publisher is not None:
            self._publisher.start()
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
        """Bring log, checkpoints and outputs home; wait for the store as long as it takes."""
        with self._phases.phase(Phase.UPLOADING):
            self._mailbox.phase = Phase.UPLOADING
            # The checkpoints first: a log that cannot be stored must not keep them waiting.
            self._watch.finish(self._is_cut_off, self._doubtful_from_ns(), self._left_s)
            self._shipper.finish(self._is_cut_off)
            if not self._is_superseded():
                self._store_outputs_in_time()
                end = self._publish(end)
                end = self._cut_short(end) or end
        self._mailbox.finish()
        durable_step = self._durable_step()
        return msgspec.structs.replace(
            end,
            seconds=reaper.read_age_s(str(self._folder.path)),
            log_bytes=self._shipper.shipped_bytes,
            last_step=find_last_step(self._folder.output, durable_step),
            durable_step=durable_step,
        )

    @property
    def _volumes(self) -> tuple[VolumePlace, ...]:
        """What was attached for this attempt."""
        return self._ledger.claims(self._spec.run_id)[self._plan.attempt - 1].volumes

    def _let_go_of_volumes(self) -> None:
        """Leave them whole, for the next instance that they are attached to."""
        told = [one for one in self._journal.bodies if isinstance(one, VolumeMounted)]
        own = [one for one in told if not one.was_mounted]
        if not own or self._is_superseded():
            return
        from runctl.agent.volumes import unmount_volumes  # noqa: PLC0415 - few runs have any

        for problem in unmount_volumes(own):
            self._journal.append(Warned(code="volumes", message=problem))

    def _cut_short(self, end: AttemptEnded) -> AttemptEnded | None:
        """Return the end of a success that could not be stored in time: it is to be done again."""
        order, left_s = self._orders.current, self._left_s()
        if order is None or left_s is None or (left_s > 0 and not self._watch.has_missed):
            return None
        if not self._folder.exit.exists() or read_exit(self._folder).status != 0:
            return None
        if end.cause not in (Cause.EXIT, Cause.PHASE):
            return None
        message = f"{order.reason}; the command had ended, but not all that it made could be stored"
        return AttemptEnded(cause=order.cause, message=message)

    def _publish(self, end: AttemptEnded) -> AttemptEnded:
        """Put checkpoints and outputs where they are wanted as well; what fails is told."""
        if self._publisher is None:
            return end
        outputs = read_outputs(self._ledger, self._spec.run_id, self._plan.attempt)
        problem = self._publisher.finish(self._is_cut_off, outputs)
        if problem is None:
            return end
        self._journal.append(Warned(code="output-s3", message=problem))
        if end.cause is not Cause.EXIT or read_exit(self._folder).status != 0:
            return end  # it has failed already, and why matters more
        hint = f"runctl aws setup --write {self._spec.published_to}"
        return AttemptEnded(cause=Cause.PHASE, phase=Phase.UPLOADING, message=problem, hint=hint)

    def _durable_step(self) -> int | None:
        """Return the step that the next attempt would go on from."""
        bodies = self._journal.bodies
        found = [body for body in bodies if isinstance(body, CheckpointCommitted)]
        if found:
            return max(found, key=lambda body: body.seq).step
        return next((b.step for b in bodies if isinstance(b, ResumeChosen)), None)

    def _doubtful_from_ns(self) -> int | None:
        """Return since when the command may have died over a checkpoint; None if it did not."""
        if not self._folder.exit.exists():
            return 0  # the reaper was killed: when and how the command ended is not known
        record = read_exit(self._folder)
        if record.signal is None and (record.status == 0 or self._has_told(StopBegun)):
            return None
        return int((record.ended_at - self._spec.checkpoint.settle).timestamp() * 1e9)

    def _store_outputs_in_time(self) -> None:
        """Store them; where there is a deadline, let it cut them off: the end must be told."""
        left_s = self._left_s()
        if left_s is None:
            self._store_outputs()
            return
        thread = threading.Thread(target=self._store_outputs, name="outputs", daemon=True)
        thread.start()
        thread.join(max(0.0, left_s))

    def _store_outputs(self) -> None:
        place = (self._spec.run_id, self._plan.attempt, self._folder.outputs)
        stored: list[Outputs] = []
        escapes: set[str] = set()

        def note(error: UnsafePath) -> None:
            escapes.add(error.message)

        def store() -> None:
            escapes.clear()
            stored.append(store_outputs(self._ledger, self._blobs, *place, note))

        retry_until_done(store)
        for message in sorted(escapes):
            self._journal.append(Warned(code="outputs", message=f"{message}; it was not stored"))
        if stored[0].files:
            count, size_bytes = len(stored[0].files), stored[0].size_bytes
            self._journal.append(OutputsStored(file_count=count, size_bytes=size_bytes))

    def _halted(self) -> AttemptEnded:
        order = self._orders.current or Order(Cause.STOP, "")
        return AttemptEnded(cause=order.cause, phase=self._phases.current, message=order.reason)

    def _is_superseded(self) -> bool:
        order = self._orders.current
        return order is not None and order.cause is Cause.SUPERSEDED

    def _is_cut_off(self) -> bool:
        left_s = self._left_s()
        return self._is_superseded() or (left_s is not None and left_s <= 0)

    def _left_s(self) -> float | None:
        """Return for how long the instance is there; None if nobody takes it back."""
        order = self._orders.current
        if order is None or order.deadline is None:
            return None
        return order.deadline - time.monotonic()

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


def find_last_step(output: Path, durable_step: int | None) -> int | None:
    """Return the last step that the end of the log tells of; no less than is safe."""
    try:
        with output.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            told = find_step(file.read())
    except FileNotFoundError:
        told = None
    return max((step for step in (told, durable_step) if step is not None), default=None)


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
