"""What happens to an attempt, told by its agent, in order."""

from __future__ import annotations

import enum
from datetime import datetime

from runctl.model.codec import Record, Value
from runctl.model.hyperparams import Hyperparameter
from runctl.model.instance import Rental
from runctl.model.volume import VolumePlace
from runctl.model.wish import InstanceWish


class Phase(enum.StrEnum):
    """The steps of an attempt, in order."""

    QUEUE = "queue"
    VOLUMES = "volumes"
    CODE = "code"
    ENVIRONMENT = "environment"
    IMAGE = "image"
    DATA = "data"
    RUNNING = "running"
    UPLOADING = "uploading"


class Cause(enum.StrEnum):
    """Why an attempt ended."""

    EXIT = "exit"  # the command ended by itself
    PHASE = "phase"  # a phase failed
    STOP = "stop"  # somebody asked
    LIMIT = "limit"
    LOST = "lost"  # whoever reaps the command is gone: its status cannot be known
    INTERRUPTED = "interrupted"  # the provider takes the instance back, and has said so
    TROUBLE = "trouble"  # the command was ended for what it did, or did not do
    SUPERSEDED = "superseded"


class Trouble(enum.StrEnum):
    """What went wrong with the command, where that has a name."""

    OOM = "oom"  # memory ran out
    HANG = "hang"  # no output and no checkpoint for as long as was allowed
    NAN = "nan"  # its loss was no number
    DISK_FULL = "disk-full"
    GPU_LOST = "gpu-lost"  # the driver cannot reach it any more


class ExitRecord(Value, frozen=True, kw_only=True):
    """What the process that reaped the command saw. ``signal`` is set where one ended it."""

    status: int | None
    signal: int | None
    started_at: datetime
    ended_at: datetime
    seconds: float  # by a clock that never jumps
    max_rss_bytes: int = 0
    cpu_seconds: float = 0.0
    is_core_dumped: bool = False
    leftover_processes: int = 0
    was_told_to_end: bool = False  # all of it, by a SIGTERM to who reaped it, as a shutdown sends
    error: str | None = None  # why the command could not be started


class AttemptStarted(Value, frozen=True, kw_only=True, tag="attempt_started"):
    host: str
    folder: str
    runctl_version: str
    platform: str


class PhaseStarted(Value, frozen=True, kw_only=True, tag="phase_started"):
    phase: Phase


class PhaseFinished(Value, frozen=True, kw_only=True, tag="phase_finished"):
    phase: Phase
    seconds: float
    notes: dict[str, str] = {}


class VolumeMounted(Value, frozen=True, kw_only=True, tag="volume_mounted"):
    """A volume that the command finds at ``path``; ``uuid`` is of its file system.

    ``was_formatted``: it was blank, and that file system was made for this attempt.
    ``was_mounted``: it was there before, and stays when the attempt ends.
    """

    volume_id: str
    path: str
    device: str
    file_system: str
    uuid: str
    is_read_only: bool = False
    was_formatted: bool = False
    was_mounted: bool = False


class EnvironmentReady(Value, frozen=True, kw_only=True, tag="environment_ready"):
    """What the command runs in.

    ``packages`` maps a distribution to its version, ``hashes`` to a digest of its files;
    ``replaced`` are the image's own versions that others were put in front of. ``cuda`` has the
    versions of ``driver`` and ``toolkit``.
    """

    python: str
    source: str
    key: str | None
    lock_hash: str | None
    is_cached: bool
    packages: dict[str, str]
    python_version: str = ""
    installer: str | None = None
    hashes: dict[str, str] = {}
    replaced: dict[str, str] = {}
    cuda: dict[str, str] = {}


class ImageReady(Value, frozen=True, kw_only=True, tag="image_ready"):
    """The container image that the command runs in.

    ``pinned`` is what later attempts take: ``repository@sha256:…``, or ``image_id`` where no
    registry has it. ``is_present``: the instance had it.
    """

    reference: str
    pinned: str
    image_id: str
    is_present: bool


class ResumeChosen(Value, frozen=True, kw_only=True, tag="resume_chosen"):
    """The checkpoint that the command starts from, and those passed over, with the reason."""

    checkpoint: str | None
    step: int | None
    passed_over: dict[str, str] = {}


