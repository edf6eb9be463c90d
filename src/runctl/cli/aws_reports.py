"""How a command that has changed several instances ends: what became of each, and the worst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from runctl.cli.invocation import Invocation
from runctl.errors import RunctlError

if TYPE_CHECKING:
    from runctl.model.instance_views import InstanceReport


def conclude(invocation: Invocation, reports: Sequence[InstanceReport]) -> int:
    """Show what became of each; return the exit status of the worst."""
    screen = invocation.screen
    screen.show(reports, lambda: _lines(reports), [one.instance.instance_id for one in reports])
    failures = [report.failure for report in reports if report.failure is not None]
    if not screen.is_json:  # there, they stand in the reports
        for failure in failures:
            screen.error(RunctlError(failure.message, hint=failure.hint))
    return max((failure.exit_code for failure in failures), default=0)


def _lines(reports: Sequence[InstanceReport]) -> Iterator[str]:
    from runctl.cli.aws_pages import report_lines  # noqa: PLC0415

    for report in reports:
        yield from report_lines(report)
