"""Which types have certain attributes. Prices are not looked at: not all of them are known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.data import offer, read_instance_type
from runctl.localcloud.services.ec2.filters import Filter, path
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.state.records import Record

Wanted = dict[str, Any]

_NUMBERS: dict[str, Filter] = {
    "VCpuCount": path("VCpuInfo", "DefaultVCpus"),
    "MemoryMiB": path("MemoryInfo", "SizeInMiB"),
    "NetworkInterfaceCount": path("NetworkInfo", "MaximumNetworkInterfaces"),
    "TotalLocalStorageGB": path("InstanceStorageInfo", "TotalSizeInGB"),
    "BaselineEbsBandwidthMbps": path("EbsInfo", "EbsOptimizedInfo", "BaselineBandwidthInMbps"),
}
_SWITCHES = {
    "BareMetal": ("BareMetal", "excluded"),
    "BurstablePerformance": ("BurstablePerformanceSupported", "excluded"),
    "LocalStorage": ("InstanceStorageSupported", "included"),
}
_NEEDS: dict[str, Filter] = {
    "RequireHibernateSupport": path("HibernationSupported"),
    "RequireEncryptionInTransit": path("NetworkInfo", "EncryptionInTransitSupported"),
}
_ACCELERATORS = {
    "gpu": ("GpuInfo", "Gpus", "TotalGpuMemoryInMiB"),
    "fpga": ("FpgaInfo", "Fpgas", "TotalFpgaMemoryInMiB"),
    "inference": ("InferenceAcceleratorInfo", "Accelerators", "TotalInferenceMemoryInMiB"),
    "media": ("MediaAcceleratorInfo", "Accelerators", "TotalMediaMemoryInMiB"),
}
_NEURON = ("NeuronInfo", "NeuronDevices", "TotalNeuronDeviceMemoryInMiB")
"""What says of Trainium, and of it alone, what the others say of accelerators for inference."""
_MAKERS = {"amazon web services": "amazon-web-services", "aws": "amazon-web-services"}


@operation("ec2", "GetInstanceTypesFromInstanceRequirements")
def get_instance_types(call: Call) -> dict[str, Any]:
    """List the types of the region that have all the attributes."""
    wanted = call.get("InstanceRequirements")
    architectures = set(call.get("ArchitectureTypes"))
    virtualizations = set(call.get("VirtualizationTypes"))
    found = [
        {"InstanceType": one["InstanceType"]}
        for one in map(read_instance_type, offer(call.region).types)
        if architectures & set(one["ProcessorInfo"]["SupportedArchitectures"])
        and virtualizations & set(one["SupportedVirtualizationTypes"])
        and fits(one, wanted)
    ]
    return page(call, "InstanceTypes", found, sort_by="InstanceType", low=1, default=1000)


def fits(kind: Record, wanted: Wanted) -> bool:
    """Whether a type has the attributes of ``InstanceRequirements``."""
    return (
        _is_named(kind["InstanceType"], wanted)
        and all(_is_switched(kind, wanted, name) for name in _SWITCHES)
        and all(_is_within(wanted.get(name), _sum(find(kind))) for name, find in _NUMBERS.items())
        and all(not wanted.get(name) or any(find(kind)) for name, find in _NEEDS.items())
        and _has_generation(kind, wanted)
        and _has_processor(kind, wanted)
        and _has_disks(kind, wanted)
        and _has_bandwidth(kind, wanted)
        and _has_accelerators(kind, wanted)
    )


def _is_named(name: str, wanted: Wanted) -> bool:
    allowed, excluded = wanted.get("AllowedInstanceTypes"), wanted.get("ExcludedInstanceTypes", [])
    if allowed and not any(fnmatchcase(name, one) for one in allowed):
        return False
    return not any(fnmatchcase(name, one) for one in excluded)


def _is_switched(kind: Record, wanted: Wanted, name: str) -> bool:
    member, default = _SWITCHES[name]
    how = wanted.get(name, default)
    return bool(how == "included" or kind[member] == (how == "required"))


def _sum(found: Any) -> float:
    return float(sum(found))


def _is_within(limits: Wanted | None, value: float) -> bool:
    if not limits:
        return True
    return bool(limits.get("Min", 0) <= value <= limits.get("Max", float("inf")))


def _has_generation(kind: Record, wanted: Wanted) -> bool:
    generations = wanted.get("InstanceGenerations")
    own = "current" if kind["CurrentGeneration"] else "previous"
    return not generations or own in generations


def _has_processor(kind: Record, wanted: Wanted) -> bool:
    makers = wanted.get("CpuManufacturers")
    if makers and _maker(kind["ProcessorInfo"]) not in makers:
        return False
    gib = kind["MemoryInfo"]["SizeInMiB"] / 1024 / kind["VCpuInfo"]["DefaultVCpus"]
    return _is_within(wanted.get("MemoryGiBPerVCpu"), gib)


def _maker(thing: Record) -> str:
    name = str(thing.get("Manufacturer", "AWS")).lower()  # of its own devices it says nothing
    return _MAKERS.get(name, name)


def _has_disks(kind: Record, wanted: Wanted) -> bool:
    own = {one["Type"] for one in kind.get("InstanceStorageInfo", {}).get("Disks", [])}
    kinds = wanted.get("LocalStorageTypes")
    return not kinds or not own or bool(own & set(kinds))


def _has_bandwidth(kind: Record, wanted: Wanted) -> bool:
    cards = kind["NetworkInfo"]["NetworkCards"]
    gbps = sum(one.get("BaselineBandwidthInGbps", 0.0) for one in cards)
    return _is_within(wanted.get("NetworkBandwidthGbps"), gbps)


def _has_accelerators(kind: Record, wanted: Wanted) -> bool:
    kinds = wanted.get("AcceleratorTypes") or list(_ACCELERATORS)
    found = [one for name in kinds for one in _devices(kind, name)]
    makers, names = wanted.get("AcceleratorManufacturers"), wanted.get("AcceleratorNames")
    if wanted.get("AcceleratorTypes") and not found:
        return False
    if makers and not any(_maker(one) in makers for one in found):
        return False
    if names and not any(_model(one) in names for one in found):
        return False
    memory = sum(_memory_mib(kind, name) for name in kinds)
    count = _sum(one["Count"] for one in found)
    is_enough = _is_within(wanted.get("AcceleratorTotalMemoryMiB"), memory)
    return is_enough and _is_within(wanted.get("AcceleratorCount"), count)


def _names(kind: Record, accelerator: str) -> tuple[str, str, str]:
    names = _ACCELERATORS[accelerator]
    return _NEURON if accelerator == "inference" and names[0] not in kind else names


def _memory_mib(kind: Record, accelerator: str) -> int:
    member, _, total = _names(kind, accelerator)
    return int(kind.get(member, {}).get(total, 0))


def _devices(kind: Record, accelerator: str) -> Iterator[Record]:
    member, devices, _ = _names(kind, accelerator)
    yield from kind.get(member, {}).get(devices, [])


def _model(device: Record) -> str:
    return re.sub(r"\s+", "-", str(device["Name"]).lower())
