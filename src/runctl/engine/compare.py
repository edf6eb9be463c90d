"""In what two runs differ: spec, code, hyperparameters, environment, result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from runctl.engine.session import Session
from runctl.model.codec import escape_name
from runctl.model.events import EnvironmentReady, Phase
from runctl.model.quantities import format_duration
from runctl.model.run import Run
from runctl.model.views import Difference
from runctl.store.blobs import Blobs
from runctl.store.snapshot import Entry, FileEntry, FolderEntry, read_leaves

Facts = Mapping[tuple[str, str], str]


def compare(session: Session, left: Run, right: Run) -> list[Difference]:
    """Return the differences, by topic and key."""
    ours, theirs = _facts(session, left), _facts(session, right)
    keys = sorted({*ours, *theirs})
    return [
        Difference(
            topic=topic, key=key, left=ours.get((topic, key)), right=theirs.get((topic, key))
        )
        for topic, key in keys
        if ours.get((topic, key)) != theirs.get((topic, key))
    ]


def _facts(session: Session, run: Run) -> Facts:
    facts: dict[tuple[str, str], str] = {}
    for topic, found in _topics(session, run):
        facts |= {(topic, key): value for key, value in found.items() if value is not None}
    return facts


def _topics(session: Session, run: Run) -> Iterator[tuple[str, dict[str, str | None]]]:
    spec, last = run.spec, run.last
    command = spec.command
    yield (
        "command",
        {
            "script": command.script,
            "arguments": " ".join(command.arguments),
            "cwd": command.cwd,
            "secrets": ",".join(command.secrets),
        },
    )
    yield "hyperparameters", {key: param.text for key, param in command.hyperparams.items()}
    yield "env", dict(command.env)
    yield "code", {"git commit": spec.code.git_commit, "git dirty": _text(spec.code.is_dirty)}
    yield "files", _files(session, run)
    yield "data", _data(run)
    yield (
        "limits",
        {
            "retries": str(spec.limits.retries),
            "retry on": ", ".join(spec.limits.retry_on),
            "stop signal": spec.limits.stop_signal,
            "max time": _duration(spec.limits.max_time),
            "hang timeout": _duration(spec.limits.hang_timeout),
            "fail on": ", ".join(spec.limits.fail_on) or None,
        },
    )
    if last is not None and last.environment is not None:
        yield "environment", _environment(last.environment)
        yield "packages", _packages(last.environment)
    yield "result", _result(run)


def _duration(limit: timedelta | None) -> str | None:
    return format_duration(limit) if limit is not None else None


def _environment(ready: EnvironmentReady) -> dict[str, str | None]:
    return {
        "python": f"{ready.python_version} ({ready.python})",
        "source": ready.source,
        "installer": ready.installer,
        "driver": ready.cuda.get("driver"),
        "cuda": ready.cuda.get("toolkit"),
    }


def _packages(ready: EnvironmentReady) -> dict[str, str | None]:
    """Versions, each with what its files are told apart by."""
    known = ready.hashes
    return {
        name: f"{version} ({known[name][:12]})" if name in known else version
        for name, version in ready.packages.items()
    }


def _files(session: Session, run: Run) -> dict[str, str | None]:
    blobs = Blobs(session.ledger.objects, session.clock)
    leaves = read_leaves(blobs, run.spec.code.record)
    return {escape_name(path): _describe(entry) for path, entry in leaves.items()}


def _describe(entry: Entry) -> str:
    if isinstance(entry, FileEntry):
        return f"{entry.sha256[:12]} mode {entry.mode:o}"
    if isinstance(entry, FolderEntry):
        return "an empty folder"
    return f"link to {entry.target}"


def _data(run: Run) -> dict[str, str | None]:
    """Return where the data came from, and the digest of what was there."""
    facts: dict[str, str | None] = {source.folder or ".": source.url for source in run.spec.data}
    phases = run.last.phases if run.last is not None else ()
    for phase in phases:
        if phase.phase is Phase.DATA and "digest" in phase.notes:
            facts["digest"] = phase.notes["digest"]
    return facts


def _result(run: Run) -> dict[str, str | None]:
    last = run.last
    checkpoint = next(
        (a.last_checkpoint for a in reversed(run.attempts) if a.last_checkpoint), None
    )
    return {
        "state": run.state.value,
        "attempts": str(len(run.attempts)),
        "exit": last.end.message if last and last.end else None,
        "last step": _text(checkpoint.step) if checkpoint else None,
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value).lower()
