"""What a run has left behind, brought here: all of it, or what is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from runctl.engine.execution import outputs_so_far
from runctl.engine.outcome import judge
from runctl.engine.session import Session
from runctl.errors import NotFoundError, RecordError, TransportError, TryAgain, UsageError
from runctl.model.checkpoint import CheckpointFile
from runctl.model.quantities import format_size
from runctl.model.run import Run
from runctl.model.views import OutputFile, PulledOutputs
from runctl.project import Patterns
from runctl.store.blobs import Blobs
from runctl.store.files import file_name
from runctl.store.outputs import Outputs, fetch_outputs, is_there, read_outputs

_HINT = "runctl pull RUN --into FOLDER"


def pull(
    session: Session, run_id: str, folder: Path | None, only: Sequence[str], *, is_dry_run: bool
) -> PulledOutputs:
    """Bring the outputs of the newest attempt that has any."""
    run = judge(session, run_id)
    attempt, outputs = _find(session, run)
    outputs = replace(outputs, files=tuple(_choose(run, outputs, only)))
    target = Path(run.spec.name) if folder is None else folder
    files = _bring(session, outputs, target, is_dry_run=is_dry_run)
    return PulledOutputs(
        run_id=run_id,
        attempt=attempt,
        folder=str(target),
        files=files,
        total_bytes=outputs.size_bytes,
        is_final=run.is_over,
        is_dry_run=is_dry_run,
    )


def _find(session: Session, run: Run) -> tuple[int, Outputs]:
    for attempt in reversed(run.attempts):
        outputs = read_outputs(session.ledger, run.run_id, attempt.number)
        if outputs is not None and outputs.files:
            return attempt.number, outputs
    if run.is_over:
        raise NotFoundError(f"run {run.spec.name} has left no outputs", run=run.run_id)
    raise TryAgain(
        f"run {run.spec.name} is {run.state.value}, and its outputs are stored when it ends"
        + _tell_so_far(session, run),
        hint=f"runctl wait {run.run_id}",
        run=run.run_id,
    )


def _tell_so_far(session: Session, run: Run) -> str:
    try:
        found = outputs_so_far(session, run)
    except (TransportError, RecordError) as error:
        return f"; what is there so far is not known: {error.message}"
    if found is None or not found.count:
        return "; there are none so far"
    named = [f"{name} {format_size(size)}" for name, size in found.first.items()]
    more = f" and {found.count - len(named)} more" if found.count > len(named) else ""
    total = format_size(found.total_bytes)
    return f"; so far, where it runs: {', '.join(named)}{more}, {total} in all"


def _choose(run: Run, outputs: Outputs, only: Sequence[str]) -> list[CheckpointFile]:
    """Return what is asked for: by its very name, else by a pattern; all if nothing is."""
    if not only:
        return list(outputs.files)
    chosen: dict[str, CheckpointFile] = {}
    for text in only:
        found = _match(outputs, text)
        if not found:
            raise NotFoundError(
                f"run {run.spec.name} has left no output {text}",
                hint=f"runctl pull {run.run_id} --dry-run",
                path=text,
            )
        chosen |= {file.path: file for file in found}
    return [chosen[name] for name in sorted(chosen)]


def _match(outputs: Outputs, text: str) -> list[CheckpointFile]:
    path = text.strip("/")
    named = [one for one in outputs.files if f"{file_name(one)}/".startswith(f"{path}/")]
    if named or not path:
        return named
    patterns = Patterns([text], "PATH")
    return [one for one in outputs.files if patterns.find(file_name(one)) is not None]


def _bring(
    session: Session, outputs: Outputs, folder: Path, *, is_dry_run: bool
) -> tuple[OutputFile, ...]:
    try:
        before = [is_there(file, folder / file_name(file)) for file in outputs.files]
        if not is_dry_run:
            fetch_outputs(Blobs(session.ledger.objects, session.clock), outputs, folder)
    except (FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        message = f"{folder} cannot be written: {error.strerror}"
        raise UsageError(message, hint=_HINT) from error
    except OSError as error:
        message = f"{folder} could not be written: {error.strerror}"
        raise TransportError(message, hint=_HINT) from error
    return tuple(
        OutputFile(
            name=file_name(file),
            path=str(folder / file_name(file)),
            size_bytes=file.size_bytes,
            was_there=was_there,
        )
        for file, was_there in zip(outputs.files, before, strict=True)
    )
