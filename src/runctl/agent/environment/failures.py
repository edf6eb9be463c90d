"""How the phase fails: without credentials, with the installer's last words and one hint.

Installers have no structured errors, so this is the one place that reads their text. Each
line of ``CAUSES`` has its fixture in ``tests/unit/test_environment_failures.py``.
"""

from __future__ import annotations

import errno
import re

from runctl.errors import PhaseFailed

LAST_LINES = 20

_CREDENTIALS = re.compile(r"(?<=://)[^/\s\"'<>]+@")
_SIGNATURES = re.compile(r"(?i)((?:token|password|secret|signature|credential)=)[^&\s\"']+")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")

# Ordered from the particular to the general: the first cause that is seen is the one told.
CAUSES: tuple[tuple[str, re.Pattern[str], str], ...] = (
    (
        "disk-full",
        re.compile(r"No space left on device|os error 28\b|Errno 28\b|Disk quota exceeded"),
        "free space on the instance, or choose a larger disk, and start the run again",
    ),
    (
        "hash-mismatch",
        re.compile(r"DO NOT MATCH THE HASHES|Hash mismatch|hashes are required", re.IGNORECASE),
        "the index serves other bytes than the lock names: lock again, or check the index",
    ),
    (
        "no-compiler",
        re.compile(r"command '\S*(gcc|cc|clang|g\+\+)' failed|unable to execute '\S*(gcc|cc)"),
        "a package is built from source and no compiler is there: choose a version with a wheel",
    ),
    (
        "no-egress",
        re.compile(
            r"Failed to establish a new connection|Name or service not known|dns error"
            r"|Temporary failure in name resolution|Network is unreachable|Connection refused"
            r"|client error \(Connect\)|network connectivity is disabled|connection timed out"
            r"|Connection to \S+ timed out|Could not connect",
            re.IGNORECASE,
        ),
        "the package index is not reached: check egress, proxy and URL, or take --stage-wheels",
    ),
    (
        "index-auth",
        re.compile(r"\b40[13] (Client Error|Error, Credentials|Unauthorized|Forbidden)|\(40[13] "),
        "the package index refuses the credentials: check the index URL in your configuration",
    ),
    (
        "no-wheel",
        re.compile(
            r"is not a supported wheel on this platform|no wheels? with a matching"
            r"|doesn't have a source distribution or wheel|no wheels are usable"
            r"|Requires-Python|requires Python|a different Python|requires a different python",
            re.IGNORECASE,
        ),
        "no build fits this Python and platform: choose another version, or --python",
    ),
    (
        "no-version",
        re.compile(
            r"No matching distribution found|no versions? of|was not found in|not found in the"
            r"|No solution found when resolving|ResolutionImpossible"
            r"|Could not find a version that satisfies",
            re.IGNORECASE,
        ),
        "check the name and the version in what the project declares",
    ),
    (
        "no-venv-module",
        re.compile(r"ensurepip is not\s+available|No module named '?(venv|ensurepip|pip)\b"),
        "install python3-venv on the instance, or use --installer uv",
    ),
)

DISK_FULL = (CAUSES[0][0], CAUSES[0][2])
OTHER_HINT = "read the installer's last lines above; try the same installation here"


def redact(text: str) -> str:
    """Take user names, passwords and tokens out of every URL in ``text``."""
    return _SIGNATURES.sub(r"\1***", _CREDENTIALS.sub("***@", text))


def failed(message: str, *, hint: str, **details: object) -> PhaseFailed:
    """The phase's own error; message and hint are redacted."""
    return PhaseFailed(redact(message), hint=redact(hint), phase="environment", **details)


def installer_failed(
    what: str, status: int, output: str, *, is_disk_full: bool = False
) -> PhaseFailed:
    """The installer ended with ``status``; ``output`` is the end of what it printed.

    ``is_disk_full`` explains what its words do not: venv keeps those of ensurepip to itself.
    """
    lines = redact(_ANSI.sub("", output)).splitlines()
    last = [line.rstrip() for line in lines if line.strip()][-LAST_LINES:]
    cause, hint = find_cause("\n".join(last))
    if cause == "other" and is_disk_full:
        cause, hint = DISK_FULL
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return failed(
        "\n".join([f"The environment was not installed: {what} ended with {how}.", *last]),
        hint=hint,
        cause=cause,
        status=status,
        last_lines=last,
    )


def system_failed(error: OSError, what: str) -> PhaseFailed:
    """The operating system refused something that the environment needs."""
    is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    cause, hint = DISK_FULL if is_full else ("system", f"check {what}")
    reason = error.strerror or str(error)
    return failed(f"The environment was not installed: {what}: {reason}.", hint=hint, cause=cause)


def find_cause(output: str) -> tuple[str, str]:
    """The name of the first known cause in ``output`` and its hint; ``other`` if none is."""
    for name, pattern, hint in CAUSES:
        if pattern.search(output):
            return name, hint
    return "other", OTHER_HINT
