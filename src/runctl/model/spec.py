"""What the user asked of a run; written once, never changed."""

from __future__ import annotations

from datetime import datetime, timedelta

from runctl.model.checkpoint import Part
from runctl.model.codec import Record, Value
from runctl.model.data import DataSource
from runctl.model.hyperparams import Hyperparameter
from runctl.model.volume import VolumeAsk
from runctl.model.wish import InstanceWish


class Command(Value, frozen=True, kw_only=True):
    """The training command.

    ``script`` and ``cwd`` are relative to the root of the code; all text is escaped
    with ``codec.escape_name``, so that arguments arrive byte for byte.
    """

    script: str
    cwd: str = "."
    arguments: tuple[str, ...] = ()
    hyperparams: dict[str, Hyperparameter] = {}
    env: dict[str, str] = {}
    secrets: tuple[str, ...] = ()


class Code(Value, frozen=True, kw_only=True):
    """Which code, and where git stood.

    ``snapshot``: the digest of the root's node, which says what the code is; ``record``: the blob
    that says where its bytes are, which may be another for the same code.
    ``root``: the project's folder on the machine that it was taken from, escaped as all text is.
    ``from_run``: the run that sent it, where this one sent none.
    """

    snapshot: str
    record: Part
    file_count: int
    total_bytes: int
    root: str = ""
    from_run: str | None = None
    git_commit: str | None = None
    is_dirty: bool | None = None


class EnvironmentWish(Value, frozen=True, kw_only=True):
    """How dependencies are to be installed.

    ``is_fresh``: whatever the instance has already. ``stage_wheels``: from wheels that are sent,
    with no index.
    """

    install: bool = True
    installer: str = "auto"
    python: str | None = None
    requirements: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    system_site_packages: bool = False
    no_deps: bool = False
    is_fresh: bool = False
    stage_wheels: bool = False


class ContainerWish(Value, frozen=True, kw_only=True):
    """In which container image the script runs; see ``docker run`` for ``options``.

    ``shm_bytes``: its shared memory; None is half of the instance's memory. ``installs_docker``:
    where the instance has none that can be used.
    """

    image: str
    shm_bytes: int | None = None
    options: tuple[str, ...] = ()
    installs_docker: bool = False


class CheckpointWish(Value, frozen=True, kw_only=True):
    """Which folder holds the checkpoints (None: RUNCTL_CHECKPOINT_DIR), and how it is watched."""

    folder: str | None = None
    keep_last: int | None = None
    interval: timedelta = timedelta(seconds=1)
    settle: timedelta = timedelta(seconds=2)


class Limits(Value, frozen=True, kw_only=True):
    """What ends the run; sums over all attempts. ``stop_signal`` asks the script to end.

    ``retry_on``: what is retried, as ``--retry-on`` has it; see ``model.retrying``.
    ``hang_timeout``: for so long it may neither print nor save; ``fail_on``: ``nan``, or nothing.
    """

    max_time: timedelta | None = None
    grace: timedelta = timedelta(seconds=30)
    stop_signal: str = "SIGTERM"
    retries: int = 0
    retry_on: tuple[str, ...] = ("interruption", "lost", "exit", "hang", "gpu-lost")
    hang_timeout: timedelta | None = None
    fail_on: tuple[str, ...] = ()


class Spec(Record, frozen=True, kw_only=True):
    """The whole request.

    ``published_to``: ``s3://bucket/prefix``, where checkpoints and outputs are put as plain files.
    ``container``: None runs it in no container.
    ``wish``: what is rented for each attempt; None where the target is there already.
    """

    run_id: str
    name: str
    project: str
    owner: str
    created_at: datetime
    target: str
    command: Command
    code: Code
    environment: EnvironmentWish = EnvironmentWish()
    container: ContainerWish | None = None
    checkpoint: CheckpointWish = CheckpointWish()
    limits: Limits = Limits()
    gpus: tuple[int, ...] = ()
    data: tuple[DataSource, ...] = ()
    published_to: str | None = None
    wish: InstanceWish | None = None
    volumes: tuple[VolumeAsk, ...] = ()
    runctl_version: str
