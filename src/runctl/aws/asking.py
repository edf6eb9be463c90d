"""Questions to which AWS may answer that there is no such thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runctl.aws.errors import translated
from runctl.errors import RunctlError


def ask(what: str, call: Callable[[], Any], *absent: str) -> Any | None:
    """Return the answer, or None where AWS refuses with one of these codes."""
    try:
        with translated(f"{what} cannot be looked at"):
            return call()
    except RunctlError as error:
        if error.details.get("aws_code") in absent:
            return None
        raise
