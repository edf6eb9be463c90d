"""What ECR answers to parameters that it does not take."""

from __future__ import annotations

from runctl.localcloud.wire.errors import AwsError


def invalid(parameter: str, rule: str) -> AwsError:
    """Make the error that names a parameter, and what it breaks."""
    return AwsError(
        "InvalidParameterException",
        f"Invalid parameter at '{parameter}' failed to satisfy constraint: '{rule}'",
    )
