"""Instance types, and where they are offered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.data import instance_types, offerings
from runctl.localcloud.services.ec2.filters import Filter, apply, path
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ec2.regions import zones_of
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

FILTERS: Mapping[str, Filter] = {
    "auto-recovery-supported": path("AutoRecoverySupported"),
    "bare-metal": path("BareMetal"),
    "burstable-performance-supported": path("BurstablePerformanceSupported"),
    "current-generation": path("CurrentGeneration"),
    "dedicated-hosts-supported": path("DedicatedHostsSupported"),
    "ebs-info.ebs-optimized-support": path("EbsInfo", "EbsOptimizedSupport"),
    "ebs-info.encryption-support": path("EbsInfo", "EncryptionSupport"),
    "ebs-info.nvme-support": path("EbsInfo", "NvmeSupport"),
    "free-tier-eligible": path("FreeTierEligible"),
    "hibernation-supported": path("HibernationSupported"),
    "hypervisor": path("Hypervisor"),
    "instance-storage-info.disk.count": path("InstanceStorageInfo", "Disks", "Count"),
    "instance-storage-info.disk.size-in-gb": path("InstanceStorageInfo", "Disks", "SizeInGB"),
    "instance-storage-info.disk.type": path("InstanceStorageInfo", "Disks", "Type"),
    "instance-storage-info.total-size-in-gb": path("InstanceStorageInfo", "TotalSizeInGB"),
    "instance-storage-supported": path("InstanceStorageSupported"),
    "instance-type": path("InstanceType"),
    "memory-info.size-in-mib": path("MemoryInfo", "SizeInMiB"),
    "network-info.efa-supported": path("NetworkInfo", "EfaSupported"),
    "network-info.ena-support": path("NetworkInfo", "EnaSupport"),
    "network-info.network-performance": path("NetworkInfo", "NetworkPerformance"),
    "processor-info.supported-architecture": path("ProcessorInfo", "SupportedArchitectures"),
    "processor-info.sustained-clock-speed-in-ghz": path(
        "ProcessorInfo", "SustainedClockSpeedInGhz"
    ),
    "supported-boot-mode": path("SupportedBootModes"),
    "supported-root-device-type": path("SupportedRootDeviceTypes"),
    "supported-usage-class": path("SupportedUsageClasses"),
    "supported-virtualization-type": path("SupportedVirtualizationTypes"),
    "vcpu-info.default-cores": path("VCpuInfo", "DefaultCores"),
    "vcpu-info.default-threads-per-core": path("VCpuInfo", "DefaultThreadsPerCore"),
    "vcpu-info.default-vcpus": path("VCpuInfo", "DefaultVCpus"),
}


def type_of(name: str) -> Record:
    """Return an instance type; raise what RunInstances answers to one that does not exist."""
    found = instance_types().get(name)
    if found is None:
        raise AwsError("InvalidParameterValue", f"Invalid value '{name}' for InstanceType.")
    return found


def vcpus(name: str) -> int:
    """Return the number of virtual processors of a type."""
    return int(type_of(name)["VCpuInfo"]["DefaultVCpus"])


def offered_zones(region: str, name: str) -> list[str]:
    """Return the zones of a region that offer a type."""
    letters = offerings().get(region, {}).get("types", {}).get(name, "")
    return [zone for zone in zones_of(region) if zone[-1] in letters]


@operation("ec2", "DescribeInstanceTypes")
def describe_instance_types(call: Call) -> dict[str, Any]:
    """List the types that the region offers."""
    wanted = call.get("InstanceTypes")
    offered = offerings().get(call.region, {}).get("types", {})
    unknown = [name for name in wanted or () if name not in offered]
    if unknown:
        raise AwsError(
            "InvalidInstanceType",
            f"The following supplied instance types do not exist: [{', '.join(unknown)}]",
        )
    names = wanted or [name for name in instance_types() if name in offered]
    found = apply(FILTERS, call.get("Filters"), [type_of(name) for name in names])
    return page(call, "InstanceTypes", found, sort_by="InstanceType", high=100)


@operation("ec2", "DescribeInstanceTypeOfferings")
def describe_instance_type_offerings(call: Call) -> dict[str, Any]:
    """List which types are offered where: in the region, in its zones."""
    kind = call.get("LocationType", "region")
    found = [
        {"InstanceType": name, "LocationType": kind, "Location": place, "_Id": f"{name} {place}"}
        for name in offerings().get(call.region, {}).get("types", {})
        for place in _places(call.region, kind, name)
    ]
    filters: Mapping[str, Filter] = {
        "instance-type": path("InstanceType"),
        "location": path("Location"),
    }
    found = apply(filters, call.get("Filters"), found)
    return page(call, "InstanceTypeOfferings", found, sort_by="_Id")


def _places(region: str, kind: str, name: str) -> list[str]:
    if kind == "region":
        return [region]
    names = offered_zones(region, name)
    if kind == "availability-zone-id":
        return [zones_of(region)[zone] for zone in names]
    return names if kind == "availability-zone" else []
