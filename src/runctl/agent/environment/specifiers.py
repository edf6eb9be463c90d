"""Whether a version of Python satisfies a specifier, for the few forms that Python needs.

Only final releases and the comparison clauses of PEP 440 are decided here, so that a cached
environment is found without starting a process. What cannot be read is None: uv decides.
"""

from __future__ import annotations

import re

_CLAUSE = re.compile(r"^(===|==|!=|>=|<=|~=|>|<)?\s*(\d+(?:\.\d+)*)(\.\*)?$")

Release = tuple[int, ...]


def satisfies(version: str, specifier: str) -> bool | None:
    """Whether ``version`` (``3.11.7``) meets every clause; None if a clause is not understood.

    A bare version is a prefix: ``3.12`` is met by ``3.12.4``.
    """
    release = parse_release(version)
    clauses = [clause.strip() for clause in specifier.split(",") if clause.strip()]
    answers = [_meets(release, clause) for clause in clauses]
    if release is None or None in answers:
        return None
    return all(answers)


def parse_release(version: str) -> Release | None:
    """``3.11.7`` as numbers; None for anything but a final release."""
    return tuple(map(int, version.split("."))) if re.fullmatch(r"\d+(\.\d+)*", version) else None


def _meets(release: Release | None, clause: str) -> bool | None:
    found = _CLAUSE.match(clause)
    if found is None or release is None:
        return None
    operator, wanted = found[1], tuple(map(int, found[2].split(".")))
    if operator is None or found[3]:
        is_prefix = release[: len(wanted)] == wanted
        return {None: is_prefix, "==": is_prefix, "!=": not is_prefix}.get(operator)
    return _compare(operator, release, wanted)


def _compare(operator: str, release: Release, wanted: Release) -> bool | None:
    if operator == "~=":
        return None if len(wanted) < 2 else _is_compatible(release, wanted)
    width = max(len(release), len(wanted))
    left = release + (0,) * (width - len(release))
    right = wanted + (0,) * (width - len(wanted))
    return {
        "==": left == right,
        "===": left == right,
        "!=": left != right,
        ">=": left >= right,
        "<=": left <= right,
        ">": left > right,
        "<": left < right,
    }[operator]


def _is_compatible(release: Release, wanted: Release) -> bool:
    prefix = wanted[:-1]
    return release >= wanted and release[: len(prefix)] == prefix
