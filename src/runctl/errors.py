"""The whole error tree: one class per thing that a user can act on.

A message says what happened to which thing; a hint is the next command to type.
Both are data: they are rendered once, by the command line, and documented in
``docs/reference/errors.md``, which is generated from this module.
"""

from __future__ import annotations

from typing import ClassVar


class RunctlError(Exception):
    """A fault of runctl's own; every other error derives from it."""

    code: ClassVar[str] = "internal"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details


class UsageError(RunctlError):
    """The command line, or a call of the library, does not make sense."""

    code = "usage"
    exit_code = 2


class ConfigError(RunctlError):
    """A configuration file or variable is malformed, or a value is not allowed."""

    code = "config"
    exit_code = 3


class ExtraMissing(ConfigError):
    """A part of runctl was not installed: it is an extra."""

    code = "extra-missing"


class NotFoundError(RunctlError):
    """The thing that was named does not exist."""

    code = "not-found"
    exit_code = 4


class ScriptNotFound(NotFoundError):
    """There is no such script to run."""

    code = "script-not-found"


class RunNotFound(NotFoundError):
    """No run in the ledger bears this id, prefix or name."""

    code = "run-not-found"


class CheckpointNotFound(NotFoundError):
    """No committed checkpoint, or none that verifies, answers to this name."""

    code = "checkpoint-not-found"


class ObjectMissing(NotFoundError):
    """A store holds nothing under this key."""

    code = "object-missing"


class ConflictError(RunctlError):
    """The thing is in a state that forbids the request."""

    code = "conflict"
    exit_code = 5


class AmbiguousRun(ConflictError):
    """More than one run answers to this prefix or name."""

    code = "ambiguous-run"


class AmbiguousInstance(ConflictError):
    """More than one instance of ours bears this name."""

    code = "ambiguous-instance"


class RunFinished(ConflictError):
    """The run has ended; the request needs one that has not."""

    code = "run-finished"


class RunActive(ConflictError):
    """The run has not ended; the request needs one that has."""

    code = "run-active"


class InstanceBusy(ConflictError):
    """Another run holds the instance, or the GPUs that were asked for."""

    code = "instance-busy"


class ObjectExists(ConflictError):
    """A store already holds something under a key that may be written once only."""

    code = "object-exists"


class CheckpointChanged(ConflictError):
    """The script wrote to the checkpoint while it was read; it is taken up again later."""

    code = "checkpoint-changed"


class AttemptSuperseded(ConflictError):
    """A later attempt was claimed; what this one writes no longer counts."""

    code = "attempt-superseded"


class CloudNotRunning(ConflictError):
    """The request needs a local cloud that runs."""

    code = "cloud-not-running"


class AuthError(RunctlError):
    """Credentials are missing, expired or not sufficient."""

    code = "auth"
    exit_code = 6


class CapacityError(RunctlError):
    """No capacity, no quota, or a price above the limit."""

    code = "capacity"
    exit_code = 7


class ProviderError(RunctlError):
    """The provider refused or failed a call."""

    code = "provider"
    exit_code = 8


class TransportError(RunctlError):
    """An instance could not be reached, or a transfer to it broke."""

    code = "transport"
    exit_code = 9


class IntegrityError(RunctlError):
    """Bytes are not what their record says they are."""

    code = "integrity"
    exit_code = 10


class RecordError(IntegrityError):
    """A record in the ledger cannot be read as what it should be."""

    code = "record"


class RecordVersionError(RecordError):
    """A record was written by a version of runctl that this one does not know."""

    code = "record-version"


class SnapshotMismatch(IntegrityError):
    """The code on the instance does not equal the snapshot."""

    code = "snapshot-mismatch"


class UnsafePath(IntegrityError):
    """A record names a path that leads out of the folder it belongs to."""

    code = "unsafe-path"


class FormatNotJudged(IntegrityError):
    """A checkpoint is of a variant, or of a size, that runctl does not read through."""

    code = "format-not-judged"


class RefusedError(RunctlError):
    """A safety check failed, or could not be made."""

    code = "refused"
    exit_code = 11


class CommandFailed(RunctlError):
    """The user's command ended with a status other than 0."""

    code = "command-failed"
    exit_code = 20


class InstanceLost(RunctlError):
    """The attempt's instance, or the process that reaps the command, is gone."""

    code = "instance-lost"
    exit_code = 21


class PhaseFailed(RunctlError):
    """A phase before the command failed: volumes, code, environment, image or data."""

    code = "phase-failed"
    exit_code = 22


class LimitReached(RunctlError):
    """A limit on time, money or idleness ended the run."""

    code = "limit-reached"
    exit_code = 23


class StoppedOnRequest(RunctlError):
    """The run was stopped because somebody asked for it."""

    code = "stopped"
    exit_code = 24


class TryAgain(RunctlError):
    """Nothing is wrong, and nothing was decided: type the same again."""

    code = "try-again"
    exit_code = 75


class Interrupted(RunctlError):
    """Ctrl-C: the command detached; what it followed goes on."""

    code = "interrupted"
    exit_code = 130
