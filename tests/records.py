"""Records for tests: each with what its type asks for, and no more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from runctl.model.checkpoint import CheckpointFile, Manifest, Part, SealedManifest, Summary
from runctl.model.codec import Record
from runctl.model.events import (
    AttemptEnded,
    AttemptStarted,
    Body,
    Cause,
    CheckpointCommitted,
    Claim,
    CommandExited,
    CommandStarted,
    EnvironmentReady,
    Event,
    ExitRecord,
    Heartbeat,
    ImageReady,
    InterruptionNoticed,
    OutputsStored,
    Phase,
    PhaseFinished,
    PhaseStarted,
    Request,
    RequestKind,
    ResumeChosen,
    StopBegun,
    VolumeMounted,
    Warned,
)
from runctl.model.ids import make_run_id
from runctl.model.instance import Instance, InstanceState, Offer
from runctl.model.spec import Code, Command, Limits, Spec
from runctl.store.outputs import Outputs
from runctl.store.snapshot import FileEntry, FolderEntry, LinkEntry, Node, Snapshot

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
RUN_ID = make_run_id(NOW, b"\1\2\3\4")
SHA256 = "ab" * 32
PART = Part(sha256=SHA256, size_bytes=3)
SUMMARY = Summary(format="torch", step=7, epoch=0.5, loss=0.25, metrics={"acc": 0.9})


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def make_spec(run_id: str = RUN_ID, **changes: object) -> Spec:
    fields: dict[str, object] = {
        "run_id": run_id,
        "name": "digits-1",
        "project": "digits",
        "owner": "owner-1",
        "created_at": NOW,
        "target": "local",
        "command": Command(script="train.py"),
        "code": Code(
            snapshot=SHA256, record=Part(sha256=SHA256, size_bytes=1), file_count=1, total_bytes=1
        ),
        "runctl_version": "0",
    }
    return Spec(**{**fields, **changes})  # type: ignore[arg-type]


def make_claim(attempt: int = 1, **changes: object) -> Claim:
    fields: dict[str, object] = {
        "nonce": f"claim-{attempt}",
        "attempt": attempt,
        "claimed_at": NOW,
        "instance": "local",
        "reason": "asked for",
    }
    return Claim(**{**fields, **changes})  # type: ignore[arg-type]


def make_event(body: Body, attempt: int = 1, *, nonce: str = "n", at: datetime = NOW) -> Event:
    return Event(nonce=nonce, at=at, attempt=attempt, body=body)


def make_exit(
    status: int | None = 0, signal: int | None = None, *, error: str | None = None
) -> ExitRecord:
    return ExitRecord(
        status=status, signal=signal, started_at=NOW, ended_at=NOW, seconds=1.5, error=error
    )


def make_manifest(attempt: int = 1, seq: int = 1, run_id: str = RUN_ID) -> Manifest:
    return Manifest(
        key=f"runs/{run_id}/checkpoints/{attempt:04d}/{seq:08d}/manifest.json",
        run_id=run_id,
        attempt=attempt,
        seq=seq,
        name="last.ckpt",
        is_folder=False,
        files=(CheckpointFile(path="last.ckpt", mode=0o644, parts=(PART,)),),
        written_ns=1_700_000_000_123_456_789,
        committed_at=NOW,
        summary=SUMMARY,
    )


BODIES: list[Body] = [
    AttemptStarted(host="h", folder="/f", runctl_version="0", platform="Linux"),
    PhaseStarted(phase=Phase.CODE),
    PhaseFinished(phase=Phase.CODE, seconds=0.5, notes={"snapshot": SHA256}),
    VolumeMounted(
        volume_id="vol-1", path="/mnt/a", device="/dev/nvme1n1", file_system="ext4", uuid="u"
    ),
    EnvironmentReady(
        python="/p", source="uv.lock", key="k", lock_hash=None, is_cached=True, packages={"a": "1"}
    ),
    ImageReady(reference="a:1", pinned=f"a@sha256:{SHA256}", image_id="i", is_present=True),
    ResumeChosen(checkpoint="1/2", step=7, passed_over={"1/3": "a blob is missing"}),
    CommandStarted(pid=7, argv=("python", "train.py", "\\xff")),
    CheckpointCommitted(
        name="last.ckpt",
        seq=1,
        step=None,
        size_bytes=3,
        sent_bytes=0,
        written_ns=1,
        lag_seconds=0.1,
    ),
    InterruptionNoticed(action="terminate", ends_at=NOW),
    StopBegun(cause=Cause.STOP, reason="asked", is_now=False),
    Warned(code="torn", message="last.ckpt is not whole"),
    CommandExited(exit=make_exit()),
    OutputsStored(file_count=1, size_bytes=2),
    AttemptEnded(cause=Cause.EXIT, message="the command exited with status 0"),
]

# One of each type that stands alone under a key, the parts that some of them hold included.
RECORDS: list[Record] = [
    make_spec(limits=Limits(max_time=timedelta(hours=1), retries=2)),
    make_claim(2, sealed_events=("a",), sealed_manifests=("b",), resume_from="c"),
    Request(request_id="r", requested_at=NOW, attempt=1, kind=RequestKind.STOP, reason="asked"),
    Heartbeat(
        at=NOW,
        attempt=1,
        phase=None,
        log_bytes=1,
        rss_bytes=2,
        disk_free_bytes=3,
        load=0.5,
    ),
    make_manifest(),
    SealedManifest(manifest=make_manifest(), sha256=SHA256),
    Outputs(files=make_manifest().files),
    Node(
        entries=(
            FileEntry(name="a", mode=0o644, size_bytes=3, sha256=SHA256),
            FolderEntry(name="b", mode=0o755, sha256=SHA256),
            LinkEntry(name="c", target="a"),
        ),
    ),
    Snapshot(root=SHA256, nodes=(PART,), packs=(PART,), entry_count=1, total_bytes=3),
    *(make_event(body) for body in BODIES),
]

OFFER = Offer(
    provider="aws",
    type="g5.xlarge",
    place="eu-central-1a",
    usd_per_hour=Decimal("1.006"),
    cpus=4,
    memory_bytes=16 << 30,
    gpus=("A10G",),
)
INSTANCE = Instance(
    provider="aws",
    instance_id="i-1",
    type="g5.xlarge",
    state=InstanceState.RUNNING,
    is_ours=True,
)


def make_wanted(
    *, now: datetime = NOW, nonce: str = "n", instance: str = "local", reason: str = "a test"
) -> Claim:
    """Return who claims where and why: ``next_claim`` does the rest."""
    return Claim(nonce=nonce, attempt=0, claimed_at=now, instance=instance, reason=reason)
