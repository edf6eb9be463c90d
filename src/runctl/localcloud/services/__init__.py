"""The services, one package or module each."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_MODULES = (
    "ec2.fleets.describing",
    "ec2.fleets.settling",
    "ec2.fleets.verbs",
    "ec2.imageattributes",
    "ec2.imagemaking",
    "ec2.images",
    "ec2.instances.attributes",
    "ec2.instances.changes",
    "ec2.instances.console",
    "ec2.instances.describing",
    "ec2.instances.running",
    "ec2.instances.settling",
    "ec2.keys",
    "ec2.launchtemplates.describing",
    "ec2.launchtemplates.taking",
    "ec2.launchtemplates.verbs",
    "ec2.network.absent",
    "ec2.network.authorizing",
    "ec2.network.describing",
    "ec2.network.gateways",
    "ec2.network.groups",
    "ec2.network.routes",
    "ec2.network.vpcs",
    "ec2.profiles",
    "ec2.regions",
    "ec2.snapshots.attributes",
    "ec2.snapshots.describing",
    "ec2.snapshots.settling",
    "ec2.snapshots.verbs",
    "ec2.spot.describing",
    "ec2.spot.requests",
    "ec2.spot.settling",
    "ec2.spotprices",
    "ec2.tags",
    "ec2.typerequirements",
    "ec2.types",
    "ec2.volumes.attaching",
    "ec2.volumes.changing",
    "ec2.volumes.describing",
    "ec2.volumes.encryption",
    "ec2.volumes.settling",
    "ec2.volumes.verbs",
    "ecr.images",
    "ecr.policies",
    "ecr.repositories",
    "ecr.tags",
    "ecr.tokens",
    "iam.account",
    "iam.attachments",
    "iam.managed",
    "iam.profiles",
    "iam.roles",
    "iam.simulation",
    "iam.users",
    "pricing.queries",
    "quotas",
    "ssm.documents",
    "ssm.listing",
    "ssm.managed",
    "ssm.parameterchanges",
    "ssm.parameters",
    "ssm.sending",
    "ssm.sessions",
    "sts",
)


def load() -> None:
    """Import every module that registers operations."""
    for name in _MODULES:
        import_module(f"{__name__}.{name}")


def watch(cloud: Cloud) -> None:
    """Let the services hear what happens to the machines."""
    from runctl.localcloud.services.ec2.instances import watching  # noqa: PLC0415
    from runctl.localcloud.services.ssm.running import watch_commands  # noqa: PLC0415

    watching.watch(cloud)
    watch_commands(cloud)