class CommandStarted(Value, frozen=True, kw_only=True, tag="command_started"):
    pid: int
    argv: tuple[str, ...]


class CheckpointCommitted(Value, frozen=True, kw_only=True, tag="checkpoint_committed"):
    """``lag_seconds``: from the script's last write to the commit."""

    name: str
    seq: int
    step: int | None
    size_bytes: int
    sent_bytes: int
    written_ns: int
    lag_seconds: float


class InterruptionNoticed(Value, frozen=True, kw_only=True, tag="interruption_noticed"):
    """The provider takes the instance back: ``action`` is its word, ``ends_at`` its time."""

    action: str
    ends_at: datetime


class StopBegun(Value, frozen=True, kw_only=True, tag="stop_begun"):
    """``signal`` was sent (or SIGKILL, where ``is_now``); ``trouble`` is why, where it is one."""

    cause: Cause
    reason: str
    is_now: bool
    signal: str = "SIGTERM"
    trouble: Trouble | None = None


class Warned(Value, frozen=True, kw_only=True, tag="warned"):
    code: str
    message: str


class CommandExited(Value, frozen=True, kw_only=True, tag="command_exited"):
    """How the command ended; ``advice`` says of its ``trouble`` what is known, and what helps."""

    exit: ExitRecord
    trouble: Trouble | None = None
    advice: str = ""


class OutputsStored(Value, frozen=True, kw_only=True, tag="outputs_stored"):
    file_count: int
    size_bytes: int


class AttemptEnded(Value, frozen=True, kw_only=True, tag="attempt_ended"):
    """The attempt's last event. ``message`` and ``hint`` are for the user.

    ``last_step`` is the last that the log told of, ``durable_step`` that of the last checkpoint
    which is safe; None is unknown. ``is_damage``: bytes were not what their digests say.
    """

    cause: Cause
    phase: Phase | None = None
    is_damage: bool = False
    message: str = ""
    hint: str | None = None
    seconds: float = 0.0
    log_bytes: int = 0
    last_step: int | None = None
    durable_step: int | None = None


Body = (
    AttemptStarted
    | PhaseStarted
    | PhaseFinished
    | VolumeMounted
    | EnvironmentReady
    | ImageReady
    | ResumeChosen
    | CommandStarted
    | CheckpointCommitted
    | InterruptionNoticed
    | StopBegun
    | Warned
    | CommandExited
    | OutputsStored
    | AttemptEnded
)


class Event(Record, frozen=True, kw_only=True):
    """One thing that happened. The nonce tells a retried write from a stranger's."""

    nonce: str
    at: datetime
    attempt: int
    body: Body


class Relocation(Value, frozen=True, kw_only=True):
    """The run goes on with another provider: its target there, and what is rented, if anything."""

    target: str
    wish: InstanceWish | None = None


class Claim(Record, frozen=True, kw_only=True):
    """Attempt n is his who creates this; it seals attempt n-1.

    ``sealed_events`` and ``sealed_manifests`` are the keys of attempt n-1 that count;
    what a frozen or cut-off predecessor writes later never enters the fold. ``heard_at`` is when
    its agent gave its last sign of life. ``volumes`` are attached to the instance already.
    ``hyperparams`` and ``relocation`` change the run's spec from this attempt on.
    """

    nonce: str
    attempt: int
    claimed_at: datetime
    instance: str
    reason: str
    rental: Rental | None = None
    resume_from: str | None = None
    sealed_events: tuple[str, ...] = ()
    sealed_manifests: tuple[str, ...] = ()
    heard_at: datetime | None = None
    volumes: tuple[VolumePlace, ...] = ()
    hyperparams: dict[str, Hyperparameter] = {}
    relocation: Relocation | None = None


class RequestKind(enum.StrEnum):
    STOP = "stop"


class Request(Record, frozen=True, kw_only=True):
    """What a user asks of a running run."""

    request_id: str
    requested_at: datetime
    attempt: int
    kind: RequestKind
    is_now: bool = False
    reason: str = ""


class Heartbeat(Record, frozen=True, kw_only=True):
    """The last word of an agent; one key, overwritten. Time judges liveness only."""

    at: datetime
    attempt: int
    phase: Phase | None
    log_bytes: int
    rss_bytes: int
    disk_free_bytes: int
    load: float
