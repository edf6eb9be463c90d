"""Images by the names that users know; which one that is today, AWS's own parameters say.

https://docs.aws.amazon.com/linux/al2023/ug/ec2.html, https://documentation.ubuntu.com/aws/,
https://docs.aws.amazon.com/dlami/latest/devguide/find-dlami-id.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.errors import NotFoundError, UsageError

_UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current"
_DLAMI = "/aws/service/deeplearning/ami"
_PARAMETERS = {
    "al2023": {
        "x86_64": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        "arm64": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
    },
    "ubuntu": {
        "x86_64": f"{_UBUNTU}/amd64/hvm/ebs-gp3/ami-id",
        "arm64": f"{_UBUNTU}/arm64/hvm/ebs-gp3/ami-id",
    },
    "dlami": {
        "x86_64": f"{_DLAMI}/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id",
    },
}
NAMES = tuple(_PARAMETERS)
_HINT = f"--ami ami-…, or --ami {' or '.join(NAMES)}"


@dataclass(frozen=True)
class Image:
    image_id: str
    root_device: str


def find_image(account: Account, name: str, architecture: str) -> Image:
    """Return an image by its id, or the newest of a name, for x86_64 or arm64."""
    ident = name if name.startswith("ami-") else _newest(account, name, architecture)
    return Image(ident, _describe(account, ident)["RootDeviceName"])


def image_architecture(account: Account, name: str) -> str:
    """Return what an image is for; of the names that there are for both kinds, x86_64."""
    return str(_describe(account, name)["Architecture"]) if name.startswith("ami-") else "x86_64"


def _describe(account: Account, ident: str) -> Mapping[str, Any]:
    with translated(f"the image {ident} cannot be described", hint=_HINT):
        found = account.client("ec2").describe_images(ImageIds=[ident])["Images"]
    if not found:
        raise NotFoundError(f"there is no image {ident}", hint=_HINT)
    described: Mapping[str, Any] = found[0]
    return described


def _newest(account: Account, name: str, architecture: str) -> str:
    parameters = _PARAMETERS.get(name)
    if parameters is None or architecture not in parameters:
        raise UsageError(
            f"there is no image {name!r} for {architecture}",
            hint=_HINT,
        )
    with translated(f"which image {name} is cannot be told"):
        found = account.client("ssm").get_parameter(Name=parameters[architecture])
    return str(found["Parameter"]["Value"])
