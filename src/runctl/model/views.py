"""What the client answers with: typed results for the command line and for programs."""

from __future__ import annotations

import enum
from datetime import datetime

from runctl.model.codec import Value
from runctl.model.data import DataSource
from runctl.model.events import Event
from runctl.model.run import Run, State
from runctl.model.travel import KeptCode, TravelPlan
from runctl.model.volume import VolumeAsk, VolumeForesight
from runctl.model.wish import InstanceWish


class LaunchRequest(Value, frozen=True, kw_only=True):
    """What ``train`` is asked for, beside the settings. ``script`` is as the user typed it."""

    script: str
    arguments: tuple[str, ...] = ()
    name: str | None = None
    gpus: tuple[int, ...] = ()
    is_queued: bool = False
    project_root: str | None = None
    resume_from: str | None = None  # a checkpoint file or folder on this machine
    include: tuple[str, ...] = ()  # patterns beside those of the settings
    exclude: tuple[str, ...] = ()
    explain: tuple[str, ...] = ()  # paths for a plan to explain
    is_code_kept: bool = False  # send none: take that of the last run on the same instance
    data: tuple[DataSource, ...] = ()  # fetched before the script is started
    published_to: str | None = None  # s3://…, for checkpoints and outputs as plain files
    is_fresh: bool = False  # install, whatever the instance has already
    volumes: tuple[VolumeAsk, ...] = ()
    wish: InstanceWish | None = None  # what is rented, where the target is not there already


class LaunchPlan(TravelPlan, frozen=True, kw_only=True):
    """What a launch would do: shown by ``--dry-run``, carried out by ``launch``."""

    target: str
    name: str
    script: str
    cwd: str
    command: tuple[str, ...]
    kept: KeptCode | None  # what is used in place of the files here
    environment: str
    data: tuple[DataSource, ...]
    published_to: str | None
    volumes: tuple[VolumeForesight, ...]
    git_commit: str | None
    is_dirty: bool | None
    ledger: str
    settings: dict[str, str]


class RunSummary(Value, frozen=True, kw_only=True):
    """A run in a list. ``instances``: of its attempts, in order."""

    run_id: str
    name: str
    project: str
    state: State
    created_at: datetime
    ended_at: datetime | None
    attempts: int
    target: str
    script: str
    checkpoint_count: int
    last_step: int | None
    exit_status: int | None
    last_checkpoint: str | None = None
    instances: tuple[str, ...] = ()


class LogData(Value, frozen=True, kw_only=True):
    """Bytes of the log, as they came."""

    attempt: int
    start: int
    data: bytes


class EventSeen(Value, frozen=True, kw_only=True):
    """An event of the run, and the run after it."""

    event: Event
    run: Run


class RunOver(Value, frozen=True, kw_only=True):
    """The last update: how it ended."""

    run: Run


Update = LogData | EventSeen | RunOver


class Verdict(enum.StrEnum):
    """What is known of a checkpoint. UNKNOWN: its format cannot tell."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"


class CheckpointView(Value, frozen=True, kw_only=True):
    """A checkpoint of a run (``label`` is attempt/seq) or of a folder (``label`` is its name)."""

    label: str
    name: str
    format: str
    size_bytes: int
    written_at: datetime
    committed_at: datetime | None
    step: int | None
    epoch: float | None
    loss: float | None
    metrics: dict[str, float]
    verdict: Verdict
    reason: str = ""


class TensorView(Value, frozen=True, kw_only=True):
    name: str
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int | None


class CheckpointDetail(Value, frozen=True, kw_only=True):
    """All that a checkpoint says of itself; nothing in it was executed to learn this."""

    view: CheckpointView
    files: dict[str, int]
    tensor_count: int
    parameter_count: int
    dtypes: dict[str, int]
    tensors: tuple[TensorView, ...]
    notes: tuple[str, ...]


class CheckpointPlace(Value, frozen=True, kw_only=True):
    """What a target turned out to be: a run, or a path on this machine (``path`` is set)."""

    run_id: str | None
    path: str | None
    notes: tuple[str, ...] = ()


class OutputFile(Value, frozen=True, kw_only=True):
    """An output: its name in the run, its place here, and whether it was here before."""

    name: str
    path: str
    size_bytes: int
    was_there: bool


class PulledOutputs(Value, frozen=True, kw_only=True):
    """The outputs of the newest attempt that has any, brought into ``folder``.

    ``is_final`` is False while the run goes on: a later attempt may leave others.
    """

    run_id: str
    attempt: int
    folder: str
    files: tuple[OutputFile, ...]
    total_bytes: int
    is_final: bool
    is_dry_run: bool


class LocalCheckpoint(Value, frozen=True, kw_only=True):
    """A checkpoint on this machine; ``passed_over`` has the newer ones that are not whole."""

    path: str
    label: str
    step: int | None
    size_bytes: int
    passed_over: dict[str, str] = {}


class CleanupItem(Value, frozen=True, kw_only=True):
    """One checkpoint and whether it stays, with the reason."""

    label: str
    name: str
    size_bytes: int
    is_kept: bool
    reason: str


class DueRun(Value, frozen=True, kw_only=True):
    """A run whose next attempt is due, and why."""

    run_id: str
    name: str
    state: State
    attempt: int
    reason: str


class Reconciled(Value, frozen=True, kw_only=True):
    """What has become of a run that was due: its attempt and instance, or what is in the way."""

    run_id: str
    name: str
    attempt: int
    instance: str | None = None
    problem: str | None = None


class Removed(Value, frozen=True, kw_only=True):
    """What was deleted: runs by id, and the bytes that this freed."""

    run_ids: tuple[str, ...]
    freed_bytes: int


class Difference(Value, frozen=True, kw_only=True):
    """One thing in which two runs differ; None where one has no such thing."""

    topic: str
    key: str
    left: str | None
    right: str | None
