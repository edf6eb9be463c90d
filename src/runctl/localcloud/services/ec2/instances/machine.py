"""From the record of an instance to the machine that it is to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runctl.localcloud.machines.results import Feature
from runctl.localcloud.machines.spec import MachineSpec
from runctl.localcloud.services.ec2.types import type_of
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

PROXY_PORT = 3128
_GIB = 1 << 30
_NO_PROXY = "127.0.0.1,localhost,169.254.169.254,.internal,10.0.0.0/8"
"""The cloud itself, and the instance's neighbours."""


def machine_spec(cloud: Cloud, region: str, instance: Record) -> MachineSpec:
    """Return what the tier is to launch for an instance."""
    image = instance["_Image"]
    return MachineSpec(
        instance_id=instance["InstanceId"],
        address=instance["PrivateIpAddress"],
        hostname=instance["PrivateDnsName"].partition(".")[0],
        login=image["_LoginUser"],
        authorized_keys=tuple(key for key in [instance.get("_PublicKey")] if key),
        environment=_environment(cloud, region),
        endpoint_port=cloud.place.stamp.port,
        proxy_port=PROXY_PORT,
        user_data=instance["_UserData"] or None,
        init=_init(cloud, image),
        has_python=_has_python(cloud, image),
        has_device_links=image["_LoginUser"] == "ec2-user",
        disk_bytes=_root_bytes(cloud, region, instance),
        instance_store=_instance_store(instance),
    )


def _environment(cloud: Cloud, region: str) -> dict[str, str]:
    """What every process in the machine has: where the cloud is, and the way out."""
    proxy = f"http://127.0.0.1:{PROXY_PORT}"
    return {
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "http_proxy": proxy,
        "https_proxy": proxy,
        "no_proxy": _NO_PROXY,
    }


def _init(cloud: Cloud, image: Record) -> str:
    """Real systemd where the image has it and the tier can boot it."""
    has_systemd = Feature.SYSTEMD in cloud.tier.report.features
    return "systemd" if image["_Init"] == "systemd" and has_systemd else "tiny"


def _has_python(cloud: Cloud, image: Record) -> bool:
    """Whether a Python is found: also where the image has none, and the tier cannot hide it."""
    can_hide = Feature.HIDE_PYTHON in cloud.tier.report.features
    return bool(image["_HasPython"]) or not can_hide


def _root_bytes(cloud: Cloud, region: str, instance: Record) -> int:
    roots = [
        mapping["Ebs"]["VolumeId"]
        for mapping in instance["BlockDeviceMappings"]
        if mapping["DeviceName"] == instance["RootDeviceName"]
    ]
    with cloud.records.transaction() as transaction:
        volume = transaction.table("volume", region).get(roots[0]) if roots else None
    return int(volume["Size"]) * _GIB if volume else 8 * _GIB


def _instance_store(instance: Record) -> tuple[int, ...]:
    disks = type_of(instance["InstanceType"]).get("InstanceStorageInfo", {}).get("Disks", [])
    return tuple(disk["SizeInGB"] * 10**9 for disk in disks for _ in range(disk["Count"]))
