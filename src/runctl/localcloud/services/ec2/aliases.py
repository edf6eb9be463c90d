"""Images that are named by a parameter: ``resolve:ssm:…``."""

from __future__ import annotations

from runctl.localcloud.api import Call
from runctl.localcloud.services.ssm.parameters import find_parameter
from runctl.localcloud.wire.errors import AwsError

PREFIX = "resolve:ssm:"


def image_of(call: Call, given: str) -> str:
    """Return the id of an image that may be given by the parameter which has it."""
    if not given.startswith(PREFIX):
        return given
    name = given.removeprefix(PREFIX).removeprefix("public:")
    try:
        return str(find_parameter(call, name)["Value"])
    except AwsError as error:
        raise AwsError(
            "InvalidParameterValue", f"Invalid image ID: the parameter {name} cannot be resolved."
        ) from error
