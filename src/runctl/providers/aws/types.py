"""Which types fit a wish, by AWS's own descriptions of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from runctl.aws.account import Account
from runctl.aws.errors import translated
from runctl.errors import NotFoundError, RunctlError, UsageError
from runctl.model.wish import InstanceWish
from runctl.providers.aws.images import image_architecture

Told = Mapping[str, Any]
MOST = 20
"""So many of those that fit have their prices looked up: the smallest ones."""
_PAGE = 100
_MIB_PER_GIB = 1024
# How others call them, and the memory of each in GiB where AWS tells two kinds by it alone.
_GPUS = {
    "a10040gb": ("a100", 40),
    "a10080gb": ("a100", 80),
    "rtxpro6000": ("rtxproserver6000", 0),
    "v520": ("radeonprov520", 0),
}


def find_types(account: Account, wish: InstanceWish) -> dict[str, Told]:
    """Return the named types, or those that have what is wished for; the smallest come first.

    Raises UsageError where nothing is wished for, NotFoundError where nothing fits.
    """
    if not (wish.types or wish.gpu or wish.gpu_count or wish.cpus or wish.memory_gib):
        raise UsageError(
            "no instance type is named", hint="--instance-type t3.micro, or --gpu L4:1 --cpus 8"
        )
    known = describe_types(account, wish.types or _search(account, wish))
    fitting = sorted((one for one in known.values() if _fits(one, wish)), key=_size)
    if not fitting:
        raise _nothing_fits(account, wish, known.values())
    return {one["InstanceType"]: one for one in fitting[: len(wish.types) or MOST]}


def describe_types(account: Account, types: Sequence[str]) -> dict[str, Told]:
    """Describe types by their names; NotFoundError where AWS knows one of them not."""
    found: dict[str, Told] = {}
    for start in range(0, len(types), _PAGE):
        names = list(types[start : start + _PAGE])
        try:
            with translated(f"the instance type {', '.join(names)} cannot be described"):
                told = account.client("ec2").describe_instance_types(InstanceTypes=names)
        except RunctlError as error:
            if error.details.get("aws_code") != "InvalidInstanceType":
                raise
            raise NotFoundError(
                f"{account.region} has no such instance type: {error.message}",
                hint="--gpu L4:1, or --cpus 8 --memory 32, finds types that fit",
            ) from error
        found |= {one["InstanceType"]: one for one in told["InstanceTypes"]}
    return found


def architecture_of(told: Told) -> str:
    """Return what the images of a type are for: its first architecture of 64 bits."""
    listed = told["ProcessorInfo"]["SupportedArchitectures"]
    # Older types, such as t2.micro, list i386 first: no image of ours is for it.
    return str(next((one for one in listed if one != "i386"), listed[0]))


def gpus_of(told: Told) -> tuple[str, ...]:
    """Return the name of each whole GPU; a part of one is none."""
    return tuple(gpu["Name"] for gpu in _whole_gpus(told) for _ in range(gpu["Count"]))


def _whole_gpus(told: Told) -> Iterator[Told]:
    for gpu in told.get("GpuInfo", {}).get("Gpus", []):
        if gpu.get("GpuPartitionSize", 1) >= 1 and gpu.get("Count"):
            yield gpu


def _search(account: Account, wish: InstanceWish) -> list[str]:
    """Return the names of the types that have enough; which GPUs they have is not looked at."""
    pages = account.client("ec2").get_paginator("get_instance_types_from_instance_requirements")
    asked = {
        "ArchitectureTypes": [image_architecture(account, wish.image)],
        "VirtualizationTypes": ["hvm"],
        "InstanceRequirements": _requirements(wish),
    }
    with translated("which instance types fit cannot be told"):
        return [one["InstanceType"] for page in pages.paginate(**asked)
                for one in page["InstanceTypes"]]  # fmt: skip


def _requirements(wish: InstanceWish) -> dict[str, Any]:
    asked: dict[str, Any] = {
        "VCpuCount": {"Min": wish.cpus},
        "MemoryMiB": {"Min": wish.memory_gib * _MIB_PER_GIB},
        "BareMetal": "excluded",
        "BurstablePerformance": "included",
    }
    if not wish.gpu:  # who names a GPU wants it, of whatever generation its types are
        asked["InstanceGenerations"] = ["current"]
    if not (wish.gpu or wish.gpu_count):
        return asked | {"AcceleratorCount": {"Max": 0}}
    return asked | {"AcceleratorTypes": ["gpu"], "AcceleratorCount": {"Min": wish.gpu_count or 1}}


def _fits(told: Told, wish: InstanceWish) -> bool:
    cpus, memory_mib = told["VCpuInfo"]["DefaultVCpus"], told["MemoryInfo"]["SizeInMiB"]
    if wish.is_spot and "spot" not in told["SupportedUsageClasses"]:
        return False
    if cpus < wish.cpus or memory_mib < wish.memory_gib * _MIB_PER_GIB:
        return False
    return _has_gpus(told, wish)


def _has_gpus(told: Told, wish: InstanceWish) -> bool:
    if not wish.gpu:
        return len(gpus_of(told)) >= wish.gpu_count
    name, memory_gib = _GPUS.get(_plain(wish.gpu), (_plain(wish.gpu), 0))
    mine = [
        gpu
        for gpu in _whole_gpus(told)
        if _plain(gpu["Name"]) == name
        and gpu.get("MemoryInfo", {}).get("SizeInMiB", 0) >= memory_gib * 900  # sold in GB
    ]
    count: int = sum(gpu["Count"] for gpu in mine)
    return count >= max(1, wish.gpu_count)


def _plain(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


def _size(told: Told) -> tuple[int, int, int, bool, int, str]:
    """Order by what it has; of the same size plain ones first, which cost less."""
    name = str(told["InstanceType"])
    return (
        len(gpus_of(told)),
        told["VCpuInfo"]["DefaultVCpus"],
        told["MemoryInfo"]["SizeInMiB"],
        bool(told.get("InstanceStorageSupported")),
        len(name),
        name,
    )


def _nothing_fits(account: Account, wish: InstanceWish, known: Iterable[Told]) -> NotFoundError:
    names = sorted({name for one in known for name in gpus_of(one)})
    there = f"; of those large enough there are {', '.join(names)}" if wish.gpu and names else ""
    named = f"none of {', '.join(wish.types)}" if wish.types else "no instance type"
    market = " as spot" if wish.is_spot else ""
    return NotFoundError(
        f"{named} can be had{market} in {account.region}{_tell(wish)}{there}",
        hint="type the same with another --gpu, --cpus, --memory or --instance-type",
    )


def _tell(wish: InstanceWish) -> str:
    gpus = f"{max(1, wish.gpu_count)} {wish.gpu or 'GPU'}" if wish.gpu or wish.gpu_count else ""
    cpus = f"{wish.cpus} CPUs" if wish.cpus else ""
    memory = f"{wish.memory_gib} GiB" if wish.memory_gib else ""
    words = ", ".join(filter(None, (gpus, cpus, memory)))
    return f" with {words}" if words else ""
