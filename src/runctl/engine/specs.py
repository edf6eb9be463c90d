"""The spec of a run, from a request that makes sense; its code goes into the store."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from runctl.config import owner_id
from runctl.engine.changes import memory_place
from runctl.engine.preparing import Prepared
from runctl.engine.session import Session
from runctl.engine.wishes import container_wish, environment_wish
from runctl.model import VERSION
from runctl.model.codec import escape_name
from runctl.model.ids import make_run_id
from runctl.model.retrying import check_retry_on
from runctl.model.spec import CheckpointWish, Code, Command, Limits, Spec
from runctl.project import ProjectRoot, git_state
from runctl.store.blobs import Blobs
from runctl.store.snapshot import load_memory, save_memory, take_snapshot

STEM_CHARACTERS = 40


def make_spec(prepared: Prepared, session: Session) -> Spec:
    settings, root = prepared.settings, prepared.root
    now = session.clock()
    run_id = make_run_id(now, session.chance(4))
    request = prepared.request
    return Spec(
        run_id=run_id,
        name=_name(prepared, run_id),
        project=root.path.name or "project",
        owner=owner_id(session.user_dir),
        created_at=now,
        target=settings.run.on,
        command=_command(prepared),
        code=_store_code(prepared, session),
        environment=environment_wish(settings, request),
        container=container_wish(settings),
        checkpoint=CheckpointWish(
            folder=escape_name(settings.checkpoint.dir) if settings.checkpoint.dir else None,
            keep_last=settings.checkpoint.keep_last,
            interval=settings.checkpoint.interval,
            settle=settings.checkpoint.settle,
        ),
        limits=Limits(
            max_time=settings.run.max_time,
            grace=settings.run.grace,
            stop_signal=settings.run.stop_signal,
            retries=settings.run.retries,
            retry_on=check_retry_on(settings.run.retry_on),
            hang_timeout=settings.run.hang_timeout,
            fail_on=settings.run.fail_on,
        ),
        gpus=request.gpus,
        data=request.data,
        published_to=request.published_to,
        volumes=request.volumes,
        wish=request.wish,
        runctl_version=VERSION,
    )


def with_id(spec: Spec, run_id: str, prepared: Prepared) -> Spec:
    """Return the spec under another id, and so under the name that goes with it."""
    return replace(spec, run_id=run_id, name=_name(prepared, run_id))


def _name(prepared: Prepared, run_id: str) -> str:
    return prepared.request.name or f"{name_stem(prepared.root)}-{run_id[-5:]}"


def name_stem(root: ProjectRoot) -> str:
    """Return how the names of this script's runs begin: as they must, and not too long."""
    stem = "".join(c if c.isalnum() and c.isascii() else "-" for c in Path(root.script).stem)
    return stem.strip("-")[:STEM_CHARACTERS] or "run"


def _command(prepared: Prepared) -> Command:
    run = prepared.settings.run
    return Command(
        script=escape_name(prepared.root.script),
        cwd=escape_name(prepared.cwd),
        arguments=tuple(map(escape_name, prepared.request.arguments)),
        hyperparams=run.hyperparams,
        env={key: escape_name(value) for key, value in run.env.items()},
        secrets=run.secrets,
    )


def _store_code(prepared: Prepared, session: Session) -> Code:
    if prepared.kept is not None:
        kept = prepared.kept
        return replace(kept.code, from_run=kept.code.from_run or kept.run_id)
    blobs = Blobs(session.ledger.objects, session.clock)
    place = memory_place(session, prepared.root.path)
    paths = prepared.selection.paths
    taken = take_snapshot(blobs, prepared.root.path, paths, load_memory(place))
    save_memory(place, taken.memory)
    git = git_state(prepared.root.path)
    return Code(
        snapshot=taken.snapshot.root,
        record=taken.record,
        file_count=len(paths),
        total_bytes=taken.snapshot.total_bytes,
        root=escape_name(str(prepared.root.path)),
        git_commit=git.commit if git else None,
        is_dirty=git.is_dirty if git else None,
    )
