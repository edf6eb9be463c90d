"""Which images are published: names, owners and parameters as AWS has them.

Names and dates are of releases that AWS's and Canonical's own pages and lists name; the ids are
not AWS's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

AMAZON_LINUX = "137112412989"
CANONICAL = "099720109477"
DEEP_LEARNING = "898082745236"


@dataclass(frozen=True, slots=True)
class Family:
    """One published image, in one architecture."""

    name: str
    owner: str
    description: str
    login: str
    device: str
    created: str
    has_python: bool
    """Whether it ships a Python of 3.11 or newer, as ``python3`` or where its notes say."""
    parameters: tuple[str, ...] = ()
    """The public parameters of Systems Manager that hold its id."""
    architecture: str = "x86_64"
    size_gib: int = 8
    volume_type: str = "gp3"
    needs_token: bool = False
    """Whether it is published with ImdsSupport v2.0."""
    deprecated: str | None = None
    init: str = "init"


def _amazon_linux() -> Iterator[Family]:
    """AL2023, which ships Python 3.9."""
    folder = "/aws/service/ami-amazon-linux-latest"
    for architecture in ("x86_64", "arm64"):
        for kind, size_gib in (("ami", 8), ("ami-minimal", 2)):
            for kernel in ("6.1", "6.12", "6.18"):
                names = [f"{folder}/al2023-{kind}-kernel-{kernel}-{architecture}"]
                if kernel == "6.18":
                    names.append(f"{folder}/al2023-{kind}-kernel-default-{architecture}")
                yield _al2023(kind, "2023.12.20260930.0", kernel, architecture, size_gib, names)
        yield _al2023("ami", "2023.9.20251105.0", "6.1", architecture, 8, [], is_old=True)


def _al2023(
    kind: str,
    release: str,
    kernel: str,
    architecture: str,
    size_gib: int,
    parameters: list[str],
    *,
    is_old: bool = False,
) -> Family:
    minimal = " Minimal" if "minimal" in kind else ""
    return Family(
        name=f"al2023-{kind}-{release}-kernel-{kernel}-{architecture}",
        owner=AMAZON_LINUX,
        description=f"Amazon Linux 2023 AMI {release} {architecture}{minimal} HVM kernel-{kernel}",
        login="ec2-user",
        device="/dev/xvda",
        created="2025-11-05T22:41:11.000Z" if is_old else "2026-09-30T23:08:24.000Z",
        has_python=False,
        parameters=tuple(parameters),
        architecture=architecture,
        size_gib=size_gib,
        needs_token=True,
        deprecated="2026-02-03T22:41:00.000Z" if is_old else None,
    )


def _ubuntu() -> Iterator[Family]:
    """Ubuntu 22.04 ships Python 3.10, 24.04 ships 3.12."""
    for architecture in ("amd64", "arm64"):
        yield _release("jammy", "22.04", architecture, "20260218", is_current=True)
        yield _release("noble", "24.04", architecture, "20260714", is_current=True)
    yield _release("jammy", "22.04", "amd64", "20251015")
    yield _release("noble", "24.04", "amd64", "20251022")


def _release(
    code: str, version: str, architecture: str, serial: str, *, is_current: bool = False
) -> Family:
    volume = "gp2" if version == "22.04" else "gp3"
    folder = "hvm-ssd" if volume == "gp2" else "hvm-ssd-gp3"
    tail = f"{architecture}/hvm/ebs-{volume}/ami-id"
    serials = (serial, "current") if is_current else (serial,)
    return Family(
        name=f"ubuntu/images/{folder}/ubuntu-{code}-{version}-{architecture}-server-{serial}",
        owner=CANONICAL,
        description=f"Canonical, Ubuntu, {version}, {architecture} {code} image",
        login="ubuntu",
        device="/dev/sda1",
        created=f"{serial[:4]}-{serial[4:6]}-{serial[6:]}T07:12:43.000Z",
        has_python=version != "22.04",
        parameters=tuple(
            f"/aws/service/canonical/ubuntu/server/{name}/stable/{one}/{tail}"
            for name in (version, code)
            for one in serials
        ),
        architecture="x86_64" if architecture == "amd64" else architecture,
        volume_type=volume,
        needs_token=version != "22.04",
    )


def _deep_learning() -> Iterator[Family]:
    """Deep Learning AMIs; their release notes say where Python is, and which."""
    base = "Base OSS Nvidia Driver GPU AMI"
    yield _dlami(base, "Ubuntu 22.04", "20261006", has_python=False)  # python3.10
    yield _dlami(base, "Ubuntu 24.04", "20260918")  # python3.12
    yield _dlami(base, "Amazon Linux 2023", "20260901")  # python3.12
    for version, date in (("2.8", "20251107"), ("2.9", "20260317"), ("2.12", "20260822")):
        yield _dlami(f"OSS Nvidia Driver AMI GPU PyTorch {version}", "Ubuntu 24.04", date)


def _dlami(kind: str, system: str, date: str, *, has_python: bool = True) -> Family:
    words = kind.replace(" AMI", "").lower().replace(" ", "-")
    tail = f"{system.lower().replace(' ', '-')}/latest/ami-id"
    stems = (words, words.removesuffix("-gpu")) if words.endswith("-gpu") else (words,)
    is_ubuntu = system.startswith("Ubuntu")
    return Family(
        name=f"Deep Learning {kind} ({system}) {date}",
        owner=DEEP_LEARNING,
        description=(
            "Supported EC2 instances: G4dn, G5, G6, Gr6, G6e, P4, P4de, P5, P5e, P5en, P6-B200. "
            "Release notes: https://docs.aws.amazon.com/dlami/latest/devguide/"
            "appendix-ami-release-notes.html"
        ),
        login="ubuntu" if is_ubuntu else "ec2-user",
        device="/dev/sda1" if is_ubuntu else "/dev/xvda",
        created=f"{date[:4]}-{date[4:6]}-{date[6:]}T10:21:33.000Z",
        has_python=has_python,
        parameters=tuple(f"/aws/service/deeplearning/ami/x86_64/{stem}-{tail}" for stem in stems),
        size_gib=75,
        needs_token=not is_ubuntu or "24.04" in system,
    )


def _rehearsal() -> Iterator[Family]:
    """One that is AWS's in nothing: it is booted with systemd where the machine allows that."""
    yield Family(
        name="runctl-rehearsal/ubuntu-24.04-amd64-systemd",
        owner=CANONICAL,
        description="Ubuntu, 24.04, amd64, booted with real systemd where the tier can",
        login="ubuntu",
        device="/dev/sda1",
        created="2025-10-22T06:58:20.000Z",
        has_python=True,
        parameters=("/aws/service/runctl-rehearsal/ubuntu-24.04-systemd/ami-id",),
        init="systemd",
    )


FAMILIES = (*_amazon_linux(), *_ubuntu(), *_deep_learning(), *_rehearsal())
