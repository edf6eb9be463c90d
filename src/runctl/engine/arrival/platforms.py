"""What an instance is, as far as the choice of binaries goes."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass

from runctl.errors import ProviderError

_GNU = "manylinux_2_28"  # the oldest C library of the images that are supported
_MACHINES = ("x86_64", "aarch64")


@dataclass(frozen=True)
class Platform:
    """``libc`` is gnu or musl; ``python`` is such as 3.11, or None: too old, or not there."""

    machine: str
    libc: str
    python: str | None

    @property
    def uv_name(self) -> str:
        """The platform as ``uv pip install --python-platform`` calls it."""
        return f"{self.machine}-{_GNU if self.libc == 'gnu' else 'unknown-linux-musl'}"


def read_platform(words: str) -> Platform:
    """Read what the instance has said of itself: system, machine, libc, Python."""
    system, machine, libc, python = words.split()
    if system != "Linux" or machine not in _MACHINES:
        raise ProviderError(
            f"instances of {system} on {machine} are not supported",
            hint="choose an image of Linux on x86_64 or aarch64",
        )
    return Platform(machine, libc, None if python == "none" else python)


def own_platform() -> Platform | None:
    """The platform of this very process; None where it is none that instances have."""
    if sys.platform != "linux":
        return None
    libc = "gnu" if "CS_GNU_LIBC_VERSION" in os.confstr_names else "musl"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Platform(platform.machine(), libc, python)
