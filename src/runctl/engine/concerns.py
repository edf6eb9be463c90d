"""What is to be agreed to before a project's files are sent: what looks secret, and how much."""

from __future__ import annotations

import shlex

from runctl.engine.session import Session
from runctl.errors import RefusedError
from runctl.model.quantities import format_size
from runctl.model.terms import Accept
from runctl.model.travel import Concerns, SuspectFile
from runctl.project import Patterns, Selection, pattern_of

SHOWN = 3


def concerns_of(session: Session, selection: Selection, destination: str | None = None) -> Concerns:
    """Look at the files that would travel, to the target of the settings or where it is said."""
    from runctl.project.secrets import find_suspects  # noqa: PLC0415 - a sync of nothing has none

    settings = session.config.values.code
    allowed = Patterns(settings.allow, "code.allow")
    return Concerns(
        destination=destination or _destination(session),
        suspects=tuple(
            SuspectFile(path=one.path, what=one.what, line=one.line, is_tracked=one.is_tracked)
            for one in find_suspects(selection, allowed, session.cache_dir)
        ),
        total_bytes=selection.total_bytes,
        warn_bytes=settings.warn_bytes,
    )


def require_acceptance(
    session: Session, selection: Selection, accept: Accept, *, destination: str | None = None
) -> None:
    """Return if there is nothing to fear or it is accepted; else raise RefusedError.

    Files that stay on this machine are told of, and never refused.
    """
    concerns = concerns_of(session, selection, destination)
    if not concerns.are_there or accept(concerns) or concerns.destination is None:
        return
    raise RefusedError(
        f"{_tell(concerns)} in {selection.root} would be sent to {concerns.destination}; "
        "nothing was sent",
        hint=_hint(concerns, selection),
        files=[one.path for one in concerns.suspects],
        total_bytes=concerns.total_bytes,
    )


def _destination(session: Session) -> str | None:
    target = session.config.values.run.on
    if not session.provider(target.partition(":")[0]).is_here:
        return target
    url = session.ledger.objects.url
    return url if "://" in url else None


def _tell(concerns: Concerns) -> str:
    paths = [one.path for one in concerns.suspects]
    if not paths:
        return f"{format_size(concerns.total_bytes)} of code"
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    look = "looks like a secret" if len(paths) == 1 else "look like secrets"
    return f"{', '.join(paths[:SHOWN])}{more}, which {look},"


def _hint(concerns: Concerns, selection: Selection) -> str:
    if not concerns.suspects:
        largest = max(selection.entries, key=lambda entry: entry.size_bytes).path
        leave = shlex.join(["--exclude-pattern", pattern_of(largest)])
        above = f"{concerns.total_bytes // 1024**2 + 1}MiB"
        return f"add {leave} or --yes; for good: runctl config set code.warn_bytes {above}"
    pattern = ",".join(pattern_of(one.path) for one in concerns.suspects)
    allow = shlex.join(["runctl", "config", "set", "code.allow", pattern])
    leave = shlex.join(["--exclude-pattern", pattern])
    return f"add {leave} (or put it into .runctlignore), or --yes; for good: {allow}"
