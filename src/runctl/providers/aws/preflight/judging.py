"""From a look, or from the error that it ends in, to a finding."""

from __future__ import annotations

from collections.abc import Callable

from runctl.aws.errors import DENIED_CODES
from runctl.errors import RunctlError
from runctl.model.setup import Finding, Verdict


class NotKnown(Exception):
    """Nothing was found out; the words say why."""

    def __init__(self, told: str, fix: str | None = None) -> None:
        super().__init__(told)
        self.told = told
        self.fix = fix


def judge(subject: str, look: Callable[[], str], *, is_needed: bool = False) -> Finding:
    """Return what a look tells. What we may not look at is unknown, unless we need it ourselves."""
    try:
        return Finding(subject=subject, verdict=Verdict.OK, told=look())
    except NotKnown as error:
        return Finding(subject=subject, verdict=Verdict.UNKNOWN, told=error.told, fix=error.fix)
    except RunctlError as error:
        if error.details.get("aws_code") in DENIED_CODES and not is_needed:
            return Finding(subject=subject, verdict=Verdict.UNKNOWN, told=error.message)
        return _failed(subject, error)


def _failed(subject: str, error: RunctlError) -> Finding:
    missing = error.details.get("missing")
    return Finding(
        subject=subject,
        verdict=Verdict.FAILED,
        told=error.message,
        fix=error.hint,
        error=error.code,
        exit_code=error.exit_code,
        missing=tuple(missing) if isinstance(missing, list | tuple) else (),
    )
